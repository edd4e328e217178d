#include "ledger.h"

int account_add(struct account *account, long amount)
{
	if (account->count == 64)
		return -1;
	account->entries[account->count++] = amount;
	return 0;
}

long account_balance(const struct account *account)
{
	long sum = 0;

	for (int i = 0; i < account->count; i++)
		sum += account->entries[i];
	return sum;
}

#include <stdio.h>

#include "ledger.h"

void report_print(const struct account *account)
{
	for (int i = 0; i < account->count; i++)
		printf("%4d %8ld\n", i + 1, account->entries[i]);
	printf("     %8ld\n", account_balance(account));
}

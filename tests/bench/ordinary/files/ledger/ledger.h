#ifndef LEDGER_H
#define LEDGER_H
struct account {
	long entries[64];
	int count;
};
int account_add(struct account *account, long amount);
long account_balance(const struct account *account);
void report_print(const struct account *account);
int ledger_run(int argc, char **argv);
#endif

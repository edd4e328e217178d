#include <stdlib.h>

#include "ledger.h"

int ledger_run(int argc, char **argv)
{
	struct account account = {.count = 0};

	for (int i = 1; i < argc; i++)
		if (account_add(&account, strtol(argv[i], NULL, 10)))
			return 1;
	report_print(&account);
	return 0;
}

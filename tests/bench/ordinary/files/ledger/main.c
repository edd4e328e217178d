#include "ledger.h"

int main(int argc, char **argv)
{
	return ledger_run(argc, argv);
}

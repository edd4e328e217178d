"""`python -m falcotrace`."""

from falcotrace.cli import main

main()

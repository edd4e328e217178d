"""Reads `.scap` captures, as Falco, sysdig and Stratoshark write them, into captures of our own.

In: blocks of a file. Out: row groups of columns, with the state of processes and descriptors that
libsinsp would have had at each event. Sources: libs 48dfd53c, `userspace/libscap` and
`userspace/libsinsp`.
"""

"""What processes said to each other: conversations, DNS, HTTP, TLS, and packets of them.

In: open captures; contents are there where they were recorded with `--snaplen`. Out: typed values
that cite events and processes, streams of one socket, and pcapng files.
"""

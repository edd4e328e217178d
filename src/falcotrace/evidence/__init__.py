"""Captures as evidence: whether a byte was changed since one was sealed, where, and who signed it.

In: capture files, keys. Out: verdicts and signatures. No event is read, and nothing is repaired.
"""

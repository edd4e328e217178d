"""Parquet as captures are made of it: columns are written, and single rows of them read.

Arrow's own writer spends a millisecond for each 500,000 rows of any column, also where nothing is
in it or where it stays the same for thousands of rows; three quarters of a capture's columns are
like that. Its reader spreads a column over all rows, where rules ask about few. Long texts and
lists of events are still encoded by Arrow, and whatever is laid out in another way is read by it.
"""

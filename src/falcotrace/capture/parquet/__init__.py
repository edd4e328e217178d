"""Writes Parquet: what a capture's columns are made of, encoded without a step over each row.

Arrow's own writer spends a millisecond for each 500,000 rows of any column, also where nothing is
in it or where it stays the same for thousands of rows; three quarters of a capture's columns are
like that. Long texts and lists of events are still encoded by Arrow.
"""

"""Alerts for the tools of others: one file for each format, and one table of them (`formats`)."""

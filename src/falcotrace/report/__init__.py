"""The report: one HTML page about captures, which opens anywhere and needs nothing.

In: open captures, a plan. Out: a page without scripts, with nothing from the network. What was
recorded was written by whoever was recorded: it is escaped, cut and counted before it is shown.
"""

from falcotrace.report.document import Report, make_report

__all__ = ["Report", "make_report"]

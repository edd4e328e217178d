"""Rules asked of thousands of captures: which to read, with which engine, and what was found.

    targets ─► prune by footer ─► engine, some captures at a time ─► ledger ─► report, results

`result.hunt_captures` is the way in. What a file gave is written down before the next one is read,
so an interrupted hunt goes on where it was, and a file that is damaged costs nobody else anything.
"""

from falcotrace.hunt.result import HuntResult, hunt_captures
from falcotrace.hunt.run import Hunt, HuntOptions, HuntProgress

__all__ = ["Hunt", "HuntOptions", "HuntProgress", "HuntResult", "hunt_captures"]

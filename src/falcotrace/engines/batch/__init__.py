"""Many rules at once as SQL in DuckDB: `queries.DuckdbEngine`, with the verdicts of replay."""

from falcotrace.engines.batch.queries import DuckdbEngine, DuckdbOptions, PreparedRules

__all__ = ["DuckdbEngine", "DuckdbOptions", "PreparedRules"]

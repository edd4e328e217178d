"""Rules as SQL: the same plan that the replay engine runs, printed for DuckDB.

`rule_sql` prints a rule for people, `condition_sql` a condition alone, `matches_sql` the query that
`engines.duckdb` runs. The way of a condition: `operands` says what a field is in SQL, `checks` what
an operator asks of one value, `atoms` how that spreads over lists and both ends of a connection,
`condition` how checks combine, `printer` how it all looks.
"""

from falcotrace.engines.sql.query import condition_sql, matches_sql, rule_sql

__all__ = ["condition_sql", "matches_sql", "rule_sql"]

"""Functions of other engines than DuckDB that a query may call, by dialect.

Those of Spark were tried with missing values; those of engines that we do not run were looked up.
What our queries are made of becomes calls of these in the dialect's own module.
"""

from collections.abc import Mapping
from types import MappingProxyType

ENGINE_FUNCTIONS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "spark": frozenset(
            {
                *("aggregate", "array_contains", "array_join", "array_position", "array_size"),
                *("arrays_overlap", "ascii", "base64", "char_length", "coalesce", "concat"),
                *("contains", "conv", "date_format", "date_from_unix_date", "decode", "endswith"),
                *("exists", "filter", "forall", "get", "hex", "if", "lpad"),
                *("nullif", "octet_length", "printf", "regexp_extract", "regexp_extract_all"),
                *("regexp_like", "regexp_replace", "repeat", "replace", "rtrim", "shiftright"),
                *("split", "split_part", "startswith", "substr", "timestamp_micros"),
                *("timestamp_seconds", "transform", "translate", "trim", "try_to_binary"),
                *("try_validate_utf8", "unhex"),
            }
        ),
        "trino": frozenset(
            {
                *("all_match", "array_join", "arrays_overlap", "bitwise_and", "cardinality", "chr"),
                *("coalesce", "contains", "element_at", "filter", "from_hex"),
                *("from_unixtime_nanos", "length", "nullif", "replace", "starts_with", "strpos"),
                *("substr", "transform", "translate"),
            }
        ),
        "clickhouse": frozenset(
            {
                *("bitAnd", "coalesce", "endsWith", "file", "fromUnixTimestamp64Nano", "length"),
                *("nullIf", "position", "startsWith", "translate", "unhex"),
            }
        ),
    }
)
"""A function that is not listed is refused by name."""

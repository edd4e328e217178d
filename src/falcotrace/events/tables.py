"""Reads the tab-separated tables in `tables/`; the modules beside this one give them types."""

from collections.abc import Iterator
from importlib.resources import files


def read_table(name: str) -> Iterator[dict[str, str]]:
    """Yield the rows of `tables/NAME.tsv` as mappings from column name to text.

    Lines that begin with `#` are comments; the first other line names the columns.
    """
    text = (files("falcotrace.events") / "tables" / f"{name}.tsv").read_text(encoding="utf-8")
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    header = next(lines).split("\t")
    for line in lines:
        yield dict(zip(header, line.split("\t"), strict=True))

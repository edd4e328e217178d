"""What is new in captures against a baseline: programs, who starts what, files, peers, ports.

In: captures of quieter times, and captures to look at. Out: what was never seen in the former, each
with how many events show it and the first of them. A name that was seen says nothing about what was
done under it: a program that was replaced is not new.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

import pyarrow as pa

from falcotrace.capture.reader import Capture
from falcotrace.engines.capture_database import DatabaseOptions, connect_captures
from falcotrace.investigate.actions import CREATED, EVENTS, MOVED_TO, OPENED, WROTE, Target
from falcotrace.investigate.noise import QUIET_DEVICES
from falcotrace.outputs.times import iso_time

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Novelty:
    """Something that can be new.

    Attributes:
        program: SQL of who did it.
        what: SQL of what is new about that program; with the program it is looked for in the
            baseline.
        where: the events that show it.
    """

    program: str
    what: str
    where: str = "true"


def _types(*actions: str, target: Target | None = None) -> str:
    names = (
        f"'{event}'"
        for event, action, where in EVENTS
        if action in actions and target in (None, where)
    )
    return f"evt.type IN ({', '.join(names)})"


_PROGRAM = "coalesce(nullif(proc.exepath, ''), proc.name)"
_PARENT = "coalesce(nullif(proc.pexepath, ''), proc.pname)"
_IS_IP = "fd.type IN ('ipv4', 'ipv6') AND evt.rawres >= 0"
_WRITTEN = "coalesce(evt.arg.newpath, nullif(fd.name, ''), fs.path.name)"
_IS_WRITTEN = f"""
    evt.rawres >= 0 AND NOT regexp_full_match({_WRITTEN}, '{QUIET_DEVICES}') AND (
        ({_types(WROTE.name)} AND fd.type = 'file')
        OR ({_types(OPENED.name)} AND regexp_matches(evt.arg.flags, 'O_(CREAT|TRUNC|WRONLY|RDWR)'))
        OR {_types(CREATED.name, target=Target.PATH)} OR {_types(MOVED_TO.name)}
    )
"""
_FOLDER = f"""
    regexp_replace(regexp_replace({_WRITTEN}, '/[^/]*$', '/'), '^/proc/[0-9]+/', '/proc/*/')
"""
"""Numbers of processes differ from recording to recording, and say nothing."""

_PORT = "fd.l4proto || ' ' || coalesce(fd.sport, fd.lport)"

NOVELTIES: Mapping[str, Novelty] = MappingProxyType(
    {
        "program": Novelty("''", _PROGRAM),
        "started by": Novelty(_PARENT, _PROGRAM, f"{_PARENT} != {_PROGRAM}"),
        "directory written": Novelty(_PROGRAM, _FOLDER, _IS_WRITTEN),
        "peer": Novelty(
            _PROGRAM, "fd.rip || CASE WHEN fd.is_server THEN '' ELSE ':' || fd.rport END", _IS_IP
        ),
        "listening port": Novelty(
            _PROGRAM, _PORT, "evt.type IN ('listen', 'accept', 'accept4') AND evt.rawres >= 0"
        ),
        "user": Novelty("''", "coalesce(nullif(user.name, ''), CAST(user.uid AS VARCHAR))"),
        "container": Novelty(
            "''",
            "coalesce(nullif(container.image.repository, ''), nullif(container.name, ''), "
            "container.id)",
            "container.id != 'host'",
        ),
    }
)
"""What can be new. A container is known by its image, for ids and often names differ each time."""

_COLUMNS = pa.schema(
    [
        ("kind", pa.string()),
        ("program", pa.string()),
        ("what", pa.string()),
        ("count", pa.int64()),
        ("first_event", pa.int64()),
        ("first", pa.timestamp("ns")),
        ("capture", pa.string()),
    ]
)


@dataclass(frozen=True)
class Difference:
    """What is new.

    Attributes:
        table: kind, program, what, count of events, number and time of the first one, and its
            capture; in order of kinds, then of time.
        notes: what the reader has to know.
    """

    table: pa.Table
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.table)

    @cached_property
    def by_kind(self) -> dict[str, list[dict[str, object]]]:
        """Rows by kind, times as text; every kind is there."""
        times = [iso_time(time) for time in self.table["first"].cast(pa.int64()).to_pylist()]
        rows = self.table.drop_columns(["first"]).to_pylist()
        found: dict[str, list[dict[str, object]]] = {kind: [] for kind in NOVELTIES}
        for row, time in zip(rows, times, strict=True):
            found[row.pop("kind")].append({**row, "first": time})
        return found

    def arrow(self) -> pa.Table:
        """The rows as an Arrow table."""
        return self.table

    def df(self) -> "pd.DataFrame":
        """The rows as a data frame; needs pandas."""
        return self.table.to_pandas()

    def to_dict(self) -> dict[str, object]:
        """What is new as JSON has it, by kind."""
        return {"new": self.by_kind, "notes": list(self.notes)}

    def _repr_html_(self) -> str:
        from falcotrace.outputs.html import ROWS_MAX, rows_html  # noqa: PLC0415 - Jupyter's

        more = len(self) - ROWS_MAX
        rest = [f"{more:,} more rows are not shown here"] if more > 0 else []
        return rows_html(self.table.slice(0, ROWS_MAX), [*rest, *self.notes])


def find_difference(
    baseline: Sequence[Capture], captures: Sequence[Capture], notes: Sequence[str] = ()
) -> Difference:
    """Find what the baseline does not have.

    Args:
        baseline: captures of what is known.
        captures: captures to look at.
        notes: what the reader has to know: losses of the baseline make things new.

    Raises:
        CaptureError: a capture is damaged.
    """
    options = DatabaseOptions(is_confined=False)
    before, now = connect_captures(baseline, options), connect_captures(captures, options)
    found: list[dict[str, object]] = []
    for kind, novelty in NOVELTIES.items():
        now.register("known", before.sql(_known(novelty)).to_arrow_table())
        rows = now.sql(_new(novelty)).to_arrow_table().to_pylist()
        found += [{"kind": kind, **row} for row in rows]
    return Difference(pa.Table.from_pylist(found, _COLUMNS), tuple(notes))


def _known(novelty: Novelty) -> str:
    return f"""
        SELECT DISTINCT {novelty.program} AS program, {novelty.what} AS what
        FROM events WHERE {novelty.where}
    """  # noqa: S608 - constants of the table of novelties


def _new(novelty: Novelty) -> str:
    return f"""
        SELECT program, what, count(*) AS count, arg_min(num, time) AS first_event,
            min(time) AS first,
            regexp_extract(arg_min(file, time), '[^/]*$') AS capture
        FROM (
            SELECT {novelty.program} AS program, {novelty.what} AS what,
                evt.num AS num, evt.time AS time, filename AS file
            FROM events WHERE {novelty.where}
        ) AS shown ANTI JOIN known USING (program, what)
        WHERE what IS NOT NULL AND program IS NOT NULL
        GROUP BY program, what ORDER BY first, program, what
    """  # noqa: S608 - constants of the table of novelties

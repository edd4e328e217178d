"""Rules about several events as SQL: what their moments make up.

In: what a rule says of the events around its own. Out: steps of a query over the relation `moments`
(`moment`, `step`, `num`, `time`, `birth`, `key`, `value`; see `engines/moments.py`), and where the
capture's blanks count over `blanks` (`step`, `from_ns`, `to_ns`, `lost`; see `engines/blanks.py`).
The last step is `verdicts`: `moment`, `is_alert` (without, nobody can say) and `steps`, the numbers
of the events that led to it.

A moment's place among all of them is an odd number, so that what may have been lost has a place
just before it. Every text here is ours: what rules and captures say comes in as relations.
"""

from collections.abc import Iterator, Mapping

from falcotrace.engines.verdicts import MOST_STEPS_SHOWN
from falcotrace.rules.sequences import Correlation, Count, Sequence

Part = tuple[str, str]
"""The name of a step of the query, and its text."""


def verdict_parts(correlation: Correlation, *, with_blanks: bool) -> list[Part]:
    """The steps of a query from `moments` to `verdicts`.

    Args:
        correlation: what the rule says.
        with_blanks: whether the relation `blanks` counts; otherwise the capture is taken for all
            that happened, and `birth` is not read.
    """
    if isinstance(correlation, Count):
        return list(_count_parts(correlation, with_blanks=with_blanks))
    return list(_sequence_parts(correlation, with_blanks=with_blanks))


_COUNTING = (
    (
        "ordered",
        """
        SELECT *, row_number() OVER (PARTITION BY key ORDER BY "time", num) AS place FROM moments
        """,
    ),
    (
        "spans",
        """
        SELECT
            *,
            min(place) OVER (
                PARTITION BY key ORDER BY "time"
                RANGE BETWEEN {within} PRECEDING AND CURRENT ROW
            ) AS first_place
        FROM ordered
        """,
    ),
    (
        "counted",
        """
        SELECT
            *,
            {counted} OVER (
                PARTITION BY key ORDER BY "time", num
                ROWS BETWEEN place - first_place PRECEDING AND CURRENT ROW
            ) AS found
        FROM spans
        """,
    ),
)
_TURNS = (
    (
        "turns",
        """
        SELECT
            *,
            found >= {least} AS is_reached,
            {may_be} AS may_be,
            lag(found >= {least}, 1, FALSE) OVER (PARTITION BY key ORDER BY "time", num)
                AS was_reached
        FROM {counted}
        """,
    ),
    ("reached", "SELECT * FROM turns WHERE is_reached AND NOT was_reached"),
    (
        "led",
        """
        SELECT
            moment,
            key,
            unnest(range(greatest(first_place, place - {shown}), place)) AS place
        FROM reached
        """,
    ),
    (
        "chains",
        """
        SELECT
            led.moment,
            list_transform(
                list_sort(list([ordered.place, ordered.num])), lambda one: one[2]
            ) AS steps
        FROM led
        JOIN ordered ON ordered.key = led.key AND ordered.place = led.place
        GROUP BY led.moment
        """,
    ),
)
_LACKING = """
SELECT
    *,
    coalesce(
        (
            SELECT sum(lost)
            FROM blanks
            WHERE to_ns >= least(greatest("time" - {within}, birth), "time") AND from_ns <= "time"
        ),
        0
    ) AS lacking
FROM counted
"""
_REACHED = "SELECT moment, TRUE AS is_alert, steps FROM chains"
_REACHED_OR_NOT = """
SELECT turns.moment, turns.is_reached AS is_alert, chains.steps
FROM (
    SELECT
        *,
        lag(may_be, 1, FALSE) OVER (PARTITION BY key ORDER BY "time", num) AS might_be
    FROM turns
) AS turns
LEFT JOIN chains ON chains.moment = turns.moment
WHERE (turns.is_reached AND NOT turns.was_reached) OR (turns.may_be AND NOT turns.might_be)
"""


def _count_parts(count: Count, *, with_blanks: bool) -> Iterator[Part]:
    values = {
        "within": count.within_ns,
        "least": count.at_least,
        "shown": MOST_STEPS_SHOWN,
        "counted": "count(*)" if count.distinct is None else "count(DISTINCT value)",
    }
    yield from _filled(_COUNTING, values)
    may_be, counted = "FALSE", "counted"
    if with_blanks:
        yield from _filled((("lacking", _LACKING),), values)
        may_be = f"found < {count.at_least} AND found + lacking >= {count.at_least}"
        counted = "lacking"
    yield from _filled(_TURNS, {**values, "may_be": may_be, "counted": counted})
    yield ("verdicts", _REACHED_OR_NOT if with_blanks else _REACHED)


_PLACES = (
    (
        "places",
        """
        SELECT *, 2 * dense_rank() OVER (ORDER BY "time", num) - 1 AS place FROM moments
        """,
    ),
    ("times", 'SELECT "time", max(place) AS place FROM places GROUP BY "time"'),
    (
        "own",
        """
        SELECT
            moment, num, "time", place, key, {birth}
            "time" - {within} AS earliest,
            "time" + {within} AS latest
        FROM places
        WHERE step = 0
        """,
    ),
)
_BEFORE_STEPS = 'SELECT *, place AS first_place, "time" AS first_time FROM own'
_WITHOUT_STEPS = """
SELECT
    own.*,
    coalesce(times.place + 1, 0) AS first_place,
    own.earliest AS first_time
FROM own
ASOF LEFT JOIN times ON own.earliest > times."time"
"""
"""What must not be there has the whole span where nothing has to be there."""

_FOUND = """
SELECT
    one.*,
    other.num AS num_{step},
    coalesce(other.place, -1) AS found_place,
    other."time" AS found_time
FROM {table} AS one
ASOF LEFT JOIN (SELECT * FROM places WHERE step = {step}) AS other
    ON other.key = one.key AND one.first_place > other.place
"""
_LOST = (
    (
        "{name}_blank_{step}",
        """
        SELECT
            one.*,
            CASE
                WHEN blank.to_ns < one.first_time THEN blank.to_ns
                WHEN blank.to_ns >= one.first_time THEN one.first_time
            END AS lost_time
        FROM {name}_found_{step} AS one
        ASOF LEFT JOIN (SELECT * FROM blanks WHERE step = {step}) AS blank
            ON one.first_time >= blank.from_ns
        """,
    ),
    (
        "{name}_place_{step}",
        """
        SELECT
            one.*,
            CASE
                WHEN one.lost_time >= one.birth
                THEN least(one.first_place - one.first_place % 2, coalesce(times.place + 1, 0))
                ELSE -1
            END AS lost_place
        FROM {name}_blank_{step} AS one
        ASOF LEFT JOIN times ON one.lost_time >= times."time"
        """,
    ),
    (
        "{name}_lost_{step}",
        """
        SELECT * EXCLUDE (lost_time, lost_place) REPLACE (
            greatest(found_place, lost_place) AS found_place,
            CASE WHEN lost_place > found_place THEN lost_time ELSE found_time END AS found_time
        )
        FROM {name}_place_{step}
        """,
    ),
)
_STEPPED = """
SELECT * EXCLUDE (found_place, found_time)
    REPLACE (found_place AS first_place, found_time AS first_time)
FROM {table}
WHERE found_place >= 0
"""
_NOT_BEFORE = """
SELECT one.*
FROM {table} AS one
ASOF LEFT JOIN (SELECT * FROM places WHERE step = {step}) AS other
    ON other.key = one.key AND one.place > other.place
WHERE other.place IS NULL OR other.place <= one.first_place
"""
_NOT_BEHIND = """
SELECT one.*
FROM {table} AS one
ASOF LEFT JOIN (SELECT * FROM places WHERE step = {step}) AS other
    ON other.key = one.key AND one.place < other.place
WHERE other.place IS NULL OR other."time" > one.latest
"""
_NOT_LOST = """
SELECT *
FROM {table} AS one
WHERE NOT EXISTS (
    SELECT 1
    FROM blanks
    WHERE blanks.step = {step} AND blanks.to_ns >= {since} AND blanks.from_ns <= {until}
)
"""
_CERTAIN_OR_NOT = """
SELECT may_be.moment, certain.moment IS NOT NULL AS is_alert, [{chain}] AS steps
FROM {may_be} AS may_be
LEFT JOIN {certain} AS certain ON certain.moment = may_be.moment
"""


def _sequence_parts(sequence: Sequence, *, with_blanks: bool) -> Iterator[Part]:
    birth = "birth," if with_blanks else ""
    yield from _filled(_PLACES, {"within": sequence.within_ns, "birth": birth})
    certain, parts = _left(sequence, "known", with_lost=False)
    yield from parts
    numbers = [f"num_{step}" for step in range(1, len(sequence.after) + 1)]
    if not with_blanks:
        text = f"SELECT moment, TRUE AS is_alert, [{', '.join(numbers)}] AS steps FROM {certain}"
        yield ("verdicts", text)
        return
    may_be, parts = _left(sequence, "may_be", with_lost=True)
    yield from parts
    for step, is_before in _forbidden(sequence):
        # A process has nothing before it began.
        since = 'least(greatest(one.first_time, one.birth), one."time")'
        span = (since, 'one."time"') if is_before else ('one."time"', "one.latest")
        text = _NOT_LOST.format(table=certain, step=step, since=span[0], until=span[1])
        certain = f"certain_{step}"
        yield (certain, text)
    chain = ", ".join(f"certain.{number}" for number in numbers)
    yield ("verdicts", _CERTAIN_OR_NOT.format(chain=chain, may_be=may_be, certain=certain))


def _forbidden(sequence: Sequence) -> list[tuple[int, bool]]:
    """The steps that must not be there, each with whether it is one before."""
    first = len(sequence.after) + 1
    behind = first + len(sequence.without)
    return [(step, step < behind) for step in range(first, len(sequence.steps) + 1)]


def _left(sequence: Sequence, name: str, *, with_lost: bool) -> tuple[str, list[Part]]:
    """The own events that have what must be there and not what must not be there.

    Returns:
        The name of the relation, and the steps of the query up to it.
    """
    count = len(sequence.after)
    table = f"{name}_0"
    parts: list[Part] = [(table, _BEFORE_STEPS if count else _WITHOUT_STEPS)]
    for step in range(count, 0, -1):
        values = {"name": name, "step": step, "table": table}
        parts.append((f"{name}_found_{step}", _FOUND.format(**values)))
        values["table"] = f"{name}_found_{step}"
        if with_lost:
            parts += _filled(_LOST, values)
            values["table"] = f"{name}_lost_{step}"
        table = f"{name}_{step}"
        parts.append((table, _STEPPED.format(**values)))
    parts.append((f"{name}_chains", f"SELECT * FROM {table} WHERE first_time >= earliest"))
    table = f"{name}_chains"
    for step, is_before in _forbidden(sequence):
        text = (_NOT_BEFORE if is_before else _NOT_BEHIND).format(table=table, step=step)
        table = f"{name}_without_{step}"
        parts.append((table, text))
    return table, parts


def _filled(parts: tuple[Part, ...], values: Mapping[str, object]) -> Iterator[Part]:
    for name, text in parts:
        yield (name.format(**values), text.format(**values))

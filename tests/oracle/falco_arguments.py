"""Takes `evt.args`, as Falco prints it, apart into the columns that an import stores.

In: the name of an event and the text. Out: values by column path. It inverts what the engines do,
so rendering the columns again must give the same text.
"""

import calendar
import re
import time
from functools import cache

from falcotrace.events.argument_forms import GENERIC_MARK, GROWN_EVENTS, stand_in
from falcotrace.events.columns import BUFFER_PARAM, BUFFERS, COLUMNS, PATHS
from falcotrace.events.event_types import Param, current_events

_TEXTS = BUFFERS | {"CHARBUF", "SOCKADDR", "SOCKTUPLE", "FDLIST", "SIGSET"}
_UNSIGNED_BITS = {"UINT32": 32, "UINT64": 64, "UID": 32, "GID": 32, "ABSTIME": 64, "RELTIME": 64}

Row = dict[str, object]


def columns_of_arguments(event_name: str, text: str) -> Row:
    """The columns of one event.

    Raises:
        ValueError: the text has another form than the event table says.
    """
    row: Row = {"evt.type": event_name}
    event = current_events().get(event_name)
    if event is None or (event.params and not text):
        return {**row, GENERIC_MARK: 0}
    for count in range(len(event.params), 0, -1):
        match = _pattern(event.params[:count]).fullmatch(text)
        if match:
            for param, shown in zip(event.params, match.groups(), strict=False):
                row |= _argument(param, shown)
            return row
        if event_name not in GROWN_EVENTS:
            break
    if event.params:
        raise ValueError(f"{event_name}: {text}")
    return row


@cache
def _pattern(params: tuple[Param, ...]) -> re.Pattern[str]:
    pieces = (f"{re.escape(param.name)}=({_form(param)})" for param in params)
    return re.compile(" ".join(pieces), re.DOTALL)


def _form(param: Param) -> str:
    if param.type in _TEXTS | PATHS | {"DYN", "ABSTIME"}:
        return ".*?"
    return r"(?:-?[0-9A-F]+|<NA>|none)(?:\(.*?\))?"


def _argument(param: Param, shown: str) -> Row:
    if shown == stand_in(param):
        return {}
    if param.name == BUFFER_PARAM and param.type in BUFFERS:
        return {"evt.buffer": shown.encode()}
    plain, behind = f"evt.arg.{param.name}", f"evt.rawarg.{param.name}"
    if param.type in _TEXTS:
        return {plain: shown.encode() if param.type in BUFFERS else shown}
    raw, parenthesis, resolved = shown.partition("(")
    resolved = resolved.removesuffix(")")
    if param.type in PATHS:
        return {plain: resolved, behind: raw} if parenthesis else {plain: raw}
    if COLUMNS[plain].type in {"int64", "uint64"}:
        return {plain: _fitting(_number(param, raw), plain)}
    row: Row = {plain: resolved or raw}
    if param.type != "DYN" or re.fullmatch("-?[0-9A-F]+", raw):
        number = int(raw) if parenthesis and param.type == "DYN" else _number(param, raw)
        row[behind] = _fitting(number, behind)
    return row


def _number(param: Param, raw: str) -> int:
    if param.type == "ABSTIME":
        seconds, _, fraction = raw.partition(".")
        moment = time.strptime(seconds, "%Y-%m-%d %H:%M:%S")
        return calendar.timegm(moment) * 1_000_000_000 + int(fraction)
    if raw == "none":
        return -1
    number = int(raw, _base(param))
    bits = _UNSIGNED_BITS.get(param.type)
    return number % (1 << bits) if bits else number


def _base(param: Param) -> int:
    if param.type == "MODE" or param.format == "OCT":
        return 8
    is_plain = param.type.startswith(("INT", "UINT", "DYN"))
    return 16 if param.format == "HEX" and is_plain else 10


def _fitting(number: int, path: str) -> int:
    """The number as its column can hold it."""
    if COLUMNS[path].type == "uint64":
        return number % (1 << 64)
    return number - (1 << 64) if number >= 1 << 63 else number

"""Reads entries of process lists of all versions.

In: a cursor and the list's version. Out: `ProcessEntry`. Each version added fields in the middle
or at the end (libs 48dfd53c, userspace/libscap/scap_savefile.c and
engine/savefile/scap_savefile.c); version 9 tells each entry's length and has optional fields.
"""

import struct
from typing import Any

from falcotrace.scap.metadata import ProcessEntry
from falcotrace.scap.metadata_cursor import Cursor

_IDS = struct.Struct("<qqq")
_I64 = struct.Struct("<q")
_OWNER = struct.Struct("<QIII")
_MEMORY = struct.Struct("<IIIQQ")
_VIRTUAL_IDS = struct.Struct("<qq")

_OPTIONAL = (
    ("pidns_init_start_ns", struct.Struct("<Q")),
    ("tty", struct.Struct("<I")),
    ("loginuid", struct.Struct("<I")),
    ("exe_writable", struct.Struct("<?")),
    ("cap_inheritable", struct.Struct("<Q")),
    ("cap_permitted", struct.Struct("<Q")),
    ("cap_effective", struct.Struct("<Q")),
    ("exe_upper_layer", struct.Struct("<?")),
    ("exe_ino", struct.Struct("<Q")),
    ("exe_ino_ctime_ns", struct.Struct("<Q")),
    ("exe_ino_mtime_ns", struct.Struct("<Q")),
    ("exe_from_memfd", struct.Struct("<?")),
    ("exe_lower_layer", struct.Struct("<?")),
    ("pgid", struct.Struct("<q")),
)
_BEGINS_AT_LOGINUID_BYTES = 29
"""So few bytes are left only where a development version left out the first two fields."""


def read_process(cursor: Cursor, version: int) -> ProcessEntry:
    """Read the entry at the cursor, which of version 9 ends where the entry does.

    Raises:
        ShortEntryError: the entry is not complete.
    """
    values: dict[str, Any] = {}
    tid, pid, ptid = cursor.numbers(_IDS)
    if version >= 6:
        (values["sid"],) = cursor.numbers(_I64)
    if version >= 8:
        (values["vpgid"],) = cursor.numbers(_I64)
    values["comm"] = cursor.text()
    values["exe"] = cursor.text()
    if version >= 7:
        values["exepath"] = cursor.text()
    values["args"] = cursor.text()
    values["cwd"] = cursor.text()
    owner = ("fdlimit", "flags", "uid", "gid")
    values.update(zip(owner, cursor.numbers(_OWNER), strict=True))
    if version >= 2:
        memory = ("vm_size_kb", "vm_rss_kb", "vm_swap_kb", "major_fault_count", "minor_fault_count")
        values.update(zip(memory, cursor.numbers(_MEMORY), strict=True))
    if version >= 3:
        values["env"] = cursor.text()
    if version >= 4:
        values["vtid"], values["vpid"] = cursor.numbers(_VIRTUAL_IDS)
        values["cgroups"] = cursor.text()
    if version >= 5:
        values["root"] = cursor.text()
    if version >= 9:
        _read_optional(cursor, values)
    return ProcessEntry(tid=tid, pid=pid, ptid=ptid, **values)


def _read_optional(cursor: Cursor, values: dict[str, Any]) -> None:
    fields = _OPTIONAL[2:] if cursor.left_bytes <= _BEGINS_AT_LOGINUID_BYTES else _OPTIONAL
    for name, layout in fields:
        if cursor.left_bytes < layout.size:
            return
        (values[name],) = cursor.numbers(layout)

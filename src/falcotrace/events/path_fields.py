"""Which arguments the fields `fs.path.*` show, by event.

In: nothing. Out: tables for whoever fills these columns.

Source: libs 48dfd53c, userspace/libsinsp/sinsp_filtercheck_fspath.cpp.
"""

from collections.abc import Mapping
from types import MappingProxyType

_MOVED = {"source": "oldpath", "target": "newpath"}
_HARD_LINKED = {"source": "newpath", "target": "oldpath"}
_LINKED = {"source": "linkpath", "target": "target"}

PATH_ARGUMENTS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        **{name: {"name": "path"} for name in ("mkdir", "mkdirat", "rmdir", "unlink")},
        **{name: {"name": "path"} for name in ("chown", "lchown")},
        **{name: {"name": "name"} for name in ("open", "openat", "openat2", "unlinkat")},
        **{name: {"name": "name"} for name in ("umount", "umount2")},
        **{name: {"name": "filename"} for name in ("chmod", "fchmodat")},
        "fchownat": {"name": "pathname"},
        "quotactl": {"name": "special"},
        **dict.fromkeys(("rename", "renameat", "renameat2"), _MOVED),
        **dict.fromkeys(("link", "linkat"), _HARD_LINKED),
        **dict.fromkeys(("symlink", "symlinkat"), _LINKED),
        "mount": {"source": "dev", "target": "dir"},
    }
)
"""Arguments behind name, source and target."""

DESCRIPTOR_EVENTS = frozenset({"fchmod", "fchown"})
"""Events whose path is the name of their descriptor."""

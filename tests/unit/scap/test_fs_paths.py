"""The columns `fs.path.*` and `fdlist.*` of imported events."""

import pytest

from falcotrace.scap.fs_paths import put_fs_paths
from falcotrace.scap.poll_lists import put_fd_lists
from unit.scap.made_batches import MadeState, columns_for, made_batch, poll_list, shown

AT_FDCWD = -100


def _state() -> MadeState:
    descriptors = {3: "<d>/dir", 4: "<f>/file", 5: "<f>/opened/x"}
    return MadeState(cwd="/home/ann/", descriptors=descriptors, own=5)


def _paths(constant: str, **given: object) -> dict[str, object]:
    batch = made_batch((constant, given))
    state = _state()
    columns = columns_for(batch, state)
    put_fs_paths(batch, state, columns)
    found = {path.removeprefix("fs.path."): row for path, (row,) in shown(columns).items()}
    return {path: row for path, row in found.items() if row is not None}


@pytest.mark.parametrize(
    ("constant", "given", "expected"),
    [
        ("SYSCALL_MKDIR_2_X", {"path": "a/../b"}, ("/home/ann/b", "a/../b")),
        ("SYSCALL_UNLINK_2_X", {"path": "/a//b/."}, ("/a/b", "/a//b/.")),
        ("SYSCALL_CHMOD_X", {"filename": "a"}, ("/home/ann/a", "a")),
        ("SYSCALL_UMOUNT2_X", {"name": "/mnt"}, ("/mnt", "/mnt")),
        ("SYSCALL_QUOTACTL_X", {"special": "/dev/sda"}, ("/dev/sda", "/dev/sda")),
        ("SYSCALL_MKDIRAT_X", {"dirfd": 3, "path": "a"}, ("/dir/a", "a")),
        ("SYSCALL_MKDIRAT_X", {"dirfd": 4, "path": "../a"}, ("<UNKNOWN>../a", "../a")),
        ("SYSCALL_FCHMODAT_X", {"dirfd": AT_FDCWD, "filename": "a"}, ("<UNKNOWN>a", "a")),
        ("SYSCALL_UNLINKAT_2_X", {"dirfd": 9, "name": "/a"}, ("/a", "/a")),
    ],
)
def test_one_path(constant: str, given: dict[str, object], expected: tuple[str, str]) -> None:
    """Calls on one path show it absolute and as given; few look at their directory."""
    found = _paths(constant, res=0, **given)
    assert found == {"name": expected[0], "nameraw": expected[1]}


@pytest.mark.parametrize(
    ("constant", "given", "source", "target"),
    [
        ("SYSCALL_RENAME_X", {"oldpath": "a", "newpath": "/b"}, "/home/ann/a", "/b"),
        (
            "SYSCALL_RENAMEAT_X",
            {"olddirfd": 3, "oldpath": "a", "newdirfd": 3, "newpath": "b"},
            "/home/ann/a",
            "/home/ann/b",
        ),
        (
            "SYSCALL_RENAMEAT2_X",
            {"olddirfd": 3, "oldpath": "a", "newdirfd": AT_FDCWD, "newpath": "b"},
            "/dir/a",
            "/home/ann/b",
        ),
        ("SYSCALL_LINK_2_X", {"oldpath": "a", "newpath": "b"}, "/home/ann/b", "/home/ann/a"),
        ("SYSCALL_SYMLINK_X", {"target": "a", "linkpath": "b"}, "/home/ann/b", "/home/ann/a"),
        (
            "SYSCALL_SYMLINKAT_X",
            {"target": "../a", "linkdirfd": 3, "linkpath": "b"},
            "/dir/b",
            "<UNKNOWN>../a",
        ),
        ("SYSCALL_MOUNT_X", {"dev": "none", "dir": "/m"}, "/home/ann/none", "/m"),
    ],
)
def test_two_paths(constant: str, given: dict[str, object], source: str, target: str) -> None:
    """Calls on two paths show both; of links the new name is the source."""
    found = _paths(constant, res=0, **given)
    assert (found["source"], found["target"]) == (source, target)
    assert {"sourceraw", "targetraw"} <= found.keys()


@pytest.mark.parametrize(
    ("constant", "given", "expected"),
    [
        ("SYSCALL_OPEN_X", {"fd": 5, "name": "x"}, "/home/ann/x"),
        ("SYSCALL_OPEN_X", {"fd": -2, "name": "x"}, "/home/ann/x"),
        ("SYSCALL_OPEN_X", {"fd": -1, "name": "x"}, None),
        ("SYSCALL_OPENAT_2_X", {"fd": 5, "dirfd": 3, "name": "x"}, "/opened/x"),
        ("SYSCALL_OPENAT_2_X", {"fd": 5, "dirfd": 3, "name": "/y/./x"}, "/y/x"),
        ("SYSCALL_FCHMOD_X", {"res": 0, "fd": 5}, "/opened/x"),
        ("SYSCALL_FCHMOD_X", {"res": -1, "fd": 5}, None),
        ("SYSCALL_MKDIR_2_X", {"res": -17, "path": "/x"}, None),
        ("SYSCALL_MKDIR_2_X", {"path": "/x"}, None),
        ("SYSCALL_MKDIR_2_X", {"res": 0}, None),
        ("SYSCALL_CREAT_X", {"fd": 5, "name": "/x"}, None),
    ],
)
def test_success(constant: str, given: dict[str, object], expected: str | None) -> None:
    """Only calls that succeeded have a path; opens have one unless the result is -1."""
    assert _paths(constant, **given).get("name") == expected


def test_relative_open_without_a_descriptor() -> None:
    """Where nothing is known of the descriptor the path is unknown, and yet there."""
    batch = made_batch(("SYSCALL_OPENAT2_X", {"fd": -2, "dirfd": 3, "name": "x"}))
    state = MadeState(cwd="/")
    columns = columns_for(batch, state)
    put_fs_paths(batch, state, columns)
    assert shown(columns)["fs.path.name"] == ["<UNKNOWN>"]


def test_lists_of_descriptors() -> None:
    """`fdlist.*` shows numbers, names, and the ends of IP sockets; listening ones are servers."""
    descriptors = {
        0: "<p>",
        3: "<4t>10.0.0.1:5->10.0.0.2:80",
        4: "<6t>::1:5->::2:443",
        5: "<4t>0.0.0.0:22",
        6: "<4>",
        7: "<u>a->b /x",
    }
    state = MadeState(descriptors=descriptors)
    every = poll_list(*((fd, 1) for fd in (0, 3, 4, 5, 6, 7, 9, -1)))
    batch = made_batch(
        ("SYSCALL_POLL_X", {"fds": every}),
        ("SYSCALL_PPOLL_X", {"fds": poll_list((0, 1))}),
        ("SYSCALL_POLL_X", {}),
        ("SYSCALL_POLL_X", {"fds": every}),
        hidden=(3,),
    )
    columns = columns_for(batch, state)
    put_fd_lists(batch, state, columns)
    found = shown(columns)
    assert found["fdlist.nums"] == ["0,3,4,5,6,7,9,-1", "0", None]
    name = "<NA>,10.0.0.1:5->10.0.0.2:80,::1:5->::2:443,0.0.0.0:22,<NA>,a->b /x,<NA>,<NA>"
    assert found["fdlist.names"] == [name, "<NA>", None]
    assert found["fdlist.cips"] == ["10.0.0.1,::1,0.0.0.0", None, None]
    assert found["fdlist.sips"] == ["10.0.0.2,::2,0.0.0.0,0.0.0.0", None, None]
    assert found["fdlist.cports"] == ["5,5,22,0", None, None]
    assert found["fdlist.sports"] == ["80,443,22,0", None, None]

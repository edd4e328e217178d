"""The columns `fs.path.*`."""

import pytest

from unit.record.made_samples import AT_FDCWD, Row, row_of, started, text

PLACES = ("name", "nameraw", "source", "sourceraw", "target", "targetraw")


def _paths(row: Row) -> dict[str, object]:
    return {name: row[f"fs.path.{name}"] for name in PLACES if row[f"fs.path.{name}"] is not None}


@pytest.mark.parametrize(
    ("name", "args", "texts", "paths"),
    [
        ("unlink", [], ["x"], {"name": "/home/ann/x", "nameraw": "x"}),
        ("mkdirat", [AT_FDCWD], ["/x/../y"], {"name": "/y", "nameraw": "/x/../y"}),
        ("chmod", [0, 0o755], ["/x"], {"name": "/x", "nameraw": "/x"}),
        (
            "rename",
            [],
            ["a", "/b"],
            {"source": "/home/ann/a", "sourceraw": "a", "target": "/b", "targetraw": "/b"},
        ),
        (
            "link",
            [],
            ["/old", "/new"],
            {"source": "/new", "sourceraw": "/new", "target": "/old", "targetraw": "/old"},
        ),
        (
            "symlink",
            [],
            ["../x", "/d/link"],
            {"source": "/d/link", "sourceraw": "/d/link", "target": "/x", "targetraw": "../x"},
        ),
        (
            "mount",
            [],
            ["/dev/x", "/mnt", "ext4"],
            {"source": "/dev/x", "sourceraw": "/dev/x", "target": "/mnt", "targetraw": "/mnt"},
        ),
    ],
)
def test_paths(name: str, args: list[int], texts: list[str], paths: dict[str, str]) -> None:
    """One path is the name; of two, links have their new name as the source, as in Falco."""
    stream = started()
    stream.call(name, *args, parts=[text(item) for item in texts])
    assert _paths(row_of(stream)) == paths


def test_failures_have_no_paths() -> None:
    """But opens do unless it is EPERM: Falco compares their result with -1."""
    stream = started()
    stream.call("unlink", ret=-2, parts=[text("x")])
    assert _paths(row_of(stream)) == {}
    stream = started()
    stream.call("open", ret=-2, parts=[text("/x")])
    assert _paths(row_of(stream)) == {"name": "/x", "nameraw": "/x"}
    stream = started()
    stream.call("open", ret=-1, parts=[text("/x")])
    assert _paths(row_of(stream)) == {}


def test_path_of_a_descriptor() -> None:
    """Fchmod's path is its file's name."""
    stream = started()
    stream.file(5, b"/f")
    stream.call("fchmod", 3, 0o600, file_id=5)
    assert _paths(row_of(stream)) == {"name": "/f", "nameraw": "/f"}

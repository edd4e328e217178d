"""Files that somebody wrote to hurt: links, pipes, lengths, depth, anything."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from falcotrace.record.runtimes.container_log import Record
from falcotrace.record.runtimes.containers import Containers
from falcotrace.record.runtimes.description import TEXT_BUDGET, Mount, few_labels, few_mounts
from falcotrace.record.runtimes.document import MOST_BYTES, Document, DocumentError, Place
from falcotrace.record.runtimes.sighting import Host
from falcotrace.record.runtimes.table import look_up
from unit.record.runtimes.state_files import ID, put, sighted


def place(path: Path, owner: int | None = None) -> Place:
    """A folder, of root or in a home."""
    return Place(path, (), owner)


@pytest.mark.parametrize("owner", [None, 0])
def test_links_pipes_and_lengths(tmp_path: Path, owner: int | None) -> None:
    """None of them is read, none of them blocks, each is a problem that is told."""
    (tmp_path / "real.json").write_text("{}")
    (tmp_path / "link.json").symlink_to(tmp_path / "real.json")
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "folder.json").mkdir()
    with (tmp_path / "huge.json").open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    there = place(tmp_path, owner)
    assert there.document("real.json") == Document({})
    for name in ("link.json", "pipe.json", "folder.json", "huge.json"):
        with pytest.raises(DocumentError):
            there.read(name)
    assert there.read("nothing.json") is None
    for name in ("", ".", "..", "a/b", "a\0b"):
        assert there.read(name) is None


def test_no_link_is_followed_in_a_home(tmp_path: Path) -> None:
    """Neither on the way nor at its end; where only root writes, folders may be links."""
    secret = tmp_path / "secret"
    put(secret / "x.json", {"secret": True})
    home = tmp_path / "home"
    home.mkdir()
    (home / "inside").symlink_to(secret)
    trusted = place(tmp_path).inside("home", "inside")
    assert trusted.document("x.json") == Document({"secret": True})
    uid = os.getuid()
    for there in (place(home, uid).inside("inside"), Place(home, ("inside",), uid)):
        assert there.read("x.json") is None
        assert not there.is_there
        assert there.names(9) == []
    assert place(home, uid).read("inside", "x.json") is None


def test_somebody_elses_file_in_a_home(tmp_path: Path) -> None:
    """What neither the user nor root owns was put there by a third."""
    path = put(tmp_path / "x.json", {})
    assert place(tmp_path, os.getuid()).document("x.json") == Document({})
    if os.getuid() == 0:
        os.chown(path, 4242, 4242)
        with pytest.raises(DocumentError, match="somebody else's"):
            place(tmp_path, 1000).read("x.json")
        assert place(tmp_path, 4242).document("x.json") == Document({})


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[" * 200_000, b'{"a": ' + b"9" * 5000 + b"}", b"\xff\xfe", b"nul"]
)
def test_what_is_no_json(raw: bytes) -> None:
    """Broken, deep, with numbers without end: an error of ours."""
    with pytest.raises(DocumentError):
        Document.parse(raw)


def test_bytes_that_are_no_text() -> None:
    """They are kept as captures keep them; halves of characters and NULs go."""
    found = Document.parse(b'{"a": "x\xff", "b": "\\ud800y", "c": "d\\u0000e"}')
    texts = [found.at(name).text for name in "abc"]
    assert texts == ["x\U0010feff", "?y", "d"]
    assert "".join(texts).encode()


def test_mounts_and_labels_have_a_limit() -> None:
    """They stand in each state of each process of a container."""
    mounts = [Mount(source=f"/{number:099}") for number in range(1000)]
    assert len(few_mounts(mounts)) == TEXT_BUDGET // 100
    assert len(few_labels({f"{number:090}": "x" * 10 for number in range(1000)})) == (
        TEXT_BUDGET // 100
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
FILES = {
    f"/docker/{ID}": (
        f"var/lib/docker/containers/{ID}/config.v2.json",
        f"var/lib/docker/containers/{ID}/hostconfig.json",
        "var/lib/docker/image/overlay2/repositories.json",
    ),
    f"/kubepods/cri-containerd-{ID}.scope": (
        f"run/containerd/io.containerd.runtime.v2.task/k8s.io/{ID}/config.json",
    ),
    f"/libpod-{ID}.scope": (
        "var/lib/containers/storage/overlay-containers/containers.json",
        f"var/lib/containers/storage/overlay-containers/{ID}/userdata/config.json",
        "var/lib/containers/storage/overlay-images/images.json",
    ),
    f"/crio-{ID}.scope": (
        f"var/lib/containers/storage/overlay-containers/{ID}/userdata/config.json",
    ),
    "/box": ("run/runc/box/state.json",),
}
KEYS = (
    *("Config", "Labels", "Mounts", "MountPoints", "Name", "Image", "State", "NetworkSettings"),
    *("config", "mounts", "linux", "process", "annotations", "namespaces", "labels", "id", "names"),
    *("capabilities", "mask_paths", "metadata", "Repositories", "cgroup_paths", "seccomp"),
    *("io.kubernetes.cri.sandbox-id", "io.kubernetes.cri-o.ContainerType", "propagation_flags"),
)


@given(st.data())
def test_any_json_is_no_crash(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever stands behind the keys that readers ask for, columns can be made of the answer."""
    root = tmp_path_factory.mktemp("root")
    host = Host(root)
    path = data.draw(st.sampled_from(sorted(FILES)))
    known = st.dictionaries(st.sampled_from(KEYS), JSON | st.dictionaries(st.text(), JSON))
    for name in FILES[path]:
        document = data.draw(known | JSON | st.lists(known))
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(json.dumps(document).encode(errors="surrogatepass"))
    answer = look_up(host, sighted(path))
    if answer.container is not None:
        containers = Containers()
        record = Record(container_id=ID[:12], container=answer.container)
        containers.add(record)
        assert containers.filled <= set(containers.filled)


@given(st.binary(max_size=200))
def test_any_bytes_are_no_crash(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    """Files of any bytes are a problem that is told, or say nothing."""
    root = tmp_path_factory.mktemp("root")
    for path, names in FILES.items():
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(raw)
        look_up(Host(root), sighted(path))

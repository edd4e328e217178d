"""Seeing containers come into runtimes' folders."""

from falcotrace.record.runtimes.folders import StateFolders
from falcotrace.record.runtimes.sighting import Host
from unit.record.runtimes.state_files import ID, SANDBOX, Docker, oci_spec, write_task


def names(folders: StateFolders) -> list[tuple[str, ...]]:
    """What has come: whole ids, or names with their namespaces."""
    return [one.names[0] if one.names else (one.full_id,) for one in folders.take()]


def test_only_what_comes_is_told(host: Host) -> None:
    """Once, in every runtime's folder, also in one that comes itself."""
    Docker(host).write()
    folders = StateFolders(host)
    assert names(folders) == []
    other = Docker(host)
    other.config["ID"] = SANDBOX
    other.write()
    write_task(host, "k8s.io", ID, oci_spec())
    (host.root / "run/runc/box").mkdir(parents=True)
    assert names(folders) == [(SANDBOX,), (ID,), ("", "box")]
    assert names(folders) == []
    write_task(host, "k8s.io", SANDBOX, oci_spec())
    write_task(host, "default", "box", oci_spec())
    assert sorted(names(folders)) == sorted([(SANDBOX,), ("default", "box")])


def test_whole_ids_of_runc_are_left_to_engines(host: Host) -> None:
    """Its folders have those of podman's containers, of which podman knows more."""
    (host.root / "run/runc").mkdir(parents=True)
    folders = StateFolders(host)
    (host.root / "run/runc" / ID).mkdir()
    assert names(folders) == []

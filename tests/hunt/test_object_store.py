"""Hunts in an object store: an S3 server on this machine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from falcotrace.errors import CaptureError, FalcoTraceError
from falcotrace.hunt import Hunt, HuntOptions
from falcotrace.hunt.ledger import Ledger
from falcotrace.hunt.report import Findings
from falcotrace.hunt.targets import find_targets
from falcotrace.rules.shipped import load_plan

SHIPPED = Path(__file__).parents[2] / "captures" / "first_light.parquet"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """A bucket with two captures, a damaged one and another file, found as any user would."""
    import fsspec
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    fsspec.get_filesystem_class("s3").clear_instance_cache()  # they remember their server
    store = fsspec.filesystem("s3", skip_instance_cache=True, use_listings_cache=False)
    name = tmp_path.name.replace("_", "-")  # servers in one process share their buckets
    store.mkdir(name)
    store.put_file(str(SHIPPED), f"{name}/web/a.parquet")
    store.put_file(str(SHIPPED), f"{name}/db/b.parquet")
    store.pipe_file(f"{name}/db/cut.parquet", SHIPPED.read_bytes()[:9000])
    store.pipe_file(f"{name}/notes.txt", b"not a capture")
    yield f"s3://{name}"
    server.stop()


def test_a_bucket_is_hunted(bucket: str, tmp_path: Path) -> None:
    """Folders and patterns of a bucket are found, damaged objects named, done ones not fetched."""
    plan = load_plan()
    targets = find_targets([bucket])
    assert [target.name for target in targets] == [
        f"{bucket}/db/b.parquet",
        f"{bucket}/db/cut.parquet",
        f"{bucket}/web/a.parquet",
    ]
    assert [t.name for t in find_targets([f"{bucket}/we*/*.parquet"])] == [targets[2].name]
    hunt = Hunt(plan, targets, HuntOptions())
    read: list[str] = []
    for _ in range(2):
        with Ledger(tmp_path / "state", hunt.digest) as ledger:
            hunt.run(ledger, lambda progress: read.append(progress.file))
            findings = Findings(ledger, plan, [target.text for target in targets])
            alerts = [(a.capture, a.rule.name, a.num) for a in findings.alerts()]
            report = findings.report()
    assert [one.file for one in report.with_status("failed")] == [f"{bucket}/db/cut.parquet"]
    assert {file for file, _, _ in alerts} == {targets[0].name, targets[2].name}
    assert len(alerts) == len(set(alerts)) > 20
    # What failed is tried again, what was hunted is not.
    assert sorted(read) == sorted([*(target.name for target in targets), targets[1].name])


def test_a_store_that_fails_is_an_error_for_people(bucket: str) -> None:
    """No bucket, no object, no such kind of store: one line each, which names the URL."""
    for url in ("s3://nowhere/x.parquet", f"{bucket}/none/*.parquet", "nonsense://a/b"):
        with pytest.raises((CaptureError, FalcoTraceError)) as caught:
            find_targets([url])
        assert url in str(caught.value)
        assert "\n" not in str(caught.value)

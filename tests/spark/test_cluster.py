"""Two executors, each a process of its own, answer what one machine answers."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from falcotrace.engines.spark import SparkEngine
from spark.conftest import java_or_skip
from spark.test_engine import REPOSITORY, SHIPPED, by_replay, load, without_times

COPIES = 6


@pytest.fixture(scope="module")
def cluster() -> Iterator[SparkEngine]:
    """A master and two workers with an executor of one core and 1 GiB each, on this machine."""
    java_or_skip()
    with SparkEngine("local-cluster[2,1,1024]", {"spark.sql.files.maxPartitionBytes": "1m"}) as it:
        yield it


def test_cluster_agrees_with_replay(cluster: SparkEngine, tmp_path: Path) -> None:
    """The shipped rules over copies of the shipped capture, shared out to both executors."""
    paths = [tmp_path / f"host {number}.parquet" for number in range(COPIES)]
    for path in paths:
        shutil.copy(SHIPPED, path)
    plan = load(sorted((REPOSITORY / "rules").glob("*.yaml")))
    found = without_times(list(cluster.matches(plan, paths)))
    wanted = by_replay(plan, paths[:1])
    assert found == [(str(path), rule, num) for path in paths for _, rule, num in wanted]
    assert len(found) > 10 * COPIES
    processes = (
        cluster.session.range(0, 64, numPartitions=8)
        .selectExpr("java_method('java.lang.ProcessHandle', 'current') AS process")
        .distinct()
        .count()
    )
    assert processes == 2

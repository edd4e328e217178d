"""Spark for tests: one for each module, for it takes seconds to start."""

import os
import shutil
from collections.abc import Iterator

import pytest

from falcotrace.engines.spark import SparkEngine


def java_or_skip() -> None:
    """Skip where there is no Java; where CI=true that would hide a failure."""
    if shutil.which("java") or "JAVA_HOME" in os.environ:
        return
    message = "needs Java 17 (Debian: openjdk-17-jre-headless)"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="module")
def engine() -> Iterator[SparkEngine]:
    """Spark on two cores of this machine."""
    java_or_skip()
    with SparkEngine("local[2]") as engine:
        yield engine

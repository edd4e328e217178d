"""A root of a file system in which a test puts a runtime's files."""

from pathlib import Path

import pytest

from falcotrace.record.runtimes.sighting import Host


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host without any runtime, and a home of uid 1000."""
    home = tmp_path / "home/ann"
    home.mkdir(parents=True)
    return Host(tmp_path, {1000: "/home/ann"})

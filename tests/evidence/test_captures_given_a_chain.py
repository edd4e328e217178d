"""Captures from before there were chains are given one without a change to what they hold."""

import importlib.util
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from chained_captures import CAPTURES, Layout, write_unchained
from falcotrace.capture.footer import Chained
from falcotrace.capture.reader import open_capture, read_footer
from falcotrace.errors import CaptureError
from falcotrace.events.columns import COLUMNS
from falcotrace.evidence.findings import Status
from falcotrace.evidence.verify import verify_capture

SHIPPED = sorted(path.name for path in CAPTURES.glob("*.parquet"))


@pytest.fixture(scope="module")
def chain() -> ModuleType:
    """The script that does it."""
    spec = importlib.util.spec_from_file_location("chain", CAPTURES / "make" / "chain.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_events_stay_as_they_were(chain: ModuleType, tmp_path: Path) -> None:
    """Row groups byte for byte, the footer but for the word that there is a chain."""
    old, new = tmp_path / "old.parquet", tmp_path / "new.parquet"
    write_unchained(CAPTURES / "shop_network.parquet", old, 3)
    new.write_bytes(chain.with_chain(old))
    verdict = verify_capture(new)
    assert (verdict.status, verdict.row_group_count) == (Status.INTACT, 3)
    end = Layout(new.read_bytes()).chain
    assert new.read_bytes()[:end] == old.read_bytes()[:end]
    expected = msgspec.structs.replace(read_footer(old), chained=Chained())
    assert read_footer(new) == expected
    with open_capture(old) as before, open_capture(new) as after:
        for group in before.row_groups:
            assert before.read(group.index, list(COLUMNS)) == after.read(group.index, list(COLUMNS))
    with pytest.raises(CaptureError, match="has a chain"):
        chain.with_chain(new)


@pytest.mark.parametrize("name", SHIPPED)
def test_what_ships_is_as_it_was_sealed(name: str) -> None:
    """Where a capture that ships has a chain."""
    assert verify_capture(CAPTURES / name).status is not Status.CHANGED

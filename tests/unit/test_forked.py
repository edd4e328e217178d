"""Work in processes of its own gives what work here would give, and leaves nothing behind."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from falcotrace.errors import CaptureError, EndedError, RecordError, UnsupportedError
from falcotrace.forked import Forked, forked_map


def always(_: object) -> bool:
    """Every item is worth a process."""
    return True


def all_children() -> set[int]:
    """Processes of this one that nobody has waited for."""
    task = Path(f"/proc/self/task/{os.getpid()}/children")
    return {int(pid) for pid in task.read_text().split()}


BEFORE: set[int] = set()


@pytest.fixture(autouse=True)
def _others() -> None:
    """What other tests have left is theirs."""
    BEFORE.clear()
    BEFORE.update(all_children())


def children() -> list[int]:
    """Processes that a test has made and nobody has waited for."""
    return sorted(all_children() - BEFORE)


def test_results_come_in_the_order_of_items_whoever_works() -> None:
    """A slow first item delays what follows and does not change places with it."""

    def work(item: int) -> tuple[int, bool]:
        return item * item, os.getpid() == parent

    parent = os.getpid()
    found = list(forked_map(work, range(7), is_worthwhile=lambda item: item % 3 != 2, limit=2))
    assert [item for item, _ in found] == list(range(7))
    assert [square for _, (square, _) in found] == [item * item for item in range(7)]
    assert [is_here for _, (_, is_here) in found] == [item % 3 == 2 for item in range(7)]
    assert children() == []


def test_with_one_core_nothing_is_forked() -> None:
    """A limit of one means this process."""
    pids = {
        pid for _, pid in forked_map(lambda _: os.getpid(), "ab", is_worthwhile=always, limit=1)
    }
    assert pids == {os.getpid()}


@pytest.mark.parametrize(
    "error",
    [
        CaptureError(Path("a.scap"), "is damaged"),
        RecordError("no", "hint", 13),
        UnsupportedError("x", "y"),
        KeyError("k"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_arrives_as_it_was_raised(error: Exception) -> None:
    """Callers catch the same errors and read the same text."""

    def work() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        Forked(work).result()
    assert str(caught.value) == str(error)
    assert vars(caught.value) == vars(error)


def test_an_error_that_cannot_be_sent_is_told_in_words() -> None:
    """What went wrong is never lost."""

    class Odd(Exception):  # noqa: N818 - it is a class of this function, so it cannot be pickled
        pass

    def work() -> None:
        raise Odd("so it was")

    with pytest.raises(RuntimeError, match="Odd: so it was"):
        Forked(work).result()


def test_a_process_that_is_killed_is_an_error_in_one_line() -> None:
    """The kernel ends processes when memory runs out; the result must not be taken for nothing."""
    forked = Forked(lambda: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(EndedError, match="by signal 9"):
        forked.result()
    assert children() == []


def test_leaving_early_ends_what_is_under_way() -> None:
    """An error or an interruption leaves no process behind."""

    def endless() -> Iterator[int]:
        number = 0
        while True:
            yield number
            number += 1

    def work(item: int) -> int:
        if item:
            signal.pause()
        return item

    results = forked_map(work, endless(), is_worthwhile=always, limit=3)
    assert next(results) == (0, 0)
    assert children()
    results.close()
    assert children() == []

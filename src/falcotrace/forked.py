"""Work in processes of its own: what Python computes there does not wait for the interpreter here.

In: a function without arguments; everything that it uses is what it was when the process was
forked, so nothing is copied or sent. Out: what it returns, which must survive being pickled.
"""

import gc
import os
import pickle
import signal
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable
from functools import partial
from typing import Generic, NoReturn, TypeVar

from falcotrace.errors import EndedError

Item = TypeVar("Item")
Result = TypeVar("Result")


class Forked(Generic[Result]):
    """A function that runs in a process of its own.

    Where no process can be had, it has run here when this has been made.
    """

    def __init__(self, work: Callable[[], Result]) -> None:
        self._pid = 0
        self._answer = os.memfd_create("falcotrace")
        try:
            # Output that is waiting to be written must not be written by both processes.
            sys.stdout.flush()
            sys.stderr.flush()
            self._pid = os.fork()
        except OSError:
            _answer(work, self._answer)
            return
        if not self._pid:
            _run(work, self._answer)

    def result(self) -> Result:
        """What the function returned; waits for it. To be asked once.

        Raises:
            Anything that the function raised.
            EndedError: the process was ended from outside.
        """
        try:
            exit_code = self._wait()
            if exit_code:
                raise EndedError(exit_code)
            os.lseek(self._answer, 0, os.SEEK_SET)
            with os.fdopen(os.dup(self._answer), "rb") as file:
                returned, error = pickle.load(file)  # noqa: S301 - our own process wrote it
        finally:
            os.close(self._answer)
        if error is not None:
            raise error
        found: Result = returned
        return found

    def cancel(self) -> None:
        """End the process; its result will not be asked for."""
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
        self._wait()
        os.close(self._answer)

    def _wait(self) -> int:
        if not self._pid:
            return 0
        pid, self._pid = self._pid, 0
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _run(work: Callable[[], object], answer: int) -> NoReturn:
    """What the new process does."""
    try:
        # Whoever interrupts the terminal interrupts the process that waits for this one.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        # Collecting would touch, and so copy, every page of what is shared.
        gc.disable()
        _answer(work, answer)
        os._exit(0)
    finally:
        os._exit(1)


def _answer(work: Callable[[], object], answer: int) -> None:
    try:
        outcome = pickle.dumps((work(), None), protocol=5)
    except Exception as error:  # noqa: BLE001 - raised again where the result is asked for
        try:
            outcome = pickle.dumps((None, error))
            pickle.loads(outcome)  # noqa: S301 - made one line above
        except Exception:  # noqa: BLE001 - an exception that cannot be sent is told in words
            outcome = pickle.dumps((None, RuntimeError(f"{type(error).__name__}: {error}")))
    with os.fdopen(os.dup(answer), "wb") as file:
        file.write(outcome)


def forked_map(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    is_worthwhile: Callable[[Item], bool],
    limit: int | None = None,
) -> Generator[tuple[Item, Result], None, None]:
    """Do something with each item, several at once; yields items with results, in their order.

    The next item is made while earlier ones are worked on, so that making and working go on side by
    side.

    Args:
        work: what to do.
        items: what with.
        is_worthwhile: whether an item is worth a process of its own; others are done here.
        limit: how many processes at once; as many as there are cores by default. With one,
            everything is done here.

    Raises:
        Anything that `work` or `items` raises.
        EndedError: a process was ended from outside.
    """
    limit = limit or len(os.sched_getaffinity(0))
    pending: deque[tuple[Item, Forked[Result]]] = deque()
    try:
        for item in items:
            is_forked = limit > 1 and is_worthwhile(item)
            while len(pending) >= (limit if is_forked else 1):
                done, forked = pending.popleft()
                yield done, forked.result()
            if is_forked:
                pending.append((item, Forked(partial(work, item))))
            else:
                yield item, work(item)
        while pending:
            done, forked = pending.popleft()
            yield done, forked.result()
    finally:
        for _, forked in pending:
            forked.cancel()

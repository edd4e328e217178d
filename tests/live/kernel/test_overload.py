"""When the ring fills, what tells least is left out first, and the account says what it was."""

import contextlib
import os
import socket
from collections.abc import Callable

import pytest

from falcotrace.record.layout import CallClass, PartFlag
from live.kernel.recording import Recorder, Recording

pytestmark = pytest.mark.live

RING_BYTES = 1 << 20
EVENT_BYTES = 96 + 8
TELLING = 200


def telling_calls() -> None:
    """What must never be left out: opens, credentials, processes, connections."""
    for number in range(TELLING):
        with contextlib.suppress(OSError):
            os.open(f"/nowhere/{number}", os.O_RDONLY)
    os.setgid(os.getgid())
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
    with socket.socket() as client, contextlib.suppress(OSError):
        client.connect(("127.0.0.1", 9))


def assert_telling_calls_are_there(got: Recording) -> None:
    """All of them, in their order."""
    names = [call["parts"][0][2] for call in got.calls("openat") if call["parts"]]
    assert [name for name in names if name.startswith(b"/nowhere/")] == [
        f"/nowhere/{number}".encode() for number in range(TELLING)
    ]
    for name in ("setgid", "wait4", "socket", "connect"):
        assert len(got.calls(name)) == 1, name


def test_reads_and_writes_make_room_for_others(new_recorder: Callable[..., Recorder]) -> None:
    """A quarter of the ring is left for events that tell more, whatever came before them."""
    recorder = new_recorder(ring_bytes=RING_BYTES)
    transfers = 2 * RING_BYTES // EVENT_BYTES

    def work() -> None:
        zero, null = os.open("/dev/zero", os.O_RDONLY), os.open("/dev/null", os.O_WRONLY)
        for _ in range(transfers):
            os.write(null, b"x")
        telling_calls()
        for _ in range(transfers):
            os.read(zero, 1)

    before = recorder.session.read_losses()
    got = recorder.run(work)
    losses = recorder.session.read_losses()
    assert before.lost_events == 0
    assert_telling_calls_are_there(got)
    kept = len(got.calls("write")) + len(got.calls("read"))
    assert 0.6 * RING_BYTES < kept * EVENT_BYTES < 0.8 * RING_BYTES
    assert losses.lost_events == losses.shed_events
    assert 0 <= losses.shed_events - (2 * transfers - kept) < 5  # waits, and what forked it reads
    lost = {kind for kind, count in losses.lost_by_class.items() if count}
    assert lost <= {CallClass.TRANSFER, CallClass.WAIT}


def test_contents_make_room_before_events_do(new_recorder: Callable[..., Recorder]) -> None:
    """The events stay, their contents are marked as left out and counted."""
    recorder = new_recorder(ring_bytes=RING_BYTES, data_bytes=1000)
    writes = 1200

    def work() -> None:
        null = os.open("/dev/null", os.O_WRONLY)
        for number in range(writes):
            os.write(null, number.to_bytes(4, "little") * 250)
        telling_calls()

    got = recorder.run(work)
    losses = recorder.session.read_losses()
    assert losses.lost_events == 0
    assert_telling_calls_are_there(got)
    parts = [call["parts"][0] for call in got.calls("write")]
    assert len(parts) == writes
    shed = [flags == PartFlag.SHED for _, flags, _ in parts]
    first = shed.index(True)
    assert all(shed[first:])
    assert 0.4 * RING_BYTES < first * 1000 < 0.6 * RING_BYTES
    for number, (_, flags, data) in enumerate(parts):
        assert data == (b"" if flags else number.to_bytes(4, "little") * 250)
    assert losses.shed_parts == sum(shed)


def test_a_ring_that_is_full_to_the_brim(new_recorder: Callable[..., Recorder]) -> None:
    """Then anything is lost, and counted under what it was about."""
    recorder = new_recorder(ring_bytes=64 << 10)
    opens = 2000

    def work() -> None:
        for number in range(opens):
            with contextlib.suppress(OSError):
                os.open(f"/nowhere/{number}", os.O_RDONLY)

    got = recorder.run(work)
    losses = recorder.session.read_losses()
    lost = losses.lost_by_class
    found = [call for call in got.calls("openat") if call["ret"] == -2]
    assert 0 < len(found) < opens
    assert lost[CallClass.FILE] == opens - len(found)
    assert sum(lost.values()) == losses.lost_events > losses.shed_events

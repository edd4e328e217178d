"""Sessions: nothing is lost silently, and what was lost does no lasting harm."""

import os
import subprocess
import time
from collections.abc import Callable

import pytest

from falcotrace.errors import RecordError
from falcotrace.record.layout import SampleType
from falcotrace.record.ring import Batch
from falcotrace.record.session import KernelSession, SessionSettings
from live.kernel.recording import Recorder, Recording, assert_account, count_types

pytestmark = pytest.mark.live

DD = ["dd", "if=/dev/zero", "of=/dev/null", "bs=1"]


def _drain(session: KernelSession) -> list[Batch]:
    batches = []
    while len(batch := session.poll()):
        batches.append(batch)
    return batches


def _run(arguments: list[str]) -> None:
    subprocess.run(arguments, stderr=subprocess.DEVNULL, check=True)


def test_account_is_exact() -> None:
    """Polled samples plus lost ones are those that were made, for each type."""
    with KernelSession(SessionSettings(ring_bytes=64 << 20)) as session:
        session.start()
        _run([*DD, "count=100000"])
        session.stop()
        polled = count_types(_drain(session))
        losses = session.read_losses()
    assert losses.lost_events == 0
    assert polled[SampleType.EVENT] >= 200_000
    for kind in SampleType:
        assert polled[kind] == losses.made[kind], kind


def test_losses_are_counted_exactly() -> None:
    """A ring that is far too small loses, and the account still adds up, by type and by CPU."""
    with KernelSession(SessionSettings(ring_bytes=64 << 10)) as session:
        session.start()
        _run([*DD, "count=20000"])
        session.stop()
        polled = count_types(_drain(session))
        losses = session.read_losses()
    assert losses.lost_events > 30_000
    assert sum(losses.lost_by_cpu) == losses.lost_events
    for kind in SampleType:
        assert polled[kind] + losses.lost[kind] == losses.made[kind], kind


def test_descriptions_follow_when_there_is_room_again() -> None:
    """What was lost of a process and its files is told again, with the number that events name."""
    with KernelSession(SessionSettings(ring_bytes=64 << 10)) as session:
        session.start()
        script = "while read -r line; do :; done; exec 3</etc/hostname; read -r x <&3; ulimit -n"
        with subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE) as shell:
            assert shell.stdin is not None
            _run([*DD, "count=5000"])  # fills the ring while the shell is described
            shell.stdin.write(b"line\n" * 100)
            shell.stdin.flush()
            time.sleep(0.1)
            batches = _drain(session)
            shell.stdin.close()
            time.sleep(0.2)
            later = _drain(session)
        session.stop()
        later += _drain(session)
        losses = session.read_losses()
    got, with_room = Recording(), Recording()
    for batch in batches:
        got.add(batch)
    for batch in later:
        got.add(batch)
        with_room.add(batch)
    assert losses.lost[SampleType.PROCESS] or losses.lost[SampleType.IMAGE]
    described = {sample["process_id"] for sample in got.of(SampleType.PROCESS)}
    events = [sample for _, sample in with_room.samples if "nr" in sample]
    assert {sample["process_id"] for sample in events} <= described | {0}
    mine = [s for s in got.of(SampleType.PROCESS) if s["pid"] == shell.pid]
    images = {sample["image_id"]: sample for sample in got.of(SampleType.IMAGE)}
    assert script.encode() in images[mine[-1]["image_id"]]["argv"]


def test_account_with_many_cpus_at_once() -> None:
    """Concurrent writers on all CPUs neither lose samples nor break the chain of headers."""
    with KernelSession(SessionSettings(ring_bytes=8 << 20)) as session:
        session.start()
        workers = [
            subprocess.Popen([*DD, "count=150000"], stderr=subprocess.DEVNULL)
            for _ in range(os.cpu_count() or 1)
        ]
        batches = []
        while any(worker.poll() is None for worker in workers):
            batches.append(session.poll())
        session.stop()
        batches += _drain(session)
        polled = count_types(batches)
        losses = session.read_losses()
    for kind in SampleType:
        assert polled[kind] + losses.lost[kind] == losses.made[kind], kind


def test_descriptions_come_before_their_first_use(new_recorder: Callable[..., Recorder]) -> None:
    """With room in the ring, whatever an event names was told earlier in the stream."""

    def work() -> None:
        for _ in range(5):
            pid = os.fork()
            if not pid:
                os.chdir("/")
                os.execv("/usr/bin/true", ["true"])
            os.waitpid(pid, 0)
            os.close(os.open("/etc/passwd", os.O_RDONLY))

    recorder = new_recorder()
    stream = list(recorder.existing.samples)
    new = recorder.run(work).samples
    stream += [item for item in new if item not in stream]
    processes, files, images = {0}, {0}, {0}
    for kind, sample in stream:
        match kind:
            case SampleType.EVENT | SampleType.EVENT_DATA:
                assert sample["process_id"] in processes
                assert sample["file_id"] in files
            case SampleType.PROCESS:
                assert sample["image_id"] in images
                assert set(sample["std_file_id"]) <= files
                processes.add(sample["process_id"])
            case SampleType.FILE:
                files.add(sample["file_id"])
            case SampleType.IMAGE:
                images.add(sample["image_id"])
    assert len(images) > 5


def test_samples_of_a_stopped_session_are_complete(new_recorder: Callable[..., Recorder]) -> None:
    """After stop nothing more comes, and the account does not change."""
    recorder = new_recorder()
    recorder.run(os.getppid)
    recorder.session.stop()
    _drain(recorder.session)
    before = recorder.session.read_losses()
    os.getppid()
    assert not len(recorder.session.poll())
    assert recorder.session.read_losses() == before


def test_refusal_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the kernel refuses, the error says so and the verifier's words are kept."""
    from falcotrace.record import session as module

    read = module._read_object
    monkeypatch.setattr(module, "_read_object", lambda arch: read("aarch64"))
    with pytest.raises(RecordError) as caught:
        KernelSession(SessionSettings())
    assert "refused" in str(caught.value)
    assert caught.value.hint


def test_ring_size_must_be_possible() -> None:
    """A ring that is no power of two is refused with a reason."""
    with pytest.raises(RecordError):
        KernelSession(SessionSettings(ring_bytes=100_000))


def test_account_helper_agrees(new_recorder: Callable[..., Recorder]) -> None:
    """A session that follows one process accounts for it the same way."""
    recorder = new_recorder()
    batches = _drain(recorder.session)
    counts = {
        kind: sum(found is kind for found, _ in recorder.existing.samples) for kind in SampleType
    }
    for kind, count in count_types(batches).items():
        counts[kind] += count
    assert_account(recorder, counts)

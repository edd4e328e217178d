"""What the live tests share: a session that records one child, and its samples as mappings."""

import faulthandler
import gc
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from falcotrace.record.layout import SAMPLES, STRINGS, PartKind, SampleType
from falcotrace.record.ring import Batch
from falcotrace.record.session import KernelSession, SessionSettings
from falcotrace.record.syscalls import syscalls_by_number

ARCH = os.uname().machine
Sample = dict[str, Any]


def decode(batch: Batch) -> Iterator[tuple[SampleType, Sample]]:
    """Turn samples into mappings, strings and parts included."""
    for start in batch.starts.tolist():
        kind = SampleType(int(batch.raw[start + 4]))
        layout = SAMPLES[kind]
        at = start + layout.itemsize
        fixed = batch.raw[start:at].view(layout)[0]
        sample = {name: fixed[name].tolist() for name in layout.names or ()}
        for name in STRINGS.get(kind, ()):
            sample[name.removesuffix("_len")] = batch.raw[at : at + sample[name]].tobytes()
            at += sample[name]
        if kind is SampleType.EVENT_DATA:
            sample["parts"] = []
            for length, part_kind, flags in sample["part"]:
                if part_kind:
                    data = batch.raw[at : at + length].tobytes()
                    sample["parts"].append((PartKind(part_kind), flags, data))
                    at += length
        yield kind, sample


class Recording:
    """What was recorded of one child, by kind of sample."""

    def __init__(self) -> None:
        self.samples: list[tuple[SampleType, Sample]] = []
        self.pid = 0
        self.status = 0

    def add(self, batch: Batch) -> None:
        """Take in a batch."""
        self.samples += decode(batch)

    def of(self, kind: SampleType) -> list[Sample]:
        """All samples of a kind."""
        return [sample for found, sample in self.samples if found is kind]

    def calls(self, name: str) -> list[Sample]:
        """The events of one system call, in order, made by the child or its descendants."""
        number = {call.name: nr for nr, call in syscalls_by_number(ARCH).items()}[name]
        events = (SampleType.EVENT, SampleType.EVENT_DATA)
        return [
            sample
            for kind, sample in self.samples
            if kind in events and sample["nr"] == number and not sample["flags"] & 1
        ]

    def call(self, name: str, **wanted: int) -> Sample:
        """The last event of a call whose members have these values (`a0` ... are arguments)."""
        found = [
            sample
            for sample in self.calls(name)
            if all(_member(sample, key) == value for key, value in wanted.items())
        ]
        assert found, f"no {name} with {wanted} among {len(self.calls(name))}"
        return found[-1]

    def process(self, event: Sample) -> Sample:
        """The thread's state that the event names."""
        return _only(self.of(SampleType.PROCESS), "process_id", event["process_id"])

    def image(self, event: Sample) -> Sample:
        """The program of the event's thread."""
        return _only(self.of(SampleType.IMAGE), "image_id", self.process(event)["image_id"])

    def file(self, file_id: int) -> Sample:
        """An open file by its number."""
        return _only(self.of(SampleType.FILE), "file_id", file_id)


def _member(sample: Sample, key: str) -> int:
    if key[0] == "a" and key[1:].isdigit():
        value: int = sample["args"][int(key[1:])]
        return value
    found: int = sample[key]
    return found


def _only(samples: list[Sample], key: str, value: int) -> Sample:
    found = [sample for sample in samples if sample[key] == value]
    assert len(found) == 1, f"{len(found)} samples with {key} {value}"
    return found[0]


_SHARED = (SampleType.FILE, SampleType.IMAGE, SampleType.CGROUPS)
"""Descriptions that later recordings of the same session refer to."""


class Recorder:
    """A session, and the way to record a function in a child process."""

    def __init__(self, settings: SessionSettings) -> None:
        self.session = KernelSession(settings)
        self.session.start()
        self.existing = Recording()
        self._drain(self.existing)

    def _drain(self, recording: Recording) -> None:
        while len(batch := self.session.poll()):
            recording.add(batch)

    def run(self, function: Callable[[], object]) -> Recording:
        """Run the function in a forked child and return what was recorded of it."""
        recording = Recording()
        known = list(self.existing.samples)
        reader, writer = os.pipe()
        pid = os.fork()
        if not pid:
            _be_child(reader, writer, function)
        os.close(reader)
        self.session.follow(pid)
        os.write(writer, b"x")
        os.close(writer)
        recording.pid = pid
        recording.status = os.waitpid(pid, 0)[1]
        time.sleep(0.02)
        self._drain(recording)
        shared = [item for item in recording.samples if item[0] in _SHARED]
        recording.samples = [item for item in known if item[0] in _SHARED] + recording.samples
        self.existing.samples += shared
        status = recording.status
        assert status == 0, f"the child's traceback is above; its wait status is {status:#x}"
        return recording

    def close(self) -> None:
        """End the session; the account must be complete."""
        self.session.stop()
        self.session.close()


def _be_child(reader: int, writer: int, function: Callable[[], object]) -> None:
    code = 1
    gc.disable()  # what other tests left is not closed here, in the middle of what is recorded
    try:
        faulthandler.register(signal.SIGALRM, file=2, chain=True)
        signal.alarm(30)
        os.close(writer)
        os.read(reader, 1)
        os.close(reader)
        function()
        code = 0
    except BaseException:  # noqa: BLE001 - the parent must not see this process return
        traceback.print_exc(file=sys.__stderr__)
    finally:
        os._exit(code)


def part(event: Sample, kind: PartKind, index: int = 0) -> bytes:
    """The bytes of an event's n-th part of a kind."""
    data: bytes = [data for found, _, data in event["parts"] if found is kind][index]
    return data


def strings(event: Sample) -> list[bytes]:
    """The strings of an event, in their order."""
    return [data for kind, _, data in event["parts"] if kind is PartKind.STRING]


def assert_account(recorder: Recorder, polled: dict[SampleType, int]) -> None:
    """What was polled and what was lost must be what was made."""
    losses = recorder.session.read_losses()
    for kind in SampleType:
        assert polled.get(kind, 0) + losses.lost[kind] == losses.made[kind], kind


def count_types(batches: list[Batch]) -> dict[SampleType, int]:
    """How many samples of each type there are."""
    counts = np.zeros(256, np.int64)
    for batch in batches:
        counts += np.bincount(batch.raw[batch.starts + 4], minlength=256)
    return {kind: int(counts[kind]) for kind in SampleType}

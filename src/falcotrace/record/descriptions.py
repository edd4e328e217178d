"""Takes descriptions out of samples: programs, control groups, open files, states of threads.

A loop for each description, of files each distinct one, none for each event. What they describe is
kept by `Processes` and `OpenFiles`.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from falcotrace.capture.text_pool import distinct_bytes
from falcotrace.events.text import to_text
from falcotrace.record.files import OpenFiles
from falcotrace.record.layout import FILE, HeaderFlag, ImageFlag, ProcessFlag, SampleType
from falcotrace.record.open_file import DESCRIBING_MEMBERS, describe_file
from falcotrace.record.processes import Processes
from falcotrace.record.samples import SampleBlock
from falcotrace.record.states import NO_IMAGE, NUMBERS, Image, State


def take_images(block: SampleBlock, processes: Processes) -> None:
    """Take in programs that were put into execution."""
    fixed = block.fixed(SampleType.IMAGE)
    spans = block.string_spans(SampleType.IMAGE, fixed)
    for index, sample in enumerate(fixed):
        filename, exepath, _interpreter, argv, env = (
            (int(span[index, 0]), int(span[index, 1])) for span in spans
        )
        processes.images[int(sample["image_id"])] = Image(
            filename=block.text(*filename),
            exepath=_executable_path(block.text(*exepath), int(sample["image_flags"])),
            argv=block.items(*argv),
            env=block.items(*env),
            ino=int(sample["ino"]),
            ctime_ns=int(sample["ctime_ns"]),
            mtime_ns=int(sample["mtime_ns"]),
            flags=int(sample["image_flags"]),
        )


def _executable_path(path: str, flags: int) -> str:
    """`proc.exepath`: of what was executed from memory its name, which is in no directory."""
    path = path.removesuffix(" (deleted)")
    return path.removeprefix("/") if flags & ImageFlag.MEMFD else path


def take_control_groups(block: SampleBlock, processes: Processes) -> None:
    """Take in sets of control groups."""
    processes.cgroups.update(control_groups_of(block))


def control_groups_of(block: SampleBlock) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Sets of control groups: numbers, and `subsystem=path` texts with the v2 path last."""
    fixed = block.fixed(SampleType.CGROUPS)
    paths, default = block.string_spans(SampleType.CGROUPS, fixed)
    for index, sample in enumerate(fixed):
        items = block.items(int(paths[index, 0]), int(paths[index, 1]))
        unified = block.text(int(default[index, 0]), int(default[index, 1]))
        groups = (*items, f"={unified}") if unified else items
        yield int(sample["cgroups_id"]), groups


def take_files(block: SampleBlock, files: OpenFiles) -> None:
    """Take in open files; what is said of several in the same words is read once."""
    fixed = block.fixed(SampleType.FILE)
    if not len(fixed):
        return
    path, name = block.string_spans(SampleType.FILE, fixed)
    first, which = _alike(block, fixed, (path, name))
    described = [
        describe_file(
            fixed[index],
            block.text(int(path[index, 0]), int(path[index, 1])),
            block.text(int(name[index, 0]), int(name[index, 1])),
        )
        for index in first.tolist()
    ]
    files.add(fixed["file_id"].astype(np.int64), described, which)


def _alike(
    block: SampleBlock, fixed: np.ndarray, strings: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Of samples that say the same of a file the first, and for each sample which that is."""
    said = np.zeros(len(fixed), [(member, FILE[member]) for member in DESCRIBING_MEMBERS])
    for member in DESCRIBING_MEMBERS:
        said[member] = fixed[member]
    said["flags"] &= np.uint8(HeaderFlag.SNAPSHOT)
    texts = [distinct_bytes(block.data, *span.T)[1] for span in strings]
    parts = [said.view(np.uint8).reshape(len(said), -1)]
    parts += [np.ascontiguousarray(text, np.int64).view(np.uint8).reshape(-1, 8) for text in texts]
    rows = np.ascontiguousarray(np.concatenate(parts, axis=1))
    whole = rows.view(np.dtype((np.void, rows.shape[1]))).reshape(-1)
    _, first, which = np.unique(whole, return_index=True, return_inverse=True)
    return first, which


def take_processes(block: SampleBlock, processes: Processes) -> None:
    """Take in states of threads and their ends, in the order of the stream."""
    fixed = block.fixed(SampleType.PROCESS)
    cwd, root = block.string_spans(SampleType.PROCESS, fixed)
    positions = block.positions(SampleType.PROCESS).tolist()
    ends = block.fixed(SampleType.EXIT)
    end_positions = block.positions(SampleType.EXIT).tolist()
    ended = 0
    for index, sample in enumerate(fixed):
        while ended < len(ends) and end_positions[ended] < positions[index]:
            _end(ends[ended], processes)
            ended += 1
        state = _state(
            sample,
            processes,
            block.text(int(cwd[index, 0]), int(cwd[index, 1])),
            block.text(int(root[index, 0]), int(root[index, 1])),
        )
        processes.add_state(state, positions[index])
    for sample in ends[ended:]:
        _end(sample, processes)


def _end(sample: np.void, processes: Processes) -> None:
    processes.end_thread(int(sample["process_id"]), group_dead=bool(sample["group_dead"]))


def _state(sample: np.void, processes: Processes, cwd: str, root: str) -> State:
    image_id = int(sample["image_id"])
    flags = int(sample["process_flags"])
    return State(
        process_id=int(sample["process_id"]),
        identity=(int(sample["pid"]), int(sample["pid_start_ns"])),
        parent=(int(sample["ppid"]), int(sample["ppid_start_ns"])),
        image=processes.images.get(image_id, NO_IMAGE),
        image_id=image_id,
        cgroups=processes.cgroups.get(int(sample["cgroups_id"]), ()),
        cgroups_id=int(sample["cgroups_id"]),
        numbers=tuple(int(sample[name]) for name in NUMBERS),
        comm=to_text(bytes(sample["comm"])),
        thread_comm=to_text(bytes(sample["thread_comm"])),
        cwd=cwd,
        root=root if flags & ProcessFlag.CHROOT else "",
        std_files=tuple(sample["std_file_id"].tolist()),
    )

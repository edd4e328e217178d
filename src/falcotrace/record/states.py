"""A thread's state, the program that it runs, and what others see of its process.

In: nothing. Out: records that `descriptions.py` makes of samples, `processes.py` keeps and
`process_table.py` turns into columns. Times are since boot, ns.
"""

from dataclasses import dataclass, field

Identity = tuple[int, int]
"""A process: pid and start time since boot, ns. Never repeats within a boot."""


@dataclass(frozen=True, slots=True)
class Image:
    """A program in execution. `argv` and `env` item by item."""

    filename: str
    exepath: str
    argv: tuple[str, ...]
    env: tuple[str, ...]
    ino: int
    ctime_ns: int
    mtime_ns: int
    flags: int


NO_IMAGE = Image("", "", (), (), 0, 0, 0, 0)
"""Of kernel threads, and of programs whose description was lost."""


@dataclass(frozen=True, slots=True)
class State:
    """A state of a thread, as the kernel described it; times since boot."""

    process_id: int
    identity: Identity
    parent: Identity
    image: Image
    image_id: int
    cgroups: tuple[str, ...]
    numbers: tuple[int, ...]
    comm: str
    thread_comm: str
    cwd: str
    root: str
    std_files: tuple[int, int, int] = (0, 0, 0)
    cgroups_id: int = 0

    def __getitem__(self, name: str) -> int:
        return self.numbers[NUMBER_INDEX[name]]

    @property
    def key_numbers(self) -> tuple[int, ...]:
        """The numbers that columns show of the process."""
        return tuple(self.numbers[index] for index in _KEY_INDICES)


NUMBERS = (
    *("tid", "pid", "ptid", "ppid", "pgid", "sid", "vtid", "vpid", "vpgid", "vsid"),
    *("pidns", "mntns", "netns", "userns", "uid", "gid", "euid", "egid", "loginuid", "tty"),
    *("process_flags", "pidns_level", "cap_permitted", "cap_effective", "cap_inheritable"),
    *("start_ns", "pidns_start_ns", "fd_limit"),
)
"""Members of a process sample that are kept as numbers."""

NUMBER_INDEX = {name: index for index, name in enumerate(NUMBERS)}

# Members that tell threads of one process apart, or that no column shows.
_NOT_IN_KEY = frozenset({"tid", "vtid", "ptid", "start_ns", "pidns_level", "fd_limit"})
_KEY_INDICES = tuple(i for i, name in enumerate(NUMBERS) if name not in _NOT_IN_KEY)


@dataclass(frozen=True, slots=True)
class Face:
    """What others see of a process: as an ancestor, a session leader, a group leader."""

    identity: Identity
    name: str
    exe: str
    exepath: str
    cmdline: str
    vpid: int
    sid: int
    vpgid: int
    pgid: int
    start_ns: int


@dataclass(slots=True)
class Life:
    """One process from its start to its end."""

    identity: Identity
    face: Face
    parent: Identity
    threads: dict[int, State] = field(default_factory=dict)
    children: set[Identity] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class ProcessRow:
    """What stands behind a key: a state and its ancestors, the parent first."""

    key: int
    state: State
    ancestors: tuple[Face, ...]
    session_leader: Face | None
    vpgid_leader: Face | None
    pgid_leader: Face | None


def face_of(state: State) -> Face:
    """What others see of a process in this state."""
    image = state.image
    return Face(
        identity=state.identity,
        name=state.comm,
        exe=image.argv[0] if image.argv else "",
        exepath=image.exepath,
        cmdline=command_line(state.comm, image.argv[1:]),
        vpid=state["vpid"],
        sid=state["vsid"],
        vpgid=state["vpgid"],
        pgid=state["pgid"],
        start_ns=state.identity[1],
    )


def command_line(comm: str, arguments: tuple[str, ...]) -> str:
    """`proc.cmdline`: the name, then each argument behind a blank; nothing is quoted."""
    return " ".join((comm, *arguments))

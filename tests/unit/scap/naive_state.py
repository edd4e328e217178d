"""Threads and descriptors event by event, as simply as can be; for comparison only.

In: events of `scenarios`. Out: for each event what rules see of it.
"""

from dataclasses import dataclass, field

from unit.scap.scenarios import AT_FDCWD, CLONE_THREAD, MACHINE, O_CLOEXEC, Happening

FIELDS = ("proc.name", "proc.pid", "proc.cwd", "proc.fdopencount", "fd.num", "fd.name")
NAMES = {
    "openat": "open",
    "execve": "exec",
    "procexit": "exit",
    "read": "use",
    "getuid": "look",
    **dict.fromkeys(("dup2", "dup3", "fcntl"), "dup"),
}
"""Which method takes in an event that is called otherwise."""


@dataclass(eq=False)
class Process:
    """What threads share."""

    pid: int
    cwd: str = "./"
    files: dict[int, tuple[str, bool]] = field(default_factory=dict)
    threads: set[int] = field(default_factory=set)


@dataclass(eq=False)
class Thread:
    """One thread and its name."""

    name: str
    process: Process
    is_dead: bool = False


def below(directory: str, name: str) -> str:
    """A plain name below a directory, or an absolute one."""
    return name if name.startswith("/") else f"{directory.rstrip('/')}/{name}"


class NaiveState:
    """Goes through the events."""

    def __init__(self) -> None:
        self.threads: dict[int, Thread] = {}
        for one in MACHINE:
            cwd = one.cwd.decode()
            process = Process(one.tid, cwd if cwd == "/" else f"{cwd}/", {}, {one.tid})
            self.threads[one.tid] = Thread(one.comm.decode(), process)
        self._leaving: int | None = None
        self._closing: tuple[Process, int] | None = None

    def see(self, event: Happening, name: str) -> tuple[object, ...]:
        """Take in an event, and say what rules see."""
        self._take_away()
        given = dict(event.given)
        thread = self.threads.get(event.tid)
        if thread is None and name != "exit":
            thread = self.threads[event.tid] = Thread("<NA>", Process(-1))
        if thread is None:
            return (None,) * len(FIELDS)
        fd = getattr(self, f"_{name}")(event.tid, thread, given)
        process = thread.process
        shown = None if fd is None else process.files.get(fd, ("", False))[0]
        count = len(process.files) if process.pid != -1 else 0
        return (thread.name, process.pid, process.cwd, count, fd, shown)

    def _take_away(self) -> None:
        if self._closing is not None:
            process, fd = self._closing
            process.files.pop(fd, None)
        if self._leaving is not None:
            self._remove(self._leaving)
        self._leaving = self._closing = None

    def _remove(self, tid: int) -> None:
        thread = self.threads[tid]
        process = thread.process
        process.threads.discard(tid)
        if tid != process.pid or not process.threads:
            del self.threads[tid]
        main = self.threads.get(process.pid)
        if not process.threads and main is not None and main.process is process:
            del self.threads[process.pid]

    def _look(self, tid: int, thread: Thread, given: dict[str, object]) -> None:
        pass

    def _use(self, tid: int, thread: Thread, given: dict[str, object]) -> object:
        return given["fd"]

    def _open(self, tid: int, thread: Thread, given: dict[str, object]) -> object:
        fd, dirfd, name = given["fd"], given["dirfd"], str(given["name"])
        assert isinstance(fd, int)
        assert isinstance(dirfd, int)
        files = thread.process.files
        if dirfd == AT_FDCWD and thread.process.cwd in {"", "./"}:
            path = name
        elif dirfd == AT_FDCWD:
            path = below(thread.process.cwd, name)
        else:
            path = below(files.get(dirfd, ("<UNKNOWN>", False))[0], name)
        files[fd] = (path, given["flags"] == O_CLOEXEC)
        return fd

    def _close(self, tid: int, thread: Thread, given: dict[str, object]) -> object:
        fd = given["fd"]
        assert isinstance(fd, int)
        self._closing = (thread.process, fd)
        return fd

    def _dup(self, tid: int, thread: Thread, given: dict[str, object]) -> object:
        old, new = given.get("oldfd", given.get("fd")), given["res"]
        assert isinstance(old, int)
        assert isinstance(new, int)
        files = thread.process.files
        if "cmd" in given and given["cmd"] == 3:
            if old in files:
                files[old] = (files[old][0], bool(given["arg"]))
            return old
        if old not in files:
            return old
        closing = given.get("flags") == O_CLOEXEC or given.get("cmd") == 26
        files[new] = (files[old][0], closing)
        return new

    def _chdir(self, tid: int, thread: Thread, given: dict[str, object]) -> None:
        if thread.process.pid != -1:
            cwd = "" if thread.process.cwd == "./" else thread.process.cwd
            path = str(given["path"])
            path = path if path.startswith("/") or not cwd else below(cwd, path)
            thread.process.cwd = path.rstrip("/") + "/"

    def _clone(self, tid: int, thread: Thread, given: dict[str, object]) -> None:
        child = given["res"]
        assert isinstance(child, int)
        was_unknown = thread.process.pid == -1
        if was_unknown:
            thread.process.pid, thread.process.cwd, thread.name = tid, "", "child"
            thread.process.threads = {tid}
        elif given["flags"] == CLONE_THREAD:
            thread.process.threads.add(child)
            self.threads[child] = Thread("child", thread.process)
            return
        process = Process(child, "" if was_unknown else thread.process.cwd, {}, {child})
        if given["flags"] == CLONE_THREAD:
            process = thread.process
            process.threads.add(child)
        elif not was_unknown:
            process.files = dict(thread.process.files)
        self.threads[child] = Thread("child", process)

    def _exec(self, tid: int, thread: Thread, given: dict[str, object]) -> None:
        process = thread.process
        for other in process.threads - {tid}:
            del self.threads[other]
        if process.pid == -1:
            process.pid, process.cwd = tid, ""
        process.threads = {tid}
        thread.name, thread.is_dead = "tool", False
        process.files = {fd: found for fd, found in process.files.items() if not found[1]}

    def _exit(self, tid: int, thread: Thread, given: dict[str, object]) -> None:
        thread.is_dead = True
        if thread.process.pid == -1:
            thread.process.threads = set()
        self._leaving = tid

"""What events about processes do to the table of threads: clone, exec, exit and the small ones.

In: parameters of one event. Out: changed entries; spans are told before anything changes. Numbers
in names (`4.1` ...) are those of the description in libs' own order: caller's side of a clone,
child's side, exec, exit.

Source: libs 48dfd53c, userspace/libsinsp/parsers.cpp, `parse_clone_exit_caller`,
`parse_clone_exit_child`, `parse_execve_exit`, `parse_prctl_exit` and others.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from falcotrace.events.event_types import EVENT_TYPES
from falcotrace.scap import threads as numbers
from falcotrace.scap.argument_texts import absolute_path
from falcotrace.scap.cgroups import cgroups_of, container_id_of
from falcotrace.scap.descriptor_table import DescriptorTable
from falcotrace.scap.parameters import Parameters
from falcotrace.scap.threads import UNKNOWN_ID, UNKNOWN_TEXT, Thread, ThreadTable

if TYPE_CHECKING:
    from falcotrace.scap.spans import Spans

MADE_TWICE_WITHIN_NS = 2_000_000_000
"""Both sides of a clone report the child; the second within this time is about the same one."""

_REMEMBERED_ENDS = 65_536

ALL_CAPABILITIES = (1 << 41) - 1
"""What a thread can do in a user namespace of its own."""

_EXE_WRITABLE, _EXE_UPPER, _EXE_MEMFD, _EXE_LOWER = 1, 2, 4, 8


class ProcessEvents:
    """Handlers of process events.

    Args:
        threads: the table.
        boot_time_ns: when the host booted, since the epoch.
        new_table: makes a table of descriptors from entries, as of a row.
        resolve_descriptor: gives the path behind a descriptor of a thread, None if unknown.

    Attributes:
        spans: those of the batch.
        gone: numbers of entries that were removed, and from which row on.
    """

    def __init__(
        self,
        threads: ThreadTable,
        boot_time_ns: int,
        new_table: Callable[[dict[int, int], int], DescriptorTable],
        resolve_descriptor: Callable[[Thread, int], str | None],
    ) -> None:
        self._threads = threads
        self._boot_time_ns = boot_time_ns
        self._new_table = new_table
        self._resolve_descriptor = resolve_descriptor
        self._ended: dict[int, tuple[int, int]] = {}
        self.spans: Spans
        self.gone: list[tuple[int, int]] = []

    # Finding and making entries

    def find_or_make(self, tid: int, row: int) -> Thread | None:
        """The entry of a thread; a placeholder if there is none, None if the table is full."""
        thread = self._threads.get(tid)
        if thread is None and not self._threads.is_full:
            thread = Thread(tid, UNKNOWN_ID, is_placeholder=True)
            self._add(thread, row)
        return thread

    def _add(self, thread: Thread, row: int, entries: dict[int, int] | None = None) -> None:
        if self._threads.is_full:
            return
        main = self._threads.get(thread.pid)
        if thread.flags & numbers.CLONE_THREAD and main is not None and main is not thread:
            thread.descriptors = main.descriptors
        else:
            thread.descriptors = self._new_table(entries or {}, row)
        self.spans.before_change(thread, row)
        self._threads.add(thread)
        self.spans.begin(thread, row)

    def remove(self, tid: int, row: int) -> None:
        """Remove an entry; events from this row on do not see it."""
        thread = self._threads.get(tid)
        if thread is None:
            return
        self.spans.before_change(thread, row)
        if thread.reaper_tid > 0:
            self.find_or_make(thread.reaper_tid, row)
        for gone in self._threads.remove(tid):
            self.spans.end(gone, row)
            self.gone.append((gone.tid, row))

    # clone, fork, vfork, clone3

    def clone(self, event: Parameters, tid: int, time_ns: int) -> None:
        """Either side of a clone."""
        result = event.number(0, -1)
        if result < 0:
            return
        if result == 0:
            self._clone_child(event, tid, time_ns)
        else:
            self._clone_caller(event, tid, result, time_ns)

    def _clone_caller(self, event: Parameters, tid: int, child_tid: int, time_ns: int) -> None:
        caller = self.find_or_make(tid, event.row)
        if caller is None:
            return
        was_placeholder = caller.is_placeholder
        if was_placeholder:
            self.spans.before_change(caller, event.row)
            self._complete(caller, event)
        flags = event.number(15)
        if flags & (numbers.CLONE_CHILD_IN_PIDNS | numbers.CLONE_NEWPID | numbers.CLONE_PARENT):
            return
        if caller.tid != caller.vtid or flags & numbers.CLONE_VFORK or _is_vfork(event):
            return
        parent_tid, ended_ns = self._ended.get(child_tid, (0, 0))
        if parent_tid == tid and _is_recent(time_ns, ended_ns):
            return
        existing = self._threads.get(child_tid)
        if existing is not None:
            if existing.is_inverted:
                return
            self.remove(child_tid, event.row)
        is_thread = bool(flags & numbers.CLONE_THREAD)
        child = Thread(
            tid=child_tid,
            pid=caller.pid if is_thread else child_tid,
            ptid=caller.ptid if is_thread else caller.tid,
            flags=flags,
        )
        child.vtid, child.vpid = child.tid, child.pid
        self._fill_clone(child, event, time_ns)
        child.pidns_start_ns = self._boot_time_ns
        if was_placeholder:
            caller.exe, caller.comm, caller.args = child.exe, child.comm, child.args
            self.spans.log.rename(caller, event.row)
        self._inherit_and_add(child, caller, event, inherits=not was_placeholder)

    def _clone_child(self, event: Parameters, tid: int, time_ns: int) -> None:
        existing = self._threads.get(tid)
        if existing is not None:
            if existing.started_ns and _is_recent(time_ns, existing.started_ns):
                return
            self.remove(tid, event.row)
        flags = event.number(15)
        is_thread = bool(flags & numbers.CLONE_THREAD)
        child = Thread(
            tid=tid,
            pid=event.number(4),
            ptid=event.number(5),
            vtid=event.number(18, tid),
            vpid=event.number(19, UNKNOWN_ID),
            flags=flags,
            is_inverted=True,
        )
        origin = self.find_or_make(child.pid if is_thread else child.ptid, event.row)
        if origin is None:
            return
        was_placeholder = origin.is_placeholder
        if is_thread and was_placeholder:
            self._complete_main(origin, child, event)
        self._fill_clone(child, event, time_ns)
        in_pidns = child.is_in_pidns or bool(flags & numbers.CLONE_NEWPID)
        child.pidns_start_ns = self._boot_time_ns + (event.number(20) if in_pidns else 0)
        self._inherit_and_add(child, origin, event, inherits=not was_placeholder)

    def _complete(self, thread: Thread, event: Parameters) -> None:
        """A placeholder learns who it is from the clone that it makes."""
        thread.pid, thread.ptid = event.number(4), event.number(5)
        thread.vtid = event.number(18, thread.tid)
        thread.vpid = event.number(19, UNKNOWN_ID)
        thread.is_placeholder = False
        self._threads.link(thread)
        self.spans.log.rename(thread, event.row)

    def _complete_main(self, main: Thread, child: Thread, event: Parameters) -> None:
        self.spans.before_change(main, event.row)
        main.pid, main.ptid = child.pid, child.ptid
        main.vpid = main.vtid = child.vpid
        main.is_placeholder = False
        main.exe, main.comm, main.args = event.text(1), event.text(13), event.texts(2)
        self._threads.link(main)
        self.spans.log.rename(main, event.row)

    def _fill_clone(self, child: Thread, event: Parameters, time_ns: int) -> None:
        child.exe, child.args = event.text(1), event.texts(2)
        child.comm = event.text(13) or child.exe
        child.fd_limit = event.number(7, UNKNOWN_ID)
        child.usage = _usage(event)
        child.uid, child.gid = event.number(16), event.number(17)
        child.cgroups = cgroups_of(event.raw(14))
        child.started_ns = time_ns

    def _inherit_and_add(
        self, child: Thread, origin: Thread, event: Parameters, *, inherits: bool
    ) -> None:
        entries: dict[int, int] = {}
        if inherits:
            _copy_program(child, origin)
            main = self._threads.main_thread(origin)
            if not child.flags & numbers.CLONE_THREAD and main is not None:
                entries = dict(main.descriptors.entries)
                child.cwd, child.env = main.cwd, main.env
        child.container_id = container_id_of(child.cgroups, origin.container_id)
        self._add(child, event.row, entries)

    # execve, execveat

    def execute(self, event: Parameters, tid: int, entered: Parameters | None) -> None:
        """A successful exec gives a thread a new program."""
        thread = self.find_or_make(tid, event.row)
        if thread is None:
            return
        self.spans.before_change(thread, event.row)
        self._threads.unfollow(thread)
        self._threads.revive(thread)
        thread.exe, thread.args = event.text(1), event.texts(2)
        thread.comm = event.text(13) or thread.exe
        thread.pid = event.number(4, thread.pid)
        if thread.is_placeholder:
            thread.ptid = event.number(5, thread.ptid)
            thread.vtid, thread.vpid = thread.tid, thread.pid
            thread.is_placeholder = False
            self._threads.link(thread)
        self._fill_exec(thread, event, entered)
        _fill_inode(thread, event)
        self._leave_alone(thread, event.row)
        self._threads.follow(thread)
        self.spans.log.add(thread, event.row)

    def _fill_exec(self, thread: Thread, event: Parameters, entered: Parameters | None) -> None:
        thread.fd_limit = event.number(7, thread.fd_limit)
        thread.usage = _usage(event)
        if event.has(15):
            thread.env = event.texts(15)
        if event.has(14):
            thread.cgroups = cgroups_of(event.raw(14))
            thread.container_id = container_id_of(thread.cgroups, thread.container_id)
        thread.tty = event.number(16, thread.tty)
        if event.has(27):
            thread.exepath = event.text(27)
        elif entered is not None:
            thread.exepath = self._attempted_path(thread, entered)
        thread.vpgid = event.number(17, thread.vpgid)
        thread.login_uid = event.number(18, thread.login_uid)
        if event.has(19):
            flags = event.number(19)
            thread.is_exe_writable = bool(flags & _EXE_WRITABLE)
            thread.is_exe_upper_layer = bool(flags & _EXE_UPPER)
            thread.is_exe_from_memfd = bool(flags & _EXE_MEMFD)
            thread.is_exe_lower_layer = bool(flags & _EXE_LOWER)
        if event.has(20):
            thread.cap_inheritable = event.number(20)
            thread.cap_permitted = event.number(21)
            thread.cap_effective = event.number(22)
        thread.uid = event.number(26, thread.uid)
        thread.pgid = event.number(28, UNKNOWN_ID)
        thread.gid = event.number(29, thread.gid)

    def _attempted_path(self, thread: Thread, entered: Parameters) -> str:
        """The program's path in captures that do not have the kernel's: as it was asked for."""
        main = self._threads.main_thread(thread) or thread
        names = [param.name for param in EVENT_TYPES[entered.code].params]
        if "dirfd" not in names:
            name = entered.text(names.index("filename")) if "filename" in names else ""
            return absolute_path(main.cwd, name) if name and name != UNKNOWN_TEXT else UNKNOWN_TEXT
        name = entered.text(names.index("pathname")) if "pathname" in names else ""
        if name.startswith("/"):
            return absolute_path("", name)
        dirfd = entered.number(names.index("dirfd"), -100)
        directory = main.cwd if dirfd == -100 else self._resolve_descriptor(thread, dirfd)
        if directory is None:
            return UNKNOWN_TEXT
        return absolute_path(directory, name) if name else directory

    def _leave_alone(self, thread: Thread, row: int) -> None:
        """An exec ends the other threads of the process and closes what is marked so."""
        thread.flags &= numbers.CLONE_INVERTED
        group = thread.group
        if group is not None:
            for other in [t for t in group.threads.values() if t is not thread]:
                self.remove(other.tid, row)

    # the end

    def exit(self, event: Parameters, tid: int, time_ns: int) -> bool:
        """A thread ends; returns whether there is an entry to remove before the next event."""
        thread = self._threads.get(tid)
        if thread is None:
            return False
        self._threads.end(thread)
        self.spans.log.add_size(thread, event.row)
        has_children = thread.remembered_children > 0
        thread.reaper_tid = event.number(4, UNKNOWN_ID) if has_children else UNKNOWN_ID
        if len(self._ended) > _REMEMBERED_ENDS:
            self._ended.clear()
        self._ended[tid] = (thread.ptid, time_ns)
        return True


def _is_vfork(event: Parameters) -> bool:
    return EVENT_TYPES[event.code].name == "vfork"


def _is_recent(time_ns: int, earlier_ns: int) -> bool:
    return time_ns - earlier_ns < MADE_TWICE_WITHIN_NS


def _usage(event: Parameters) -> tuple[int, int, int, int, int]:
    """Page faults (major, minor) and memory (size, resident, swapped, kB)."""
    return (
        event.number(8),
        event.number(9),
        event.number(10),
        event.number(11),
        event.number(12),
    )


def _copy_program(child: Thread, origin: Thread) -> None:
    for member in (
        "exepath",
        "is_exe_writable",
        "is_exe_upper_layer",
        "is_exe_lower_layer",
        "is_exe_from_memfd",
        "root",
        "sid",
        "vpgid",
        "pgid",
        "tty",
        "login_uid",
        "cap_inheritable",
        "cap_permitted",
        "cap_effective",
        "exe_ino",
        "exe_ino_ctime_ns",
        "exe_ino_mtime_ns",
        "ctime_before_start_ns",
        "ctime_after_pidns_ns",
    ):
        setattr(child, member, getattr(origin, member))


def _fill_inode(thread: Thread, event: Parameters) -> None:
    if event.has(23):
        thread.exe_ino = event.number(23)
    if event.has(24):
        thread.exe_ino_ctime_ns = event.number(24)
        if thread.started_ns:
            thread.ctime_before_start_ns = thread.started_ns - thread.exe_ino_ctime_ns
        elif thread.is_listed:
            # Falco shows 0 and not nothing (as alerts of libs 0.25.4 show).
            thread.ctime_before_start_ns = 0
        is_younger = 0 < thread.pidns_start_ns < thread.exe_ino_ctime_ns
        elapsed_ns = thread.exe_ino_ctime_ns - thread.pidns_start_ns
        thread.ctime_after_pidns_ns = elapsed_ns if is_younger else 0
    if event.has(25):
        thread.exe_ino_mtime_ns = event.number(25)

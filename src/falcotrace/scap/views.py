"""What rules see of a thread at one time: the process columns of its events.

In: entries of the table of threads, as of some event. Out: one row of process columns for each
state that some event needs, with a number (`proc.key`). A state is looked at when it ends, and only
if an event fell into it.

Source: libs 48dfd53c, userspace/libsinsp/sinsp_filtercheck_thread.cpp, threadinfo.cpp.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from falcotrace.events.capabilities import capabilities_text
from falcotrace.events.derived import ENV_SEPARATOR
from falcotrace.scap.accounts import Accounts
from falcotrace.scap.container_table import ContainerTable
from falcotrace.scap.threads import UNKNOWN_ID, UNSET_LOGIN_UID, Thread, ThreadTable

Value: TypeAlias = "str | int | bool | Sequence[str] | list[int] | None"

UNKNOWN_DIRECTORY = "./"
"""`proc.cwd` of a thread whose process is not known."""

_RANGE = 1 << 64
"""Times of files and differences of them are unsigned."""

_MOST_ENVIRONMENTS = 20
"""Ancestors whose environment Falco looks at."""

_MOST_ANCESTORS = 1000
"""Ancestors that are listed; a hostile capture may claim any depth, Linux does not."""

_LISTS_OF_ANCESTORS = 7

_MOST_WORDS = 40_000_000
"""Items of all lists of a batch's views; behind them lists are empty. A hundred thousand ordinary
processes have a quarter of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """What others show of a process."""

    pid: int
    vpid: int
    name: str
    exe: str
    exepath: str
    args: str
    cmdline: str
    env: str
    started_ns: int


@dataclass(slots=True, eq=False)
class View:
    """One state of a thread, with its process columns."""

    key: int
    has_process: bool
    columns: Mapping[str, Value]


class JoinedTexts:
    """Texts of many words, each made once: thousands of states show the same ones."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, int], tuple[str, tuple[str, ...]]] = {}

    def join(self, separator: str, words: tuple[str, ...], first: str = "") -> str:
        """Words between separators, behind a first one if that is not empty."""
        key = separator, first, id(words)
        found = self._found.get(key)
        if found is None:
            text = separator.join((first, *words) if first else words)
            # The words are kept, so that no others get their identity.
            found = self._found[key] = text, words
        return found[0]

    def command_line(self, thread: Thread) -> str:
        """`proc.cmdline`: the name and the arguments behind argv[0], without quotes."""
        if thread.comm:
            return self.join(" ", thread.args, thread.comm)
        return " ".join(("", *thread.args))

    def face_of(self, thread: Thread) -> Face:
        """What others show of a thread's process; asked of main threads."""
        if isinstance(thread.face, Face):
            return thread.face
        face = thread.face = Face(
            pid=thread.pid,
            vpid=thread.vpid,
            name=thread.comm,
            exe=thread.exe,
            exepath=_shown_path(thread.exepath),
            args=self.join(" ", thread.args),
            cmdline=self.command_line(thread),
            env=self.join(ENV_SEPARATOR, thread.env),
            started_ns=thread.started_ns,
        )
        return face


class Views:
    """Makes views; numbers grow over the whole capture."""

    def __init__(
        self,
        threads: ThreadTable,
        accounts: Accounts,
        containers: ContainerTable,
        first_key: int,
    ) -> None:
        self._threads = threads
        self._accounts = accounts
        self._containers = containers
        self._texts = JoinedTexts()
        self._left_words = _MOST_WORDS
        self.next_key = first_key

    def begin_batch(self) -> None:
        """What the views of one batch share is not kept for the next one."""
        self._texts = JoinedTexts()
        self._left_words = _MOST_WORDS

    def look_at(self, thread: Thread) -> View:
        """The state of a thread as of now."""
        key = self.next_key
        self.next_key += 1
        main = self._threads.main_thread(thread)
        return View(key, main is not None, self._columns(thread))

    def _columns(self, thread: Thread) -> dict[str, Value]:
        main = self._threads.main_thread(thread)
        ancestors = self._ancestors(thread)
        faces = [self._texts.face_of(ancestor) for ancestor in ancestors]
        has_room = self._has_room_for(thread, main, faces)
        return {
            **_own(thread),
            **self._words_of(thread, main, has_room=has_room),
            "proc.cwd": UNKNOWN_DIRECTORY if main is None else main.cwd,
            "proc.fdlimit": 0 if main is None else main.fd_limit,
            **_of_ancestors(faces if has_room else faces[:1]),
            **self._of_direct_parent(thread),
            "proc.loginshellid": _login_shell(main, faces),
            **self._of_leaders(thread, ancestors),
            **self._of_accounts(thread),
            **self._containers.columns(thread.container_id),
        }

    def _has_room_for(self, thread: Thread, main: Thread | None, faces: list[Face]) -> bool:
        """Whether the lists of a view can be kept."""
        words = len(thread.args) + (0 if main is None else len(main.env))
        self._left_words -= words + len(faces) * _LISTS_OF_ANCESTORS
        return self._left_words >= 0

    def _words_of(self, thread: Thread, main: Thread | None, *, has_room: bool) -> dict[str, Value]:
        cgroups = self._texts.join(" ", thread.cgroups)
        return {
            "proc.argv": thread.args if has_room else (),
            "proc.env": main.env if has_room and main is not None else (),
            "proc.cmdline": self._texts.command_line(thread),
            "thread.cgroups": cgroups if thread.cgroups else None,
        }

    def _ancestors(self, thread: Thread) -> list[Thread]:
        """Main threads of the ancestors, the parent first; ends at a gap or a loop."""
        found: list[Thread] = []
        seen = {thread.pid}
        current = self._threads.parent_process(thread)
        while current is not None and current.pid not in seen and len(found) < _MOST_ANCESTORS:
            found.append(current)
            seen.add(current.pid)
            current = self._threads.parent_process(current)
        return found

    def _of_direct_parent(self, thread: Thread) -> dict[str, Value]:
        parent = self._threads.get(thread.ptid)
        return {
            "proc.pvpid": None if parent is None else parent.vpid,
            "proc.ppid_ts": None if parent is None else parent.started_ns or None,
        }

    def _of_leaders(self, thread: Thread, ancestors: list[Thread]) -> dict[str, Value]:
        session = self._leader(thread, ancestors, "sid")
        virtual = self._leader(thread, ancestors, "vpgid")
        group = self._group_leader(thread, ancestors)
        columns: dict[str, Value] = {"proc.sname": "" if session is None else session.comm}
        for prefix, leader in (
            ("proc.sid", session),
            ("proc.vpgid", virtual),
            ("proc.pgid", group),
        ):
            columns[f"{prefix}_exe"] = "" if leader is None else leader.exe
            columns[f"{prefix}_exepath"] = "" if leader is None else leader.exepath
        columns["proc.vpgid_name"] = "" if virtual is None else virtual.comm
        columns["proc.pgid_name"] = "" if group is None else group.comm
        return columns

    def _leader(self, thread: Thread, ancestors: list[Thread], member: str) -> Thread | None:
        """The leader of a session or process group, whose number may be that of a namespace."""
        number: int = getattr(thread, member)
        if number == UNKNOWN_ID:
            return None
        if not thread.is_in_pidns:
            found = self._threads.get(number)
            if found is not None:
                return found
        return _last_alike(ancestors, member, number)

    def _group_leader(self, thread: Thread, ancestors: list[Thread]) -> Thread | None:
        if thread.pgid == UNKNOWN_ID:
            return None
        found = self._threads.get(thread.pgid)
        return found if found is not None else _last_alike(ancestors, "pgid", thread.pgid)

    def _of_accounts(self, thread: Thread) -> dict[str, Value]:
        user = self._accounts.user(thread.uid, thread.container_id)
        login = self._accounts.user(thread.login_uid, thread.container_id)
        unset = thread.login_uid == UNSET_LOGIN_UID
        return {
            "user.uid": thread.uid,
            "user.name": user.name,
            "user.homedir": user.home,
            "user.shell": user.shell,
            "user.loginuid": -1 if unset else thread.login_uid,
            "user.loginname": login.name,
            "group.gid": thread.gid,
            "group.name": self._accounts.group(thread.gid, thread.container_id),
        }


def _own(thread: Thread) -> dict[str, Value]:
    return {
        "thread.vtid": _known(thread.vtid),
        "proc.pid": thread.pid,
        "proc.vpid": _known(thread.vpid),
        "proc.sid": thread.sid,
        "proc.vpgid": thread.vpgid,
        "proc.pgid": thread.pgid,
        "proc.pid_ts": thread.started_ns or None,
        "proc.pidns_init_start_ts": thread.pidns_start_ns,
        "proc.tty": thread.tty,
        "proc.root": thread.root,
        "proc.name": thread.comm,
        "proc.exe": thread.exe,
        "proc.exepath": _shown_path(thread.exepath),
        "proc.is_exe_writable": thread.is_exe_writable,
        "proc.is_exe_upper_layer": thread.is_exe_upper_layer,
        "proc.is_exe_lower_layer": thread.is_exe_lower_layer,
        "proc.is_exe_from_memfd": thread.is_exe_from_memfd,
        "proc.exe_ino": thread.exe_ino or None,
        "proc.exe_ino_ctime": thread.exe_ino_ctime_ns % _RANGE or None,
        "proc.exe_ino_mtime": thread.exe_ino_mtime_ns % _RANGE or None,
        "proc.exe_ino_ctime_duration_proc_start": None
        if thread.ctime_before_start_ns is None
        else thread.ctime_before_start_ns % _RANGE,
        "proc.exe_ino_ctime_duration_pidns_start": thread.ctime_after_pidns_ns % _RANGE or None,
        "thread.cap_permitted": capabilities_text(thread.cap_permitted),
        "thread.cap_effective": capabilities_text(thread.cap_effective),
        "thread.cap_inheritable": capabilities_text(thread.cap_inheritable),
    }


def _known(number: int) -> int | None:
    return None if number == UNKNOWN_ID else number


def _of_ancestors(faces: list[Face]) -> dict[str, Value]:
    parent = faces[0] if faces else None
    return {
        "proc.pname": None if parent is None else parent.name,
        "proc.pexe": None if parent is None else parent.exe,
        "proc.pexepath": None if parent is None else parent.exepath,
        "proc.pcmdline": None if parent is None else parent.cmdline,
        "proc.ppid": None if parent is None else parent.pid,
        "proc.aname": [face.name for face in faces],
        "proc.aexe": [face.exe for face in faces],
        "proc.aexepath": [face.exepath for face in faces],
        "proc.acmdline": [face.cmdline for face in faces],
        "proc.aargs": [face.args for face in faces],
        "proc.aenv": [face.env for face in faces[:_MOST_ENVIRONMENTS]],
        "proc.apid": [face.pid for face in faces],
    }


def _shown_path(path: str) -> str:
    return path.removesuffix(" (deleted)")


def _login_shell(main: Thread | None, faces: list[Face]) -> int | None:
    """Pid of the eldest process of the ancestry, self included, whose name ends in `sh`."""
    found = None if main is None or not main.comm.endswith("sh") else main.pid
    for face in faces:
        if face.name.endswith("sh"):
            found = face.pid
    return found


def _last_alike(ancestors: list[Thread], member: str, number: int) -> Thread | None:
    found = None
    for ancestor in ancestors:
        if getattr(ancestor, member) != number:
            break
        found = ancestor
    return found

"""The small events that change what rules see of a thread: directories, ids, capabilities, users.

In: parameters of one event. Out: changed entries; spans are told before anything changes.

Source: libs 48dfd53c, userspace/libsinsp/parsers.cpp.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from falcotrace.events.event_types import EVENT_TYPES
from falcotrace.scap import threads as numbers
from falcotrace.scap.accounts import Account, Accounts
from falcotrace.scap.argument_texts import absolute_path
from falcotrace.scap.container_table import ContainerTable, read_container
from falcotrace.scap.descriptor_events import DescriptorEvents
from falcotrace.scap.parameters import Parameters
from falcotrace.scap.process_events import ALL_CAPABILITIES
from falcotrace.scap.threads import Thread, ThreadTable

if TYPE_CHECKING:
    from falcotrace.scap.spans import Spans

_PR_SET_CHILD_SUBREAPER, _PR_GET_CHILD_SUBREAPER = 36, 37
_RLIMIT_NOFILE = 7

_MOST_LOOKED_AT = 5000
"""Among more threads than that it is not asked which ones an event concerns."""

Handler = Callable[[Parameters, Thread], None]


class SmallEvents:
    """Handlers of small events.

    Args:
        threads: the table of threads.
        accounts: users and groups.
        containers: metadata of containers.
        descriptors: tables of descriptors.
    """

    NAMES = frozenset(
        {"chdir", "fchdir", "getcwd", "chroot", "setsid", "prctl", "setuid", "setgid"}
        | {"setresuid", "setreuid", "setresgid", "setregid", "capset", "unshare", "setns"}
        | {"setrlimit", "getrlimit", "prlimit", "useradded", "userdeleted", "groupadded"}
        | {"groupdeleted", "container", "asyncevent"}
    )
    """Events that `handle` knows."""

    def __init__(
        self,
        threads: ThreadTable,
        accounts: Accounts,
        containers: ContainerTable,
        descriptors: DescriptorEvents,
    ) -> None:
        self._threads = threads
        self._accounts = accounts
        self._containers = containers
        self._descriptors = descriptors
        self.spans: Spans
        self._of_thread: dict[str, Handler] = {
            "chdir": self._chdir,
            "fchdir": self._fchdir,
            "getcwd": self._getcwd,
            "chroot": self._chroot,
            "setsid": self._setsid,
            "prctl": self._prctl,
            "setuid": self._user(1),
            "setresuid": self._user(2),
            "setreuid": self._user(2),
            "setgid": self._group(1),
            "setresgid": self._group(2),
            "setregid": self._group(2),
            "capset": self._capset,
            "unshare": self._new_user_namespace("flags"),
            "setns": self._new_user_namespace("nstype"),
            "setrlimit": self._limit,
            "getrlimit": self._limit,
            "prlimit": self._limit,
        }

    def handle(self, name: str, event: Parameters, tid: int) -> bool:
        """Handle an event of `NAMES`; returns whether it was one."""
        if name in {"container", "asyncevent"}:
            self._container(name, event)
        elif name in {"useradded", "userdeleted", "groupadded", "groupdeleted"}:
            self._account(name, event)
        elif name in self._of_thread:
            thread = self._threads.get(tid)
            if thread is not None and (event.number(0, -1) >= 0 or name == "prctl"):
                self._of_thread[name](event, thread)
        else:
            return False
        return True

    def _changing(self, thread: Thread, event: Parameters) -> Thread:
        self.spans.before_change(thread, event.row)
        return thread

    # Directories; a thread without a process has none

    def _chdir(self, event: Parameters, thread: Thread) -> None:
        self._move(thread, event.text(1), event)

    def _fchdir(self, event: Parameters, thread: Thread) -> None:
        path = self._descriptors.path_of(thread, event.number(1, -1))
        if path is not None:
            self._move(thread, path, event)

    def _getcwd(self, event: Parameters, thread: Thread) -> None:
        if event.has(1):
            self._move(thread, event.text(1), event)

    def _move(self, thread: Thread, path: str, event: Parameters) -> None:
        main = self._threads.main_thread(thread)
        if main is None:
            return
        path = absolute_path(main.cwd, path)
        cwd = path if path.endswith("/") else f"{path}/"
        if cwd != main.cwd:
            self._changing(main, event).cwd = cwd

    def _chroot(self, event: Parameters, thread: Thread) -> None:
        main = self._threads.main_thread(thread)
        root = absolute_path("" if main is None else main.cwd, event.text(1))
        self._changing(thread, event).root = root

    # Identity

    def _setsid(self, event: Parameters, thread: Thread) -> None:
        self._changing(thread, event)
        self._threads.unfollow(thread)
        thread.sid = event.number(0)
        self._threads.follow(thread)

    def _prctl(self, event: Parameters, thread: Thread) -> None:
        option = event.number(1)
        if option in {_PR_SET_CHILD_SUBREAPER, _PR_GET_CHILD_SUBREAPER} and thread.group:
            thread.group.is_reaper = event.number(3) != 0

    def _user(self, place: int) -> Handler:
        def handle(event: Parameters, thread: Thread) -> None:
            if event.has(place) and event.number(place) != thread.uid:
                self._changing(thread, event).uid = event.number(place)

        return handle

    def _group(self, place: int) -> Handler:
        def handle(event: Parameters, thread: Thread) -> None:
            if event.has(place) and event.number(place) != thread.gid:
                self._changing(thread, event).gid = event.number(place)

        return handle

    def _capset(self, event: Parameters, thread: Thread) -> None:
        self._changing(thread, event)
        thread.cap_inheritable = event.number(1)
        thread.cap_permitted = event.number(2)
        thread.cap_effective = event.number(3)

    def _new_user_namespace(self, parameter: str) -> Handler:
        def handle(event: Parameters, thread: Thread) -> None:
            names = [param.name for param in EVENT_TYPES[event.code].params]
            if event.number(names.index(parameter)) & numbers.CLONE_NEWUSER:
                self._changing(thread, event)
                thread.cap_inheritable = ALL_CAPABILITIES
                thread.cap_permitted = thread.cap_effective = ALL_CAPABILITIES

        return handle

    def _limit(self, event: Parameters, thread: Thread) -> None:
        names = [param.name for param in EVENT_TYPES[event.code].params]
        if event.number(names.index("resource"), -1) != _RLIMIT_NOFILE:
            return
        if "pid" in names:
            pid = event.number(names.index("pid"))
            found = self._threads.get(pid) if pid > 0 else thread
            if found is None:
                return
            thread = found
        place = names.index("newcur" if "newcur" in names else "cur")
        limit = event.number(place, -1)
        main = self._threads.main_thread(thread)
        if main is not None and event.has(place) and limit not in {-1, main.fd_limit}:
            self._changing(main, event).fd_limit = limit

    # Tables of the whole machine

    def _before_changes(self, is_concerned: Callable[[Thread], bool], row: int) -> None:
        if len(self._threads) > _MOST_LOOKED_AT:
            self.spans.before_any_change(row)
        else:
            self.spans.before_changes(filter(is_concerned, self._threads), row)

    def _account(self, name: str, event: Parameters) -> None:
        names = [param.name for param in EVENT_TYPES[event.code].params]
        container_id = event.text(names.index("container_id"))
        number = event.number(0)
        self._before_changes(
            lambda thread: number in {thread.uid, thread.gid, thread.login_uid}, event.row
        )
        if name == "useradded":
            account = Account(event.text(2), event.text(3), event.text(4))
            self._accounts.put_user(container_id, number, account, event.row)
        elif name == "userdeleted":
            self._accounts.put_user(container_id, number, None, event.row)
        elif name == "groupadded":
            self._accounts.put_group(container_id, number, event.text(1), event.row)
        else:
            self._accounts.put_group(container_id, number, None, event.row)

    def _container(self, name: str, event: Parameters) -> None:
        kind = event.text(1) if name == "asyncevent" else "container"
        raw = event.raw(2 if name == "asyncevent" else 0)
        found = read_container(kind, raw)
        if found is None:
            return
        concerned = self._containers.shown_with(found.container_id)
        self._before_changes(lambda thread: thread.container_id in concerned, event.row)
        if kind == "container":
            self._containers.add(found)
        else:
            self._containers.remove(found.container_id)

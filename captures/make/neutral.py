# ruff: noqa: INP001 - a script beside others
"""Makes a recording of one machine's sandboxes into a capture of a host that is nobody's.

In: a capture, and the pid namespaces that stay. Out: a capture of the events of processes in those
namespaces, numbered anew, in which everything ends at the edge of the namespaces: ancestors,
leaders of sessions and groups, paths of control groups, names of processes and users in arguments.
Host, users and settings are those that the caller names. Other texts are not changed, so whoever
records must not put words of the machine there; `first_light.py` looks for them afterwards.

    neutral.py RAW OUTPUT --pid-namespace N --pid-namespace N --hostname web-1 --root HOST_ROOT
"""

import argparse
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from falcotrace.capture.footer import Footer, Group, Host, Losses, Recording, User
from falcotrace.capture.reader import Capture, open_capture
from falcotrace.capture.writer import CaptureWriter
from falcotrace.errors import CaptureError
from falcotrace.events.columns import COLUMNS, Scope, params_by_name
from falcotrace.record.accounts import Accounts

RUNTIME_PREFIXES = ("runc", "systemd-nspawn", "(sd-")
"""Processes of the runtime are in the namespace before the machine's first program is."""

ANCESTORS = ("proc.aname", "proc.aexe", "proc.aexepath", "proc.acmdline", "proc.apid")
PARENT = (
    *("proc.pname", "proc.pexe", "proc.pexepath", "proc.pcmdline"),
    *("proc.ppid", "proc.pvpid", "proc.ppid_ts"),
)
LEADERS: Mapping[str, tuple[str, ...]] = {
    "proc.sid": ("proc.sname", "proc.sid_exe", "proc.sid_exepath"),
    "proc.vpgid": ("proc.vpgid_name", "proc.vpgid_exe", "proc.vpgid_exepath"),
}
"""A leader in another namespace has the number 0 here; what is known of it goes."""

GROUP_LEADER = ("proc.pgid_name", "proc.pgid_exe", "proc.pgid_exepath")
EVENT_COLUMNS = tuple(path for path, column in COLUMNS.items() if column.scope is not Scope.PROCESS)
CGROUPS_ARGUMENT = "evt.arg.cgroups"
"""A buffer of the texts that `thread.cgroups` joins by blanks, each with a NUL behind it."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose capture it will be."""

    hostname: str
    accounts: Accounts
    cgroup_prefixes: tuple[str, ...]


def neutralise(
    source: Path, output: Path, pid_namespaces: frozenset[int], identity: Identity
) -> None:
    """Write the neutral capture.

    Raises:
        CaptureError: the source is damaged, or it lost events: a shipped capture is complete.
    """
    with open_capture(source) as capture, CaptureWriter(output, overwrite=True) as writer:
        losses = capture.footer.losses
        if losses.lost_count or not losses.is_known:
            raise CaptureError(source, "lost events; record again")
        inside = _pids_inside(capture, pid_namespaces)
        written = 0
        for group in capture.row_groups:
            written += _write_group(capture, group.index, written, writer, inside, identity)
        writer.close(_footer(capture, written, identity))
    output.chmod(0o644)


def _kept(processes: pa.Table, pid_namespaces: frozenset[int]) -> np.ndarray:
    """Which process states belong to the sandboxes."""
    texts = processes["proc.name"].cast(pa.string())
    pattern = "|".join(re.escape(prefix) for prefix in RUNTIME_PREFIXES)
    names = pc.fill_null(pc.match_substring_regex(texts, f"^({pattern})"), True)
    spaces = pc.is_in(processes["proc.pidns"], value_set=pa.array(sorted(pid_namespaces)))
    return np.asarray(pc.and_(pc.invert(names), spaces))


def _pids_inside(capture: Capture, pid_namespaces: frozenset[int]) -> dict[int, frozenset[int]]:
    """For each row group the keys that stay; and under key -1 every pid that is inside."""
    inside: dict[int, frozenset[int]] = {}
    pids: set[int] = set()
    for group in capture.row_groups:
        processes = capture.process_table(group.index)
        chosen = processes.filter(pa.array(_kept(processes, pid_namespaces)))
        inside[group.index] = frozenset(chosen["proc.key"].to_pylist())
        pids.update(chosen["proc.pid"].to_pylist())
    inside[-1] = frozenset(pids)
    return inside


def _write_group(
    capture: Capture,
    index: int,
    written: int,
    writer: CaptureWriter,
    inside: Mapping[int, frozenset[int]],
    identity: Identity,
) -> int:
    events = capture.read(index, EVENT_COLUMNS)
    keys = pa.array(sorted(inside[index]), pa.int64())
    keep = pc.is_in(events["proc.key"], value_set=keys)
    events = {path: array.filter(keep) for path, array in events.items()}
    rows = len(events["evt.num"])
    order = np.argsort(np.asarray(events["evt.num"]), kind="stable")
    numbers = np.empty(rows, np.int64)
    numbers[order] = np.arange(written + 1, written + rows + 1)
    events["evt.num"] = pa.array(numbers)
    processes = capture.process_table(index)
    processes = processes.filter(pc.is_in(processes["proc.key"], value_set=keys))
    states = [_neutral_state(state, inside[-1], identity) for state in processes.to_pylist()]
    events |= _neutral_arguments(events, capture.footer, inside[-1], identity.accounts)
    events[CGROUPS_ARGUMENT] = pa.array(
        [
            raw and neutral_cgroups(raw.decode(), identity, "\0").encode()
            for raw in events[CGROUPS_ARGUMENT].to_pylist()
        ],
        pa.binary(),
    )
    filled = {path: array for path, array in events.items() if array.null_count < rows}
    writer.write_row_group(filled, _table_of(states, processes.schema))
    return rows


def _table_of(states: Sequence[Mapping[str, object]], schema: pa.Schema) -> pa.Table:
    """States as columns, as recorders hand them over: text as dictionaries, in lists as it is."""
    columns = {}
    for name, kind in zip(schema.names, schema.types, strict=True):
        values = [state[name] for state in states]
        if pa.types.is_dictionary(kind):
            columns[name] = pa.array(values, pa.string()).dictionary_encode()
        elif pa.types.is_list(kind) and pa.types.is_dictionary(kind.value_type):
            columns[name] = pa.array(values, pa.list_(pa.string()))
        else:
            columns[name] = pa.array(values, kind)
    return pa.table(columns)


def _neutral_arguments(
    events: Mapping[str, pa.Array], before: Footer, pids: frozenset[int], accounts: Accounts
) -> dict[str, pa.Array]:
    """Arguments that name a process or an account, with nobody of the recorded machine in them."""
    users = {user.uid: user.name for user in before.users}
    groups = {group.gid: group.name for group in before.groups}

    def process(number: int, text: str) -> str:
        return text if number in pids else str(number)

    def user(number: int, text: str) -> str:
        return accounts.user(number, in_container=False).name if text == users.get(number) else text

    def group(number: int, text: str) -> str:
        return accounts.group(number, in_container=False) if text == groups.get(number) else text

    changes = {"PID": process, "UID": user, "GID": group}
    result = {}
    for name, forms in params_by_name().items():
        for change in {changes[form.type] for form in forms if form.type in changes}:
            text, raw = f"evt.arg.{name}", f"evt.rawarg.{name}"
            result[text] = _replace(events[text], events[raw], change)
    return result


def _replace(texts: pa.Array, numbers: pa.Array, change: Callable[[int, str], str]) -> pa.Array:
    """Apply a change to each distinct pair of number and text."""
    both = pc.and_(pc.is_valid(texts), pc.is_valid(numbers))
    columns = (numbers.filter(both).to_pylist(), texts.filter(both).to_pylist())
    pairs = list(zip(*columns, strict=True))
    changed = {pair: change(*pair) for pair in set(pairs)}
    replacements = pa.array([changed[pair] for pair in pairs], pa.string())
    return pc.replace_with_mask(texts.cast(pa.string()), both, replacements).dictionary_encode()


def _neutral_state(
    state: dict[str, object], pids: frozenset[int], identity: Identity
) -> dict[str, object]:
    """One process state with nothing from outside the sandboxes in it."""
    result = dict(state)
    ancestors = state["proc.apid"] or []
    assert isinstance(ancestors, list)
    depth = next((i for i, pid in enumerate(ancestors) if pid not in pids), len(ancestors))
    for path in ANCESTORS:
        items = state[path]
        result[path] = items[:depth] if isinstance(items, list) else items
    if not depth:
        result.update(dict.fromkeys(PARENT))
    for number, paths in LEADERS.items():
        if not state[number]:
            result.update(dict.fromkeys(paths, ""))
    if state["proc.pgid"] not in pids:
        result.update(dict.fromkeys(GROUP_LEADER, ""))
    if result["proc.loginshellid"] not in pids:
        result["proc.loginshellid"] = None
    result["thread.cgroups"] = neutral_cgroups(str(state["thread.cgroups"]), identity)
    return result | _account(state, identity.accounts)


def neutral_cgroups(text: str, identity: Identity, separator: str = " ") -> str:
    """Control groups, with `/` for every path that is not of the sandboxes."""
    parts = []
    for item in text.split(separator):
        controller, equals, path = item.partition("=")
        kept = path if path.startswith(identity.cgroup_prefixes) else "/"
        parts.append(f"{controller}={kept}" if equals else item)
    return separator.join(parts)


def _account(state: Mapping[str, object], accounts: Accounts) -> dict[str, object]:
    """The names behind the numbers, from the sandbox's own tables."""
    in_container = state["container.id"] != "host"
    uid, gid, login = state["user.uid"], state["group.gid"], state["user.loginuid"]
    assert isinstance(uid, int)
    assert isinstance(gid, int)
    assert isinstance(login, int)
    user = accounts.user(uid, in_container=in_container)
    return {
        "user.name": user.name,
        "user.homedir": user.home,
        "user.shell": user.shell,
        "user.loginname": accounts.user(login, in_container=in_container).name,
        "group.name": accounts.group(gid, in_container=in_container),
    }


def _footer(capture: Capture, written: int, identity: Identity) -> Footer:
    before = capture.footer
    release = re.match(r"\d+(\.\d+)*", before.host.kernel)
    return Footer(
        host=Host(
            hostname=identity.hostname,
            kernel=release.group() if release else "",
            architecture=before.host.architecture,
            cpu_count=before.host.cpu_count,
        ),
        recording=Recording(
            tool=before.recording.tool,
            started_ns=before.recording.started_ns,
            ended_ns=before.recording.ended_ns,
            event_names=before.recording.event_names,
        ),
        losses=Losses(is_known=True, made_count=written),
        users=identity.accounts.users,
        groups=identity.accounts.groups,
        unrecorded=before.unrecorded,
    )


def read_accounts(root: Path) -> Accounts:
    """Users and groups from the tables below a root directory."""
    users = [
        User(uid=int(item[2]), name=item[0], gid=int(item[3]), home=item[5], shell=item[6])
        for item in _colon_separated(root / "etc/passwd")
    ]
    groups = [
        Group(gid=int(item[2]), name=item[0]) for item in _colon_separated(root / "etc/group")
    ]
    return Accounts(users, groups)


def _colon_separated(path: Path) -> list[list[str]]:
    return [line.split(":") for line in path.read_text().splitlines()]


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Keep only what happened in some namespaces.")
    parser.add_argument("source", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--pid-namespace", type=int, action="append", required=True)
    parser.add_argument("--cgroup", action="append", default=[], help="Prefix of paths that stay.")
    parser.add_argument("--hostname", required=True)
    parser.add_argument("--root", type=Path, required=True, help="Root directory with etc/passwd.")
    chosen = parser.parse_args(arguments)
    identity = Identity(chosen.hostname, read_accounts(chosen.root), tuple(chosen.cgroup))
    neutralise(chosen.source, chosen.output, frozenset(chosen.pid_namespace), identity)


if __name__ == "__main__":
    main()

"""Derived fields about the process, its container and the open file, as SQL.

In: the query's context and the field's argument. Out: values. What each function means stands in
`falcotrace.events.derived`; a test holds the columns used here to the inputs named there.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from sqlglot import exp

from falcotrace.engines.sql import build, raw_text
from falcotrace.engines.sql.build import template
from falcotrace.engines.sql.context import ENGINE, Context
from falcotrace.engines.sql.derived_events import (
    Argument,
    DerivedSql,
    chosen,
    number_of,
    text_of,
    truth_of,
    when,
)
from falcotrace.engines.sql.patterns import NOTHING, quote
from falcotrace.engines.sql.text_checks import TEXT_CHECKS, full_match
from falcotrace.engines.sql.values import Choice, Items, PrintedNumber, Scalar
from falcotrace.errors import UnsupportedError
from falcotrace.events import derived as table
from falcotrace.events.operators import Multiplicity, Operator, ValueKind


def _text(value: exp.Expr) -> Scalar:
    return Scalar(value, ValueKind.TEXT)


def _or_empty(items: str, value: exp.Expr) -> Scalar:
    """A text that is empty where the list is there and has none."""
    sql = f"CASE WHEN {items} IS NOT NULL THEN coalesce(:value, '') END"
    return _text(template(sql, value=value))


def _args_text(_: Context, argument: Argument) -> Scalar:
    if argument is None:
        return _text(template("array_to_string(proc.argv, ' ')"))
    return _or_empty("proc.argv", _item_at("proc.argv", int(argument)))


def _item_at(path: str, index: int) -> exp.Expr:
    return build.element(build.column(path), build.number(index + 1))


def _argument_length(_: Context, _argument: Argument) -> Scalar:
    length = raw_text.byte_length(template("array_to_string(proc.argv, '')"))
    return Scalar(length, ValueKind.NUMBER)


def _env_text(_: Context, argument: Argument) -> Scalar:
    if argument is None:
        return _text(template("array_to_string(proc.env, ' ')"))
    value = _behind(build.column("proc.env"), f"{argument}=")
    # Without the blank DuckDB takes away whatever Unicode calls a space.
    return _or_empty("proc.env", build.call("trim", value, build.text(" ")))


_ENV_TEXT = "replace(:item, chr(31), ' ')"
_ENV_VALUE = """
coalesce(
    list_filter(
        list_transform(
            proc.aenv,
            lambda each: trim(
                coalesce(
                    substr(
                        list_filter(
                            string_split(each, chr(31)), lambda x: starts_with(x, :prefix)
                        )[1],
                        :start
                    ),
                    ''
                ),
                ' '
            )
        ),
        lambda v: v <> ''
    )[1],
    CASE WHEN proc.aenv IS NOT NULL THEN '' END
)
"""


def _ancestor_args(_: Context, argument: Argument) -> Scalar:
    if argument is None:
        return _text(template("array_to_string(proc.aargs, ' ')"))
    if argument == 0:
        return _text(template("array_to_string(proc.argv, ' ')"))
    assert isinstance(argument, int)
    return _text(build.element(build.column("proc.aargs"), build.number(argument)))


def _ancestor_env(_: Context, argument: Argument) -> Scalar | Items:
    if argument == 0:
        return _text(template("array_to_string(proc.env, ' ')"))
    stored = build.column("proc.aenv")
    if argument is None:
        shown = build.each(lambda item: template(_ENV_TEXT, item=item))
        listed = build.call("list_transform", stored, shown)
        return Items(listed, ValueKind.TEXT, Multiplicity.ANY_ANCESTOR)
    if isinstance(argument, int):
        item = build.element(stored, build.number(argument))
        return _text(template(_ENV_TEXT, item=item))
    prefix = f"{argument}="
    start = build.number(len(prefix) + 1)
    return _text(template(_ENV_VALUE, prefix=build.text(prefix), start=start))


def _fd_types(_: Context, argument: Argument) -> Items:
    if argument is None:
        return Items(build.column("fd.types"), ValueKind.TEXT, Multiplicity.LIST)
    assert isinstance(argument, int)
    if argument >= len(table.STANDARD_STREAMS):
        raise UnsupportedError(f"field fd.types[{argument}]: only the standard streams", ENGINE)
    stream = build.column(table.STANDARD_STREAMS[argument])
    listed = template(
        "CASE WHEN :type IS NOT NULL AND fd.num IS NOT NULL THEN [:type] END", type=stream
    )
    return Items(listed, ValueKind.TEXT, Multiplicity.LIST)


def _behind(items: exp.Expr, prefix: str) -> exp.Expr:
    """What follows a prefix in the first element that begins with it."""
    return template(
        "substr(list_filter(:items, lambda x: starts_with(x, :prefix))[1], :start)",
        items=items,
        prefix=build.text(prefix),
        start=build.number(len(prefix) + 1),
    )


def _item(path: str, separator: str, between: str) -> DerivedSql:
    """The value of a key in a text of joined `key value` items."""

    def function(_: Context, argument: Argument) -> Scalar:
        items = build.call("string_split", build.column(path), build.text(separator))
        return _text(_behind(items, f"{argument}{between}"))

    return function


def _label(path: str) -> DerivedSql:
    return lambda _context, argument: _text(_behind(build.column(path), f"{argument}="))


def _on_switch(path: str) -> DerivedSql:
    """A number of scheduler switches; 0 for other events."""

    def function(context: Context, _: Argument) -> Scalar:
        others = template("CASE WHEN proc.pid IS NOT NULL THEN 0 END")
        number = when(context.is_event({"switch"}), build.column(path), others)
        return Scalar(number, ValueKind.NUMBER)

    return function


def _main_thread_memory(path: str, factor: str = "") -> DerivedSql:
    return number_of(
        f"CASE WHEN thread.tid = proc.pid THEN {path}{factor} WHEN {path} IS NOT NULL THEN 0 END"
    )


def _typechar(context: Context, _: Argument) -> Scalar:
    fd_type = build.column("fd.type")
    unknown = template("fd.type IS NULL AND fd.num IS NOT NULL")

    def guessed(condition: exp.Expr) -> exp.Expr:
        return build.all_of([unknown.copy(), condition])

    conditions: dict[str, list[exp.Expr]] = {}
    for name, char in table.TYPECHAR_BY_FD_TYPE.items():
        conditions.setdefault(char, []).append(build.text(name))
    by_char = {char: [build.among(fd_type, names)] for char, names in conditions.items()}
    others = template(
        "fd.type IS NOT NULL AND NOT :known",
        known=exp.In(
            this=fd_type, expressions=[build.text(name) for name in table.TYPECHAR_BY_FD_TYPE]
        ),
    )
    by_char.setdefault(table.OTHER_TYPECHAR, []).append(others)
    for char in sorted({*table.TYPECHAR_BY_EVENT.values()}):
        names = {name for name, other in table.TYPECHAR_BY_EVENT.items() if other == char}
        by_char.setdefault(char, []).append(guessed(context.is_event(names)))
    rest = guessed(context.is_other_event(table.TYPECHAR_BY_EVENT.keys()))
    by_char.setdefault(table.TYPECHAR_WITHOUT_FD, []).append(rest)
    return chosen(*(Choice(build.any_of(parts), char) for char, parts in by_char.items()))


_DIRECTORY = """
CASE
    WHEN fd.type = 'directory' THEN fd.name
    WHEN fd.name IS NOT NULL AND coalesce(fd.type, 'file') = 'file'
        THEN if(
            ends_with(fd.name, '/'),
            fd.name,
            coalesce(nullif(regexp_extract(fd.name, '(.*)/', 1, 's'), ''), '/')
        )
END
"""


def _fd_directory(_: Context, _argument: Argument) -> Scalar:
    return Scalar(template(_DIRECTORY), ValueKind.TEXT, equals=_is_directory)


def _is_directory(names: Sequence[str]) -> exp.Expr:
    """Whether the file lies in one of some directories, or the descriptor is one of them."""
    path = build.column("fd.name")
    inside = full_match(path, _inside_pattern(names))
    is_file = template("(fd.type = 'file' OR fd.type IS NULL)")
    itself = build.among(path, [build.text(name) for name in names])
    is_directory = template("fd.type = 'directory'")
    return build.any_of([build.all_of([is_file, inside]), build.all_of([is_directory, itself])])


def _inside_pattern(names: Sequence[str]) -> str:
    """Paths whose part up to the last slash is one of some names."""
    plain = [quote(name) for name in names if name and not name.endswith("/")]
    group = plain[0] if len(plain) == 1 else f"({'|'.join(plain)})"
    patterns = [f"{group}/[^/]+"] if plain else []
    # A path that ends in a slash is its own directory; `/` is that of paths without another slash.
    patterns += [f"{quote(name)}(/[^/]+)?" for name in names if name.endswith("/") and name != "/"]
    patterns += ["/?[^/]*"] if "/" in names else []
    return "|".join(patterns) or NOTHING


_FILE_NAME = """
CASE WHEN fd.type = 'file' AND fd.name IS NOT NULL
    THEN CASE
        WHEN ends_with(fd.name, '/') THEN fd.name
        WHEN contains(fd.name, '/') THEN split_part(fd.name, '/', -1)
        ELSE '/'
    END
END
"""


def _is_file_name(names: Sequence[str]) -> exp.Expr:
    """Whether the path of a file ends in one of some names."""
    path = build.column("fd.name")
    plain = [name for name in names if name and "/" not in name]
    ends = [build.call("ends_with", path, build.text(f"/{name}")) for name in plain]
    # A path that ends in a slash is its own last component.
    whole = [build.text(name) for name in names if name.endswith("/")]
    if whole:
        ends.append(build.among(path, whole))
    if "/" in names:
        ends.append(build.negate(build.call("contains", path, build.text("/"))))
    return build.all_of([template("fd.type = 'file'"), build.any_of(ends)])


def _socket_family(_: Context, _argument: Argument) -> Scalar:
    return chosen(
        Choice(template("fd.type IN ('ipv4', 'ipv6')"), "ip"),
        Choice(template("fd.type = 'unix'"), "unix"),
    )


def _in_container(of: DerivedSql) -> DerivedSql:
    return lambda context, argument: _text(
        template("container.id || ':' || :of", of=of(context, argument).expression)
    )


def _port_text(path: str) -> DerivedSql:
    def function(_: Context, _argument: Argument) -> Scalar:
        port = build.column(path)
        shown = template("CAST(:port AS TEXT)", port=port)
        return Scalar(shown, ValueKind.TEXT, printed=PrintedNumber(port, _decimal))

    return function


def _decimal(text: str) -> list[int]:
    is_number = text.isascii() and text.isdigit() and len(text) < 6 and str(int(text)) == text
    return [int(text)] if is_number else []


_MOUNT_PARTS = ("source", "dest", "mode", "rdwr", "propagation")


def _mount(shown: tuple[str, ...], chosen_by: str = "source") -> DerivedSql:
    """Parts of the mount that the argument chooses, joined by colons."""

    def function(_: Context, argument: Argument) -> Scalar:
        if isinstance(argument, int):
            place: exp.Expr = build.number(argument + 1)
        else:
            matches = build.call(
                "list_transform",
                build.column(f"container.mount.{chosen_by}"),
                build.each(lambda x: TEXT_CHECKS[Operator.GLOB](x, str(argument))),
            )
            place = build.call("list_position", matches, build.truth(True))
        parts: list[exp.Expr] = []
        for part in shown:
            if parts:
                parts.append(build.text(":"))
            parts.append(build.element(build.column(f"container.mount.{part}"), place))
        return _text(build.concatenate(*parts))

    return function


def _is_same(first: str, second: str) -> DerivedSql:
    return truth_of(f"{first} = {second}")


STATE_FUNCTIONS: Mapping[str, Callable[[Context, Argument], Scalar | Items]] = MappingProxyType(
    {
        "args_text": _args_text,
        "cmdnargs": number_of("len(proc.argv)"),
        "cmdlenargs": _argument_length,
        "exeline": text_of("proc.exe || ' ' || array_to_string(proc.argv, ' ')"),
        "env_text": _env_text,
        "ancestor_args": _ancestor_args,
        "ancestor_env": _ancestor_env,
        "fd_types": _fd_types,
        "is_sid_leader": _is_same("proc.sid", "proc.vpid"),
        "is_vpgid_leader": _is_same("proc.vpgid", "proc.vpid"),
        "is_pgid_leader": _is_same("proc.pgid", "proc.pid"),
        "fdusage": number_of(
            "CASE WHEN proc.fdlimit > 0"
            " THEN proc.fdopencount * CAST(100.0 AS DOUBLE) / proc.fdlimit"
            " WHEN proc.fdlimit + proc.fdopencount IS NOT NULL THEN 0 END"
        ),
        "exec_time": _on_switch("thread.exectime"),
        "total_exec_time": _on_switch("thread.totexectime"),
        "nametid": text_of("proc.name || CAST(thread.tid AS TEXT)"),
        "cgroup": _item("thread.cgroups", " ", "="),
        "thread_vmsize": _main_thread_memory("proc.vmsize"),
        "thread_vmrss": _main_thread_memory("proc.vmrss"),
        "thread_vmsize_b": _main_thread_memory("proc.vmsize", " * 1024"),
        "thread_vmrss_b": _main_thread_memory("proc.vmrss", " * 1024"),
        "typechar": _typechar,
        "fd_directory": _fd_directory,
        "fd_filename": lambda _context, _argument: Scalar(
            template(_FILE_NAME), ValueKind.TEXT, equals=_is_file_name
        ),
        "sockfamily": _socket_family,
        "fd_uid": text_of("CAST(thread.tid AS TEXT) || CAST(fd.num AS TEXT)"),
        "containername": _in_container(text_of("fd.name")),
        "containerdirectory": _in_container(_fd_directory),
        "service_cport": _port_text("fd.cport"),
        "service_sport": _port_text("fd.sport"),
        "service_lport": _port_text("fd.lport"),
        "service_rport": _port_text("fd.rport"),
        "dev_major": number_of("(fd.dev >> 8) & 4095"),
        "dev_minor": number_of("(fd.dev & 255) | ((fd.dev >> 12) & 1048320)"),
        "mount": _mount(_MOUNT_PARTS),
        "mount_source": _mount(("source",), "dest"),
        "mount_dest": _mount(("dest",)),
        "mount_mode": _mount(("mode",)),
        "mount_rdwr": _mount(("rdwr",)),
        "mount_propagation": _mount(("propagation",)),
        "container_start_ts": number_of(
            "CASE WHEN container.id IS DISTINCT FROM 'host' THEN proc.pidns_init_start_ts END"
        ),
        "label": _label("container.label"),
        "pod_label": _label("k8s.pod.label"),
    }
)
"""Functions by the name that `fields.tsv` gives them."""

"""Derived fields about the process, its container and the open file."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from falcotrace.engines.derived_base import (
    DerivedFunction,
    Inputs,
    as_int64,
    both_present,
    choose,
    constant_texts,
    flags,
    is_among,
    keep_where,
    map_texts,
    map_values,
    number_texts,
    select_numbers,
)
from falcotrace.engines.path_parts import directory_names, file_names
from falcotrace.engines.text_match import TEXT_MATCHES, match_glob
from falcotrace.engines.transforms import (
    byte_lengths,
    join_elements,
    join_texts,
)
from falcotrace.engines.vectors import (
    MISSING,
    Bools,
    Integers,
    ListVector,
    NumberVector,
    Rows,
    TextVector,
    Vector,
    arrow_text,
    arrow_texts,
    bools_of,
    missing_vector,
    text_vector,
)
from falcotrace.events import derived as table
from falcotrace.events.operators import Operator

_KIB = 1024


def _args_text(inputs: Inputs) -> Vector:
    words = inputs.lists("proc.argv")
    if inputs.argument is None:
        return join_elements(words, " ")
    assert isinstance(inputs.argument, int)
    word = words.element(inputs.argument)
    assert isinstance(word, TextVector)
    return _or_empty(word, words.present())


def _or_empty(vector: TextVector, rows: Bools) -> TextVector:
    """The empty text where a row of `rows` has no value."""
    empty = constant_texts([(rows, "")], len(vector))
    return choose(vector.present(), vector, empty)


def _argument_count(inputs: Inputs) -> Vector:
    words = inputs.lists("proc.argv")
    return NumberVector(np.diff(words.offsets), words.valid)


def _argument_length(inputs: Inputs) -> Vector:
    words = inputs.lists("proc.argv")
    assert isinstance(words.elements, TextVector)
    by_value = np.append(byte_lengths(words.elements.domain.values), 0)
    sums = np.zeros(len(words.elements) + 1, np.int64)
    np.cumsum(by_value.take(words.elements.codes), out=sums[1:])
    return NumberVector(sums[words.offsets[1:]] - sums[words.offsets[:-1]], words.valid)


def _exeline(inputs: Inputs) -> Vector:
    return join_texts(
        " ", [inputs.texts("proc.exe"), join_elements(inputs.lists("proc.argv"), " ")]
    )


def _env_text(inputs: Inputs) -> Vector:
    variables = inputs.lists("proc.env")
    if inputs.argument is None:
        return join_elements(variables, " ")
    found = first_with_prefix(variables, f"{inputs.argument}=")
    trimmed = map_values(found, lambda values: pc.utf8_trim(values, characters=" "))
    return _or_empty(trimmed, variables.present())


def _ancestor_args(inputs: Inputs) -> Vector:
    if inputs.argument == 0:
        return join_elements(inputs.lists("proc.argv"), " ")
    words = inputs.lists("proc.aargs")
    if inputs.argument is None:
        return join_elements(words, " ")
    assert isinstance(inputs.argument, int)
    return words.element(inputs.argument - 1)


def _ancestor_env(inputs: Inputs) -> Vector:
    argument = inputs.argument
    if argument == 0:
        return join_elements(inputs.lists("proc.env"), " ")
    variables = inputs.lists("proc.aenv")
    assert isinstance(variables.elements, TextVector)
    if isinstance(argument, str):
        values = map_values(variables.elements, lambda texts: _variables(texts, f"{argument}="))
        named = ListVector(values, variables.offsets, variables.valid)
        found = named.element(_first_places(named, lambda texts: bools_of(_is_given(texts))))
        assert isinstance(found, TextVector)
        return _or_empty(found, named.present())
    # DIFFERS: in conditions libs 48dfd53c asks `proc.aenv[n]` of any ancestor.
    shown = ListVector(
        map_values(variables.elements, _with_blanks), variables.offsets, variables.valid
    )
    return shown if argument is None else shown.element(argument - 1)


def _with_blanks(values: pa.Array) -> pa.Array:
    return pc.replace_substring(values, pattern=table.ENV_SEPARATOR, replacement=" ")


def _is_given(values: pa.Array) -> pa.Array:
    return pc.not_equal(values, arrow_text(""))


def _variables(values: pa.Array, prefix: str) -> pa.Array:
    """The value of a variable in each environment, empty where it is not set."""
    found = (
        next((item for item in text.split(table.ENV_SEPARATOR) if item.startswith(prefix)), "")
        for text in values.to_pylist()
    )
    return arrow_texts(item.removeprefix(prefix).strip(" ") for item in found)


def _fd_types(inputs: Inputs) -> Vector:
    if inputs.argument is None:
        return inputs.lists("fd.types")
    assert isinstance(inputs.argument, int)
    if inputs.argument >= len(table.STANDARD_STREAMS):
        return missing_vector(inputs.row_count)
    types = inputs.texts(table.STANDARD_STREAMS[inputs.argument])
    known = types.present() & inputs.numbers("fd.num").present()
    offsets = np.zeros(inputs.row_count + 1, np.int64)
    np.cumsum(known, out=offsets[1:])
    return ListVector(types.take(np.flatnonzero(known)), offsets, known)


def first_with_prefix(vector: ListVector, prefix: str) -> TextVector:
    """What follows a prefix in the first element of each list that begins with it."""
    found = vector.element(
        _first_places(vector, lambda values: TEXT_MATCHES[Operator.STARTSWITH](values, prefix))
    )
    assert isinstance(found, TextVector)
    size = len(prefix.encode())
    return map_values(found, lambda values: _without_prefix(values, size))


def _first_places(vector: ListVector, test: Callable[[pa.Array], Bools]) -> Rows:
    """The index of the first element of each list that passes a test, -1 where none does."""
    elements = vector.elements
    assert isinstance(elements, TextVector)
    truth = np.append(test(elements.domain.values), np.False_).take(elements.codes)
    places = np.flatnonzero(truth)
    owners = np.searchsorted(vector.offsets, places, side="right") - 1
    rows, firsts = np.unique(owners, return_index=True)
    found = np.full(len(vector), -1, np.int64)
    found[rows] = places[firsts] - vector.offsets[rows]
    return found


def _without_prefix(values: pa.Array, size: int) -> pa.Array:
    # The end is given because pyarrow 26 fails on several values without one.
    return pc.binary_slice(values.cast(pa.binary()), size, _INT32_MAX).cast(pa.string())


_INT32_MAX = (1 << 31) - 1


def _item(path: str, separator: str, between: str) -> DerivedFunction:
    """The value of a key in a text of joined `key value` items."""

    def function(inputs: Inputs) -> Vector:
        prefix = f"{inputs.argument}{between}"

        def find(text: str) -> str | None:
            items = text.split(separator)
            return next((x[len(prefix) :] for x in items if x.startswith(prefix)), None)

        small = inputs.texts(path).compact()
        found = text_vector([find(text) for text in small.domain.values.to_pylist()])
        codes = np.append(found.codes, np.int32(MISSING)).take(small.codes)
        return TextVector(found.domain, codes)

    return function


def _label(path: str) -> DerivedFunction:
    return lambda inputs: first_with_prefix(inputs.lists(path), f"{inputs.argument}=")


def _same(first: str, second: str) -> DerivedFunction:
    def function(inputs: Inputs) -> Vector:
        one, other = inputs.numbers(first), inputs.numbers(second)
        return flags(one.values == other.values, both_present(one, other))

    return function


def _fd_usage(inputs: Inputs) -> Vector:
    opened, limit = inputs.numbers("proc.fdopencount"), inputs.numbers("proc.fdlimit")
    share = np.zeros(inputs.row_count, np.float64)
    divisor = as_int64(limit.values)
    np.divide(as_int64(opened.values) * 100.0, divisor, out=share, where=divisor > 0)
    return NumberVector(share, both_present(opened, limit))


def _main_thread_memory(path: str, factor: int) -> DerivedFunction:
    def function(inputs: Inputs) -> Vector:
        size = inputs.numbers(path)
        thread, process = inputs.numbers("thread.tid"), inputs.numbers("proc.pid")
        main = (thread.values == process.values) & thread.present() & process.present()
        return NumberVector(np.where(main, as_int64(size.values) * factor, 0), size.valid)

    return function


def _on_switch(path: str) -> DerivedFunction:
    """A number of scheduler switches; 0 for other events."""

    def function(inputs: Inputs) -> Vector:
        found = inputs.numbers(path)
        switches = inputs.events(("switch",))
        others = inputs.numbers("proc.pid").present() & ~switches
        values = np.where(switches, as_int64(found.values), 0)
        return NumberVector(values, others | (switches & found.present()))

    return function


def _name_and_tid(inputs: Inputs) -> Vector:
    return join_texts("", [inputs.texts("proc.name"), number_texts(inputs.numbers("thread.tid"))])


def _typechar(inputs: Inputs) -> Vector:
    known = map_texts(inputs.texts("fd.type"), table.TYPECHAR_BY_FD_TYPE, table.OTHER_TYPECHAR)
    guessed = map_texts(
        inputs.texts("evt.type"), table.TYPECHAR_BY_EVENT, table.TYPECHAR_WITHOUT_FD
    )
    guessed = keep_where(guessed, inputs.numbers("fd.num").present())
    return choose(known.present(), known, guessed)


def _fd_directory(inputs: Inputs) -> TextVector:
    names, kinds = inputs.texts("fd.name"), inputs.texts("fd.type")
    is_file = is_among(kinds, ("file",)) | ~kinds.present()
    parents = map_values(keep_where(names, is_file), directory_names)
    return choose(is_file, parents, keep_where(names, is_among(kinds, ("directory",))))


def _fd_filename(inputs: Inputs) -> Vector:
    files = is_among(inputs.texts("fd.type"), ("file",))
    return map_values(keep_where(inputs.texts("fd.name"), files), file_names)


_FAMILIES = MappingProxyType(
    {**dict.fromkeys(table.IP_FD_TYPES, "ip"), "unix": "unix"},
)


def _fd_uid(inputs: Inputs) -> Vector:
    parts = [number_texts(inputs.numbers(path)) for path in ("thread.tid", "fd.num")]
    return join_texts("", parts)


def _in_container(of: Callable[[Inputs], TextVector]) -> DerivedFunction:
    return lambda inputs: join_texts(":", [inputs.texts("container.id"), of(inputs)])


def _port_text(path: str) -> DerivedFunction:
    return lambda inputs: number_texts(inputs.numbers(path))


def _device(part: Callable[[Integers], Integers]) -> DerivedFunction:
    def function(inputs: Inputs) -> Vector:
        device = inputs.numbers("fd.dev")
        return NumberVector(part(as_int64(device.values)), device.valid)

    return function


def _container_start(inputs: Inputs) -> Vector:
    outside = is_among(inputs.texts("container.id"), ("host",))
    return select_numbers(inputs.numbers("proc.pidns_init_start_ts"), ~outside)


_MOUNT_PARTS = ("source", "dest", "mode", "rdwr", "propagation")


def _mount(shown: tuple[str, ...], chosen_by: str = "source") -> DerivedFunction:
    """Parts of the mount that the argument chooses, joined by colons."""

    def function(inputs: Inputs) -> Vector:
        argument = inputs.argument
        if isinstance(argument, int):
            places = np.full(inputs.row_count, argument, np.int64)
        else:
            keys = inputs.lists(f"container.mount.{chosen_by}")
            places = _first_places(keys, lambda values: match_glob(values, str(argument)))
        parts = [inputs.lists(f"container.mount.{part}").element(places) for part in shown]
        return join_texts(":", [part for part in parts if isinstance(part, TextVector)])

    return function


STATE_FUNCTIONS: Mapping[str, DerivedFunction] = MappingProxyType(
    {
        "args_text": _args_text,
        "cmdnargs": _argument_count,
        "cmdlenargs": _argument_length,
        "exeline": _exeline,
        "ancestor_args": _ancestor_args,
        "ancestor_env": _ancestor_env,
        "fd_types": _fd_types,
        "env_text": _env_text,
        "is_sid_leader": _same("proc.sid", "proc.vpid"),
        "is_vpgid_leader": _same("proc.vpgid", "proc.vpid"),
        "is_pgid_leader": _same("proc.pgid", "proc.pid"),
        "fdusage": _fd_usage,
        "exec_time": _on_switch("thread.exectime"),
        "total_exec_time": _on_switch("thread.totexectime"),
        "nametid": _name_and_tid,
        "cgroup": _item("thread.cgroups", " ", "="),
        "thread_vmsize": _main_thread_memory("proc.vmsize", 1),
        "thread_vmrss": _main_thread_memory("proc.vmrss", 1),
        "thread_vmsize_b": _main_thread_memory("proc.vmsize", _KIB),
        "thread_vmrss_b": _main_thread_memory("proc.vmrss", _KIB),
        "typechar": _typechar,
        "fd_directory": _fd_directory,
        "fd_filename": _fd_filename,
        "sockfamily": lambda inputs: map_texts(inputs.texts("fd.type"), _FAMILIES),
        "fd_uid": _fd_uid,
        "containername": _in_container(lambda inputs: inputs.texts("fd.name")),
        "containerdirectory": _in_container(_fd_directory),
        "service_cport": _port_text("fd.cport"),
        "service_sport": _port_text("fd.sport"),
        "service_lport": _port_text("fd.lport"),
        "service_rport": _port_text("fd.rport"),
        "dev_major": _device(lambda device: (device >> 8) & 0xFFF),
        "dev_minor": _device(lambda device: (device & 0xFF) | ((device >> 12) & 0xFFF00)),
        "mount": _mount(_MOUNT_PARTS),
        "mount_source": _mount(("source",), "dest"),
        "mount_dest": _mount(("dest",)),
        "mount_mode": _mount(("mode",)),
        "mount_rdwr": _mount(("rdwr",)),
        "mount_propagation": _mount(("propagation",)),
        "container_start_ts": _container_start,
        "label": _label("container.label"),
        "pod_label": _label("k8s.pod.label"),
    }
)
"""Functions by the name that `fields.tsv` gives them."""

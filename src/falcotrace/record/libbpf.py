"""The system's libbpf: opens, configures, loads and attaches a BPF object; reads its maps.

In come the bytes of a compiled object and settings for it, out go running programs and the values
of maps. With `rights.py` and `memory.py` the only module with ctypes. It knows nothing about what
the programs do (`session.py`) and does not read their ring buffer (`ring.py`).

Source: libbpf 1.x, `bpf/libbpf.h`; in it failures are negative numbers, or NULL with errno.
"""

import contextlib
import ctypes
import errno
import functools
import mmap
import os
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Self

from falcotrace.errors import RecordError

LIBRARY: Final = "libbpf.so.1"
KERNEL_BTF: Final = Path("/sys/kernel/btf/vmlinux")

_POINTER = ctypes.c_void_p
_TEXT = ctypes.c_char_p
_INT = ctypes.c_int

_FUNCTIONS: Final = {
    "bpf_object__open_mem": (_POINTER, (_POINTER, ctypes.c_size_t, _POINTER)),
    "bpf_object__load": (_INT, (_POINTER,)),
    "bpf_object__close": (None, (_POINTER,)),
    "bpf_object__find_program_by_name": (_POINTER, (_POINTER, _TEXT)),
    "bpf_object__find_map_by_name": (_POINTER, (_POINTER, _TEXT)),
    "bpf_program__set_autoload": (_INT, (_POINTER, ctypes.c_bool)),
    "bpf_program__attach": (_POINTER, (_POINTER,)),
    "bpf_program__attach_iter": (_POINTER, (_POINTER, _POINTER)),
    "bpf_program__attach_perf_event": (_POINTER, (_POINTER, _INT)),
    "bpf_program__fd": (_INT, (_POINTER,)),
    "bpf_link__fd": (_INT, (_POINTER,)),
    "bpf_link__destroy": (_INT, (_POINTER,)),
    "bpf_iter_create": (_INT, (_INT,)),
    "bpf_map__fd": (_INT, (_POINTER,)),
    "bpf_map__set_max_entries": (_INT, (_POINTER, ctypes.c_uint32)),
    "bpf_map__initial_value": (_POINTER, (_POINTER, ctypes.POINTER(ctypes.c_size_t))),
    "bpf_map_lookup_elem": (_INT, (_INT, _POINTER, _POINTER)),
    "libbpf_num_possible_cpus": (_INT, ()),
    "libbpf_set_print": (_POINTER, (_POINTER,)),
}
_PRINT = ctypes.CFUNCTYPE(_INT, _INT, _TEXT, _POINTER)

_HINT_LIBRARY: Final = (
    "Install it: `apt install libbpf1` (Debian, Ubuntu), `dnf install libbpf` (Fedora, RHEL), "
    "`zypper install libbpf1` (SUSE), `pacman -S libbpf` (Arch)."
)
_HINT_RIGHTS: Final = (
    "Recording needs root, or the capabilities CAP_BPF and CAP_PERFMON; in a "
    "container: the host's pid namespace and `--privileged`."
)
_HINT_BTF: Final = (
    "Recording needs Linux 5.12 or newer, built with CONFIG_DEBUG_INFO_BTF=y (all large "
    f"distributions do); the kernel then shows {KERNEL_BTF}."
)
_HINT_VERIFIER: Final = "Run again with --debug to see what the kernel's verifier says."


@functools.cache
def _library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(LIBRARY, use_errno=True)
    except OSError as error:
        raise RecordError(f"cannot load {LIBRARY}: {error}", _HINT_LIBRARY) from error
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(library, name, None)
        if function is None:
            raise RecordError(f"{LIBRARY} has no function {name}: it is too old", _HINT_LIBRARY)
        function.restype, function.argtypes = result, arguments
    return library


class _Log:
    """What libbpf prints while something is done: warnings, and with them the verifier's log."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._vsnprintf = ctypes.CDLL(None).vsnprintf
        self._vsnprintf.argtypes = (_POINTER, ctypes.c_size_t, _TEXT, _POINTER)
        self._buffer = ctypes.create_string_buffer(1 << 20)
        self._callback = _PRINT(self._print)

    def _print(self, level: int, form: bytes, arguments: int) -> int:
        if level == 0:  # LIBBPF_WARN
            self._vsnprintf(self._buffer, len(self._buffer), form, arguments)
            self.lines.append(self._buffer.value.decode(errors="replace").rstrip())
        return 0

    @contextlib.contextmanager
    def catching(self) -> Iterator[None]:
        """Collect libbpf's output for the duration."""
        before = _library().libbpf_set_print(ctypes.cast(self._callback, _POINTER))
        try:
            yield
        finally:
            _library().libbpf_set_print(before)


def read_symbols(elf: bytes) -> dict[str, dict[str, tuple[int, int]]]:
    """Read an object's symbols: section name to symbol name to (offset, size).

    Source: ELF-64 little endian, as clang writes BPF objects; `man 5 elf`.
    """
    section_offset, entry_size, count, names_index = struct.unpack_from("<Q10xHHH", elf, 40)
    headers = [
        struct.unpack_from("<IIQQQQII16x", elf, section_offset + i * entry_size)
        for i in range(count)
    ]

    def text(section: int, offset: int) -> str:
        start = headers[section][4] + offset
        return elf[start : elf.index(b"\0", start)].decode()

    result: dict[str, dict[str, tuple[int, int]]] = {}
    for _, kind, _, _, offset, size, strings, _ in headers:
        if kind != 2:  # SHT_SYMTAB
            continue
        for at in range(offset, offset + size, 24):
            name, _, _, section, value, length = struct.unpack_from("<IBBHQQ", elf, at)
            if 0 < section < count and name:
                owner = text(names_index, headers[section][0])
                result.setdefault(owner, {})[text(strings, name)] = (value, length)
    return result


def count_cpus() -> int:
    """Return how many CPUs the kernel may ever have: arrays by CPU are that long."""
    return int(_library().libbpf_num_possible_cpus())


class BpfObject:
    """One BPF object, from its bytes to running programs.

    The order is: set settings, `load()`, `attach()` or `iterate()`, `close()`.

    Args:
        elf: the compiled object.
    """

    def __init__(self, elf: bytes) -> None:
        self._log = _Log()
        self._links: list[int] = []
        self._symbols = read_symbols(elf)
        self._elf = elf  # libbpf may look into it until the object is loaded
        with self._log.catching():
            self._object = _library().bpf_object__open_mem(elf, len(elf), None)
        if not self._object:
            raise self._error("cannot open the BPF object", ctypes.get_errno())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def log(self) -> str:
        """What libbpf and the verifier said so far."""
        return "\n".join(self._log.lines)

    def set_setting(self, name: str, value: bytes) -> None:
        """Give a constant of the programs its value; only before `load()`."""
        offset, length = self._symbols[".rodata"][name]
        total = ctypes.c_size_t()
        start = _library().bpf_map__initial_value(self._map(".rodata"), ctypes.byref(total))
        if not start or len(value) != length or offset + length > total.value:
            raise RecordError(f"the setting {name} does not take {len(value)} bytes")
        ctypes.memmove(start + offset, value, length)

    def set_max_entries(self, map_name: str, count: int) -> None:
        """Set a map's size; only before `load()`."""
        result = _library().bpf_map__set_max_entries(self._map(map_name), count)
        if result:
            raise self._error(f"map {map_name} cannot have {count} entries", -result)

    def disable(self, *programs: str) -> None:
        """Leave programs out; only before `load()`."""
        for name in programs:
            program = self._program(name, required=False)
            if program:
                _library().bpf_program__set_autoload(program, False)

    def load(self) -> None:
        """Give maps and programs to the kernel, whose verifier checks them."""
        with self._log.catching():
            result = _library().bpf_object__load(self._object)
        if result:
            raise self._error("the kernel refused the BPF programs", -result)

    def attach(self, program: str) -> None:
        """Let a program run wherever its section says."""
        with self._log.catching():
            link = _library().bpf_program__attach(self._program(program))
        if not link:
            raise self._error(f"cannot attach {program}", ctypes.get_errno())
        self._links.append(link)

    def attach_tracepoint(self, program: str, tracepoint: str) -> None:
        """Let a program run at a tracepoint such as `syscalls/sys_enter_close`, on all CPUs."""
        perf_fd = _open_tracepoint(tracepoint)
        with self._log.catching():
            link = _library().bpf_program__attach_perf_event(self._program(program), perf_fd)
        if not link:
            os.close(perf_fd)
            raise self._error(f"cannot attach {program}", ctypes.get_errno())
        self._links.append(link)

    def detach(self) -> None:
        """Stop all programs; maps and the ring stay."""
        while self._links:
            _library().bpf_link__destroy(self._links.pop())

    def iterate(self, program: str) -> bytes:
        """Run an iterator program over all that it iterates; returns what it printed."""
        with self._log.catching():
            link = _library().bpf_program__attach_iter(self._program(program), None)
        if not link:
            raise self._error(f"cannot attach {program}", ctypes.get_errno())
        try:
            fd = _library().bpf_iter_create(_library().bpf_link__fd(link))
            if fd < 0:
                raise self._error(f"cannot run {program}", -fd)
            with os.fdopen(fd, "rb", buffering=0) as output:
                return output.read()
        finally:
            _library().bpf_link__destroy(link)

    def map_fd(self, map_name: str) -> int:
        """Return a loaded map's file descriptor, which stays the object's."""
        return int(_library().bpf_map__fd(self._map(map_name)))

    def program_fd(self, program: str) -> int:
        """Return a loaded program's file descriptor, which stays the object's."""
        return int(_library().bpf_program__fd(self._program(program)))

    def read_array(self, map_name: str, count: int, value_size: int) -> bytes:
        """Return the first values of an array map, back to back."""
        values = ctypes.create_string_buffer(count * value_size)
        fd = self.map_fd(map_name)
        for index in range(count):
            key = ctypes.c_uint32(index)
            at = ctypes.byref(values, index * value_size)
            result = _library().bpf_map_lookup_elem(fd, ctypes.byref(key), at)
            if result:
                raise self._error(f"cannot read map {map_name}", -result)
        return values.raw

    def read_variable(self, name: str) -> int:
        """Return a global variable's value (not a constant's); only after `load()`."""
        offset, length = self._symbols[".bss"][name]
        return int.from_bytes(self._globals[offset : offset + length], "little")

    def write_variable(self, name: str, value: int) -> None:
        """Set a global variable; running programs see it at once. Only after `load()`."""
        offset, length = self._symbols[".bss"][name]
        self._globals[offset : offset + length] = value.to_bytes(length, "little")

    def close(self) -> None:
        """Detach and free everything."""
        self.detach()
        if self._object:
            _library().bpf_object__close(self._object)
            self._object = None

    def _map(self, name: str) -> int:
        found = _library().bpf_object__find_map_by_name(self._object, name.encode())
        if not found:
            raise self._error(f"the BPF object has no map {name}", errno.ENOENT)
        return int(found)

    def _program(self, name: str, *, required: bool = True) -> int | None:
        found = _library().bpf_object__find_program_by_name(self._object, name.encode())
        if not found and required:
            raise self._error(f"the BPF object has no program {name}", errno.ENOENT)
        return int(found) if found else None

    @functools.cached_property
    def _globals(self) -> mmap.mmap:
        size = max(offset + length for offset, length in self._symbols[".bss"].values())
        return mmap.mmap(self.map_fd(".bss"), size)

    def _error(self, message: str, number: int) -> RecordError:
        return RecordError(f"{message}: {os.strerror(number)}", explain(number), number)


_SYS_PERF_EVENT_OPEN: Final = {"x86_64": 298, "aarch64": 241}
_SYS_FSOPEN, _SYS_FSCONFIG, _SYS_FSMOUNT = 430, 431, 432
_FSCONFIG_CMD_CREATE: Final = 6
_TRACEFS: Final = (Path("/sys/kernel/tracing"), Path("/sys/kernel/debug/tracing"))


def _system_call(number: int, *arguments: int | bytes | None) -> int:
    """Make a system call for which the C library has no function; raises OSError."""
    function = ctypes.CDLL(None, use_errno=True).syscall
    function.restype = ctypes.c_long
    words = [ctypes.c_long(item) if isinstance(item, int) else item for item in arguments]
    result = int(function(ctypes.c_long(number), *words))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def _read_tracepoint_id(tracepoint: str) -> int:
    """Read a tracepoint's number from tracefs, which is mounted for nobody else if it is not."""
    place = f"events/{tracepoint}/id"
    for root in _TRACEFS:
        with contextlib.suppress(OSError):
            return int((root / place).read_text())
    context = _system_call(_SYS_FSOPEN, b"tracefs", 1)
    try:
        _system_call(_SYS_FSCONFIG, context, _FSCONFIG_CMD_CREATE, None, None, 0)
        mount = _system_call(_SYS_FSMOUNT, context, 1, 0)
    finally:
        os.close(context)
    try:
        fd = os.open(place, os.O_RDONLY | os.O_CLOEXEC, dir_fd=mount)
        with os.fdopen(fd) as file:
            return int(file.read())
    finally:
        os.close(mount)


def has_tracepoint(tracepoint: str) -> bool:
    """Whether the kernel has a tracepoint and lets this process use it."""
    try:
        os.close(_open_tracepoint(tracepoint))
    except RecordError:
        return False
    return True


def has_btf_tracepoint(name: str, btf: Path = KERNEL_BTF) -> bool:
    """Whether the kernel has this tracepoint with its arguments (`tp_btf`)."""
    try:
        with btf.open("rb") as file:
            return f"\0btf_trace_{name}\0".encode() in file.read()
    except OSError:
        return False


def _open_tracepoint(tracepoint: str) -> int:
    """Return a perf event of the tracepoint; its programs run on all CPUs, whatever its CPU is."""
    try:
        number = _read_tracepoint_id(tracepoint)
        # struct perf_event_attr: type PERF_TYPE_TRACEPOINT, size, config, sample_period
        attributes = struct.pack("<IIQQ", 2, 112, number, 1).ljust(112, b"\0")
        cloexec = 8  # PERF_FLAG_FD_CLOEXEC
        call = _SYS_PERF_EVENT_OPEN[os.uname().machine]
        return _system_call(call, attributes, -1, 0, -1, cloexec)
    except (OSError, KeyError) as error:
        raise RecordError(f"cannot use tracepoint {tracepoint}: {error}") from error


def explain(number: int, *, euid: int | None = None, btf: Path = KERNEL_BTF) -> str:
    """Say what to do about a failure of libbpf, from most to least likely cause."""
    if (os.geteuid() if euid is None else euid) != 0 and number in {errno.EPERM, errno.EACCES}:
        return _HINT_RIGHTS
    if not btf.exists():
        return _HINT_BTF
    if number in {errno.EPERM, errno.EACCES}:
        return _HINT_RIGHTS
    return _HINT_VERIFIER


def settings_u32(values: Mapping[str, int]) -> dict[str, bytes]:
    """Turn numbers into the bytes that `set_setting` takes for a u32."""
    return {name: struct.pack("<I", value) for name, value in values.items()}

"""An io_uring by raw system calls: what a program without liburing would do."""

import ctypes
import mmap
import struct

_SETUP, _ENTER, _REGISTER = 425, 426, 427
_SQ, _CQ, _SQES = 0, 0x8000000, 0x10000000
_SQE = struct.Struct("<BBHiQQIIQHHIQQ")
USER_DATA = 77
ASYNC, SKIP_SUCCESS, FIXED_FILE = 16, 64, 1
SQPOLL = 2


class Ring:
    """A ring with eight places; each request is waited for.

    Args:
        flags: `IORING_SETUP_*`.
    """

    def __init__(self, libc: ctypes.CDLL, flags: int = 0) -> None:
        self._libc = libc
        area = bytearray(120)
        struct.pack_into("<II", area, 8, flags, 0)
        self.fd = libc.syscall(_SETUP, 8, (ctypes.c_char * 120).from_buffer(area))
        assert self.fd >= 0, ctypes.get_errno()
        self._entries, completions = struct.unpack_from("<II", area, 0)
        self._sq = struct.unpack_from("<10I", area, 40)
        self._cq = struct.unpack_from("<10I", area, 80)
        self._mask = completions - 1
        self._requests = self._map(self._sq[6] + 4 * self._entries, _SQ)
        self._results = self._map(self._cq[5] + 16 * completions, _CQ)
        self._sqes = self._map(64 * self._entries, _SQES)

    def _map(self, size: int, offset: int) -> mmap.mmap:
        return mmap.mmap(self.fd, size, mmap.MAP_SHARED, offset=offset)

    def ask(self, operation: int, flags: int = 0, **members: int) -> int | None:
        """Submit a request and return its result; None where none is told.

        `members`: fd, off, addr, len, op_flags, index.
        """
        values = {"fd": 0, "off": 0, "addr": 0, "len": 0, "op_flags": 0, "index": 0} | members
        (tail,) = struct.unpack_from("<I", self._requests, self._sq[1])
        place = tail % self._entries
        _SQE.pack_into(
            self._sqes,
            64 * place,
            *(operation, flags, 0, values["fd"], values["off"], values["addr"], values["len"]),
            *(values["op_flags"], USER_DATA, 0, 0, values["index"], 0, 0),
        )
        struct.pack_into("<I", self._requests, self._sq[6] + 4 * place, place)
        struct.pack_into("<I", self._requests, self._sq[1], tail + 1)
        is_told = not flags & SKIP_SUCCESS
        entered = self._libc.syscall(_ENTER, self.fd, 1, int(is_told), 1 | 2, 0, 0)
        assert entered == 1, ctypes.get_errno()
        return self._result() if is_told else None

    def _result(self) -> int:
        (head,) = struct.unpack_from("<I", self._results, self._cq[0])
        at = self._cq[5] + 16 * (head & self._mask)
        user_data, result, _ = struct.unpack_from("<QiI", self._results, at)
        assert user_data == USER_DATA
        struct.pack_into("<I", self._results, self._cq[0], head + 1)
        return int(result)

    def register_files(self, *fds: int) -> None:
        """Give the ring a table of files of its own (IORING_REGISTER_FILES)."""
        table = struct.pack(f"<{len(fds)}i", *fds)
        assert self._libc.syscall(_REGISTER, self.fd, 2, table, len(fds)) == 0


def text(value: bytes) -> tuple[ctypes.Array[ctypes.c_char], int]:
    """A text that stays where it is, and its address."""
    area = ctypes.create_string_buffer(value)
    return area, ctypes.addressof(area)

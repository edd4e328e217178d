"""Names in DNS messages, with compression, in the text form of zone files."""

NAME_BYTES_MAX = 255
JUMPS_MAX = 20
"""Compression is followed this often in one name; what resolvers make jumps once or twice."""

_ROOT = "."


class Malformed(ValueError):  # noqa: N818 - a verdict on bytes, not a failure of ours
    """The bytes are no DNS here."""


class Cut(ValueError):  # noqa: N818 - same
    """The bytes end within what is read."""


class NameReader:
    """Reads the names of one message. What names point back to is read once."""

    def __init__(self, message: bytes) -> None:
        self._message = message
        self._known: dict[int, tuple[tuple[str, ...], int]] = {}

    def read(self, start: int) -> tuple[str, int]:
        r"""Read a name; bytes that are no plain characters are spelt `\DDD` (RFC 1035, 5.1).

        Returns:
            The name without the dot at its end (`.` for the root), and the place behind it.

        Raises:
            Malformed: a label is of no known kind, the name is too long, or a pointer does not
                point back, as RFC 1035, 4.1.4 has it; so no loop is possible.
            Cut: the message ends within the name.

        Example:
            >>> NameReader(bytes([3]) + b"www" + bytes([7]) + b"example" + bytes([0])).read(0)
            ('www.example', 13)
        """
        labels: list[str] = []
        marks: list[tuple[int, int, int]] = []
        place, end, length = start, 0, 0
        while size := self._byte(place):
            if size < 0x40:
                labels.append(self._label(place + 1, size))
                length += size + 1
                place += size + 1
                continue
            target = self._target(place, marks[-1][0] if marks else start)
            end = end or place + 2
            if target in self._known:
                tail, tail_length = self._known[target]
                labels += tail
                length += tail_length
                break
            marks.append((target, len(labels), length))
            if len(marks) > JUMPS_MAX:
                raise Malformed("a name of too many pieces")
            place = target
        if length >= NAME_BYTES_MAX:
            raise Malformed("a name of more than 255 bytes")
        for target, count, before in marks:
            self._known[target] = tuple(labels[count:]), length - before
        return ".".join(labels) or _ROOT, end or place + 1

    def _label(self, place: int, size: int) -> str:
        if place + size > len(self._message):
            raise Cut
        return spell(self._message[place : place + size], special=b".\\")

    def _target(self, place: int, limit: int) -> int:
        high = self._message[place]
        target = (high & 0x3F) << 8 | self._byte(place + 1)
        if high < 0xC0 or target >= limit:
            raise Malformed("no label, and no pointer that points back")
        return target

    def _byte(self, place: int) -> int:
        if place >= len(self._message):
            raise Cut
        return self._message[place]


def spell(data: bytes, special: bytes) -> str:
    r"""Bytes as text: printable ASCII as it is, special characters as `\c`, the others as `\DDD`.

    Example:
        >>> print(spell(b'a"b\n', special=b'"'))
        a\"b\010
    """
    if data.isalnum():
        return data.decode("ascii")
    return "".join(
        f"\\{chr(byte)}" if byte in special else chr(byte) if 0x20 < byte < 0x7F else f"\\{byte:03}"
        for byte in data
    )

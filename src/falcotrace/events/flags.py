"""Names of numbers: open flags, clone flags, socket families, commands.

Data in `tables/flags.tsv`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from falcotrace.events.tables import read_table


@dataclass(frozen=True, slots=True)
class FlagTable:
    """Names of one kind of number, in the order in which Falco matches and prints them.

    Attributes:
        rows: names and Falco's numbers.
        linux: the kernel's number and Falco's for the same name, where the kernel has one.
    """

    name: str
    rows: tuple[tuple[str, int], ...]
    linux: tuple[tuple[int, int], ...]

    def flags_text(self, value: int) -> str:
        """Names of the bits set in `value`, joined by `|`; empty when no name fits.

        A name matches if all its bits are among those not yet consumed (a name of value 0 only if
        the whole value is 0), and matching stops when a name equals the whole value. Left-over bits
        are
        not shown. Source: libs 48dfd53c, userspace/libsinsp/event.cpp, `flags_to_string`.
        """
        if value == 0:
            return "|".join([name for name, bits in self.rows if bits == 0][:1])
        names: list[str] = []
        remaining = value
        for name, bits in self.rows:
            if bits and bits & remaining == bits:
                names.append(name)
                remaining &= ~bits
                if bits == value:
                    break
        return "|".join(names)

    def enum_text(self, value: int) -> str:
        """Every name equal to `value`, joined by `|` (two socket families share a number)."""
        return "|".join(name for name, number in self.rows if number == value)

    def flags_from_linux(self, native: int) -> int:
        """Falco's bits for the kernel's; a row counts when all of its kernel bits are set."""
        value = 0
        for bits, falco in self.linux:
            if bits and native & bits == bits:
                value |= falco
        return value

    def enum_from_linux(self, native: int) -> int:
        """Falco's number for the kernel's; unknown ones become the `UNKNOWN` row, or stay."""
        for number, falco in self.linux:
            if number == native:
                return falco
        unknown = [value for name, value in self.rows if name.endswith("UNKNOWN")]
        return unknown[0] if unknown else native

    def value_of(self, name: str) -> int:
        """The number behind a name; raises KeyError."""
        return dict(self.rows)[name]


def _read() -> dict[str, FlagTable]:
    rows: dict[str, list[tuple[str, int]]] = {}
    linux: dict[str, list[tuple[int, int]]] = {}
    for row in read_table("flags"):
        value = int(row["value"])
        rows.setdefault(row["table"], []).append((row["name"], value))
        natives = linux.setdefault(row["table"], [])
        if row["linux"]:
            natives.append((int(row["linux"]), value))
    return {name: FlagTable(name, tuple(rows[name]), tuple(linux[name])) for name in rows}


FLAG_TABLES: Mapping[str, FlagTable] = MappingProxyType(_read())

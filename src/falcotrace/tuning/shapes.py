"""Which fields an exception may have, and what is too broad to be one.

In: a rule. Out: the shapes that its own exceptions have, then those that we propose, each with its
cost. Tables before code: what a program is that runs anything, which folders anybody writes to.
"""

import dataclasses
import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Final

from falcotrace.rules.plan import RulePlan

PROGRAM, NAME, COMMAND, FILE = "proc.exepath", "proc.name", "proc.cmdline", "fd.name"
PARENT, IMAGE, PEER, PORT = "proc.pname", "container.image.repository", "fd.sip", "fd.sport"


@dataclasses.dataclass(frozen=True, slots=True)
class Shape:
    """Fields and comparisons of an exception.

    Attributes:
        name: of the exception.
        fields: as rules spell them.
        comparisons: one for each.
        cost: of one value, in parts of a value that names a program and a file; the higher, the
            more such values one of these has to replace.
        is_known: whether the rule has the exception already, so that only values are added.
        is_tuple: whether each value is a sequence, one element for each field.
    """

    name: str
    fields: tuple[str, ...]
    comparisons: tuple[str, ...]
    cost: float
    is_known: bool = False
    is_tuple: bool = True


_EQUALS: Final = "="
EQUALITIES: Final = frozenset({"=", "==", "in"})
_TEXT_COMPARISONS: Final = frozenset({"startswith", "endswith", "contains", "pmatch"})
"""Comparisons that hold between a text and itself, and whose values we can choose."""

_KNOWN_COST: Final = 0.5
FOLDER_SHAPE: Final = Shape("tuned_program_and_folder", (PROGRAM, FILE), ("=", "startswith"), 2)
PATTERN_SHAPES: Final = (
    Shape("tuned_program_and_files", (PROGRAM, FILE), ("=", "glob"), 2),
    Shape("tuned_program_and_commands", (PROGRAM, COMMAND), ("=", "glob"), 2),
)
_PROPOSED: Final = (
    Shape("tuned_program_and_file", (PROGRAM, FILE), ("=", "="), 1),
    Shape("tuned_command_and_file", (PROGRAM, COMMAND, FILE), ("=", "=", "="), 1),
    Shape("tuned_program_and_peer", (PROGRAM, PEER), ("=", "="), 1),
    Shape("tuned_program_and_command", (PROGRAM, COMMAND), ("=", "="), 1.5),
    Shape("tuned_image_and_command", (IMAGE, COMMAND), ("=", "="), 1.5),
    Shape("tuned_program_and_parent", (PROGRAM, PARENT), ("=", "="), 2),
    Shape("tuned_image_and_program", (IMAGE, PROGRAM), ("=", "="), 2),
    Shape("tuned_program_and_port", (PROGRAM, PORT), ("=", "="), 2),
    FOLDER_SHAPE,
    *PATTERN_SHAPES,
)
"""From the tightest to the widest; equal costs are taken in this order."""

_SPECIFIC: Final = re.compile(
    r"proc\.(p|a)?(exe|exepath|cmdline|args|exeline)(\[\d+\])?|proc\.sid\.exepath"
    r"|fd\.(name|sip|cip|lip|rip|sip\.name|filename)|container\.(image|image\.\w+|name)|k8s\..*"
    r"|evt\.(arg|rawarg)\..*|evt\.arg\[.*"
)
"""Fields of which one value says which program, file, peer or image it is."""

_WEAK: Final = re.compile(r"proc\.(name|pname|aname(\[\d+\])?)|fd\.(directory|sport)|proc\.cwd")
"""Two of these together say as much."""

_INTERPRETER: Final = re.compile(
    r"(a|ba|c|da|fi|k|mk|tc|z)?sh|busybox|env|lua\d*(\.\d+)?|node(js)?|perl[\d.]*|php[\d.]*|python[\d.]*"
    r"|ruby[\d.]*|java|sudo|su|xargs|awk|gawk|mawk|nsenter|setsid|timeout|nohup"
)
"""Programs that do whatever they are told: which one it is says nothing."""

_TOOL: Final = re.compile(
    r"base64|cat|chmod|chown|cp|curl|cut|dd|find|grep|gzip|head|install|less|ln|mv|nano|nc(at)?"
    r"|openssl|rm|rsync|scp|sed|socat|sort|ssh|tail|tar|tee|touch|vi|vim(\.\w+)?|wget|xxd|zip"
)
"""Programs that everybody has for everything, also an intruder."""

_ANYBODYS: Final = re.compile(
    r"/(tmp|var/tmp|dev/shm|dev|home|root|proc|sys|run/user|media|mnt)(/|$).*|.*/\.ssh/.*"
    r"|/(usr/(local/)?)?s?bin/|/(usr/)?lib(64)?/|/etc/(cron|pam|sudoers|ssh|systemd|init|ld).*"
)
"""Folders below which a whole folder is too much: anybody writes there, or an intruder wants to."""

_LEAST_DEPTH: Final = 2


def shapes_of(rule: RulePlan) -> tuple[Shape, ...]:
    """The shapes for exceptions of a rule: its own first, then those that fit what it is about."""
    known = [
        Shape(
            each.name,
            each.fields,
            each.comparisons,
            _KNOWN_COST,
            is_known=True,
            is_tuple=each.is_tuple,
        )
        for each in rule.exceptions
        if all(word in EQUALITIES | _TEXT_COMPARISONS for word in each.comparisons)
    ]
    own = {each.name: each for each in rule.exceptions}
    about = {field.field.name for field in (*rule.condition_fields, *rule.output_fields)}
    proposed = [shape for shape in _PROPOSED if shape.name not in own and _is_about(shape, about)]
    return (*known, *proposed)


def _is_about(shape: Shape, about: set[str]) -> bool:
    """Whether a rule asks or tells of the file or the peer that a shape has."""
    if FILE in shape.fields:
        return FILE in about
    if PEER in shape.fields or PORT in shape.fields:
        return any(name.startswith(("fd.s", "fd.r", "fd.l", "fd.c", "fd.name")) for name in about)
    return True


def too_broad(shape: Shape, values: Sequence[str]) -> str | None:
    """Why a value of an exception would cover too much, or None.

    Example:
        >>> shape = Shape("x", ("user.name",), ("=",), 1)
        >>> too_broad(shape, ["root"])
        'only `user.name` tells it from anything else'
    """
    of = dict(zip(shape.fields, values, strict=True))
    specific = [field for field in shape.fields if _SPECIFIC.fullmatch(field)]
    weak = [field for field in shape.fields if _WEAK.fullmatch(field)]
    if not specific and len(weak) < 2:
        named = " and ".join(f"`{field}`" for field in shape.fields)
        return f"only {named} tells it from anything else"
    return _broad_folder(shape, of) or _broad_program(of)


def _broad_folder(shape: Shape, of: dict[str, str]) -> str | None:
    for (field, value), word in zip(of.items(), shape.comparisons, strict=True):
        if word == "startswith" and value.endswith("/"):
            depth = len(PurePosixPath(value).parts) - 1
            if depth < _LEAST_DEPTH or _ANYBODYS.fullmatch(value):
                return f"all of {value} is too much for `{field}`"
    return None


def _broad_program(of: dict[str, str]) -> str | None:
    program, command = of.get(PROGRAM) or of.get(NAME), of.get(COMMAND)
    name = PurePosixPath(program).name if program else _first_word(command)
    if _INTERPRETER.fullmatch(name):
        if command is None:
            return f"{name} runs anything: its command has to be named"
        if len(command.split()) == 1:
            return f"{name} without arguments may do anything"
    elif _TOOL.fullmatch(name) and command is None:
        return f"{name} is everybody's tool: its command has to be named"
    return None


def _first_word(command: str | None) -> str:
    words = (command or "").split()
    return PurePosixPath(words[0]).name if words else ""

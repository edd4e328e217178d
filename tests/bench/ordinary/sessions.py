"""What people type, read from `sessions/*.session`.

A session is text: each line is typed and its prompt waited for. Lines that begin with `# ` are for
readers, those that begin with `@` direct the play:

    @needs PATH     begin when the machine has this file
    @once           not played again when the seat begins anew
    @limit SECONDS  how long the next line may take (60 s)
    @expect REGEX   wait for this after the next line instead of the prompt
    @start LINE     type a line that begins something on the whole screen, and wait for nothing
    @keys TEXT      press keys, with Python's escapes, and wait for nothing
    @wait SECONDS   do nothing
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SESSIONS = Path(__file__).parent / "sessions"
LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Line:
    """Something to type.

    Attributes:
        text: what.
        limit_s: how long its answer may take.
        expected: what is waited for; empty for the prompt.
        is_keys: pressed as it is, and nothing waited for.
        pause_s: done nothing for so long before.
    """

    text: str
    limit_s: float = LIMIT_S
    expected: str = ""
    is_keys: bool = False
    pause_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Session:
    """Lines that belong together.

    Attributes:
        name: the file's.
        lines: in order.
        needs: paths that the machine must have first.
        is_once: not to be repeated.
    """

    name: str
    lines: tuple[Line, ...]
    needs: tuple[str, ...] = ()
    is_once: bool = False


def read_session(name: str, folder: Path = SESSIONS) -> Session:
    """Read one session.

    Raises:
        ValueError: a directive is not known.
    """
    texts = (folder / f"{name}.session").read_text().splitlines()
    needs = tuple(text.split()[1] for text in texts if text.startswith("@needs "))
    return Session(name, tuple(_lines(texts)), needs, "@once" in texts)


def _lines(texts: list[str]) -> Iterator[Line]:
    limit_s, expected, pause_s = LIMIT_S, "", 0.0
    for text in texts:
        word, _, rest = text.partition(" ")
        if not text.startswith("@"):
            if text and not text.startswith("# "):
                yield Line(text, limit_s, expected, pause_s=pause_s)
                limit_s, expected, pause_s = LIMIT_S, "", 0.0
        elif word == "@limit":
            limit_s = float(rest)
        elif word == "@expect":
            expected = rest
        elif word == "@wait":
            pause_s += float(rest)
        elif word in {"@keys", "@start"}:
            is_line = word == "@start"
            keys = f"{rest}\r" if is_line else rest.encode().decode("unicode_escape")
            yield Line(keys, is_keys=True, pause_s=pause_s)
            pause_s = 0.0
        elif word not in {"@needs", "@once"}:
            raise ValueError(f"what does {word} mean?")

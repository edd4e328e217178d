"""Primitives of pictures in SVG: text, lines, boxes, and the colours that they have.

In: texts, places in pixels. Out: elements as text, well-formed XML without scripts, styles or
anything from the network. Whatever was recorded is escaped. Each colour is an attribute and a class
(`ft-NAME`, `ft-s-NAME` for strokes), so that a page may have other colours in the dark.
"""

import html
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from falcotrace.outputs.escape import for_terminal
from falcotrace.outputs.times import iso_time
from falcotrace.rules.plan import Priority

WIDTH = 1000
"""Of pictures, in pixels: what fits a page, and beside the prompts of a notebook."""

SANS = "system-ui, sans-serif"
MONO = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"

_TITLE_MAX = 2000
"""Characters of a text that shows under the mouse."""


@dataclass(frozen=True, slots=True)
class Ink:
    """A colour.

    Attributes:
        name: of its class.
        light: on white paper.
        dark: on a dark page.
    """

    name: str
    light: str
    dark: str


INK = Ink("ink", "#1b2430", "#e4e8ed")
FAINT = Ink("faint", "#5b6672", "#9aa5b1")
LINE = Ink("line", "#d5dae0", "#3a444f")
EDGE = Ink("edge", "#7d8894", "#7d8894")
PAPER = Ink("paper", "#ffffff", "#161b21")
SEVERE = Ink("severe", "#b42318", "#ff8a7a")
ERROR = Ink("error", "#b54708", "#f7a45c")
WARNING = Ink("warning", "#86660b", "#e3c15a")
NOTICE = Ink("notice", "#1d5fae", "#7db4f5")
PLAIN = Ink("plain", "#5b6672", "#9aa5b1")
CAUSE = Ink("cause", "#eef4fb", "#1a2a3d")
ALERT = Ink("alert", "#fdecea", "#421d1a")
IMPACT = Ink("impact", "#f6f0fb", "#2d2140")
CAUSE_EDGE = Ink("cause-edge", "#8fb2da", "#3f6591")
ALERT_EDGE = Ink("alert-edge", "#d9534a", "#d9685f")
IMPACT_EDGE = Ink("impact-edge", "#b797d6", "#7555a0")

INKS = (
    *(INK, FAINT, LINE, EDGE, PAPER, SEVERE, ERROR, WARNING, NOTICE, PLAIN),
    *(CAUSE, ALERT, IMPACT, CAUSE_EDGE, ALERT_EDGE, IMPACT_EDGE),
)
"""Every colour, for the stylesheet of a page."""

PRIORITIES = {
    **dict.fromkeys((Priority.EMERGENCY, Priority.ALERT, Priority.CRITICAL), SEVERE),
    Priority.ERROR: ERROR,
    Priority.WARNING: WARNING,
    Priority.NOTICE: NOTICE,
    Priority.INFORMATIONAL: PLAIN,
    Priority.DEBUG: PLAIN,
}
"""The colour of an alert."""


def shown(text: object) -> str:
    r"""Recorded text, safe inside HTML and SVG: no markup, no control characters.

    Example:
        >>> shown("<b>\x1b[2J")
        '&lt;b&gt;\\x1b[2J'
    """
    return html.escape(for_terminal(str(text)))


def columns_of(text: str) -> int:
    """How many columns a text takes in a font with equal widths.

    Example:
        >>> columns_of("ls"), columns_of("漢字"), columns_of("e\u0301")
        (2, 4, 1)
    """
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(sign) in "WF" for sign in text)
    return len(text) + wide - sum(unicodedata.combining(sign) > 0 for sign in text)


def clipped(text: str, limit: int) -> str:
    """A text, escaped for showing and cut to so many columns.

    Example:
        >>> clipped("cat /etc/passwd", 8)
        'cat /et…'
    """
    whole = for_terminal(text[: limit * 2])
    if columns_of(whole) <= limit and len(text) <= limit * 2:
        return whole
    cut = whole[: max(1, limit - 1)]
    while columns_of(cut) > limit - 1 and len(cut) > 1:
        cut = cut[:-1]
    return f"{cut}\u2026"


def text_of(  # noqa: PLR0913 - each is an attribute of the element
    x: float,
    y: float,
    text: str,
    ink: Ink = INK,
    *,
    anchor: str = "start",
    font: str = SANS,
    size: float = 13,
    weight: int = 400,
    limit: int = 90,
) -> str:
    """One line of text, cut to so many columns; the whole of it shows under the mouse."""
    cut = clipped(text, limit)
    whole = for_terminal(text[:_TITLE_MAX])
    title = f"<title>{html.escape(whole)}</title>" if cut != whole else ""
    bold = f' font-weight="{weight}"' if weight != 400 else ""
    at = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" class="ft-{ink.name}" fill="{ink.light}"{at}{bold} '
        f'font-family="{font}" font-size="{size:g}">{html.escape(cut)}{title}</text>'
    )


def path_of(way: str, ink: Ink = LINE, *, width: float = 1, dash: str = "") -> str:
    """A line along a way in SVG's own words."""
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<path d="{way}" class="ft-s-{ink.name}" stroke="{ink.light}" stroke-width="{width:g}" '
        f'fill="none"{dashes}/>'
    )


def line_of(x1: float, y1: float, x2: float, y2: float, ink: Ink = LINE) -> str:
    """A straight line."""
    return path_of(f"M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}", ink)


def arrowhead(x: float, y: float, direction: str, ink: Ink = EDGE) -> str:
    """A small triangle whose point is at a place; direction is right, left, down or up."""
    across, along = 3.5, 7
    ends = {
        "right": ((-along, -across), (-along, across)),
        "left": ((along, -across), (along, across)),
        "down": ((-across, -along), (across, -along)),
        "up": ((-across, along), (across, along)),
    }[direction]
    points = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in ((0, 0), *ends))
    return f'<polygon points="{points}" class="ft-{ink.name}" fill="{ink.light}"/>'


def box_of(  # noqa: PLR0913 - each is an attribute of the element
    x: float,
    y: float,
    width: float,
    height: float,
    fill: Ink,
    stroke: Ink,
    *,
    radius: float = 4,
    thickness: float = 1,
) -> str:
    """A rectangle."""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="{radius:g}" '
        f'class="ft-{fill.name} ft-s-{stroke.name}" fill="{fill.light}" stroke="{stroke.light}" '
        f'stroke-width="{thickness:g}"/>'
    )


def dot_of(x: float, y: float, radius: float, ink: Ink, title: str) -> str:
    """A dot that says something under the mouse."""
    told = f"<title>{shown(title[:_TITLE_MAX])}</title>"
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" class="ft-{ink.name}" '
        f'fill="{ink.light}" fill-opacity="0.75">{told}</circle>'
    )


def titled(title: str, parts: Iterable[str]) -> str:
    """Elements that together say something under the mouse."""
    return f"<g><title>{shown(title[:_TITLE_MAX])}</title>{''.join(parts)}</g>"


def document(width: float, height: float, title: str, parts: Iterable[str]) -> str:
    """A whole picture; who cannot see it is read its title."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" role="img" aria-label="{shown(title)}" '
        f'font-family="{SANS}" font-size="13">'
        f'<rect width="100%" height="100%" class="ft-{PAPER.name}" fill="{PAPER.light}"/>'
        f"{''.join(parts)}</svg>"
    )


def clock(time_ns: int, digits: int = 3) -> str:
    """Time of day in UTC, with so many digits of the second's fraction.

    Example:
        >>> clock(1_700_000_000_123_000_000)
        '22:13:20.123'
    """
    return iso_time(time_ns, "")[11 : 20 + digits if digits else 19]


def date(time_ns: int) -> str:
    """The day in UTC.

    Example:
        >>> date(1_700_000_000_123_000_000)
        '2023-11-14'
    """
    return iso_time(time_ns, "")[:10]

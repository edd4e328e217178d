"""Tall pictures on paper: the same picture again, in parts that end where nothing is drawn.

A browser cuts a picture that is taller than a page through the middle of a line. So the page has,
for paper only, windows on it, between which a page may end; they show what is drawn once.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from falcotrace.outputs.svg import WIDTH
from falcotrace.report.markup import Markup, element, joined

_WINDOW_HEIGHT = 320
"""In pixels of a picture: some four fill a page, so little of one stays empty."""

_TEXT = re.compile(r'<text x="[\d.-]+" y="([\d.-]+)"')
_BOX = re.compile(r'<rect x="[\d.-]+" y="([\d.-]+)" width="[\d.]+" height="([\d.]+)"')
_HEIGHT = re.compile(r'viewBox="0 0 \d+ (\d+)"')
_ABOVE, _BELOW = 12, 5
"""How far a line of text reaches from where it stands."""

_TALL = 60
"""Higher boxes are backgrounds, and may be cut."""


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a picture: its upper end and its height, in pixels."""

    top: int
    height: int


def on_paper(svg: str, name: str) -> Markup:
    """A picture for the screen, and the same one for paper.

    Args:
        svg: from `outputs.svg.document`.
        name: an id that nothing else on the page has.
    """
    windows = list(_windows(svg))
    if len(windows) < 2:
        return element("div", Markup(svg), class_="picture")
    head, _, content = svg.partition(">")
    drawn = content.removesuffix("</svg>")
    whole = Markup(f'{head}><g id="{name}">{drawn}</g></svg>')
    parts = (
        Markup(
            f'<svg viewBox="0 {one.top} {WIDTH} {one.height}" width="{WIDTH}" '
            f'height="{one.height}"><use href="#{name}"/></svg>'
        )
        for one in windows
    )
    screen = element("div", whole, class_="picture screen")
    return joined((screen, element("div", *parts, class_="picture paper", aria_hidden="true")))


def _windows(svg: str) -> Iterator[Window]:
    found = _HEIGHT.search(svg)
    height = int(found[1]) if found else 0
    taken = _taken(svg, height)
    top = 0
    while height - top > _WINDOW_HEIGHT:
        last = top + _WINDOW_HEIGHT
        end = next((y for y in range(last, top + _WINDOW_HEIGHT // 2, -1) if not taken[y]), last)
        yield Window(top, end - top)
        top = end
    yield Window(top, height - top)


def _taken(svg: str, height: int) -> bytearray:
    """Which lines of pixels have something that must not be cut."""
    taken = bytearray(height + 1)
    spans = [(float(y[1]) - _ABOVE, float(y[1]) + _BELOW) for y in _TEXT.finditer(svg)]
    boxes = ((float(box[1]), float(box[2])) for box in _BOX.finditer(svg))
    spans += [(y, y + tall) for y, tall in boxes if tall < _TALL]
    for begin, end in spans:
        low, high = max(0, int(begin)), min(height, int(end) + 1)
        taken[low:high] = b"\1" * max(0, high - low)
    return taken

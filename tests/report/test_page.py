"""The report in a browser: it loads in peace, fits, prints, and runs nothing that was recorded."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import falcotrace as ft
from chromium import EXECUTABLE, Chromium, started
from falcotrace.api import Captures
from falcotrace.report.page import SECTIONS
from hostile_capture import RULES, write_hostile

SHIPPED = Path(__file__).parents[2] / "captures" / "first_light.parquet"
WIDTHS = (1280, 800)

_WIDEST = "Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)"
_BEYOND = """
    [...document.querySelectorAll('main *')].filter(one => {
        const box = one.getBoundingClientRect();
        return !one.closest('svg') && box.width > 0 && (box.right > innerWidth || box.left < 0);
    }).map(one => one.outerHTML.slice(0, 200))
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """A browser for all tests."""
    if not EXECUTABLE:
        if os.environ.get("CI") == "true":
            pytest.fail("needs chromium")
        pytest.skip("needs chromium")
    with started(tmp_path_factory.mktemp("chromium")) as running:
        yield running


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the capture that ships."""
    path = tmp_path_factory.mktemp("shipped") / "report.html"
    with ft.open(SHIPPED) as capture:
        capture.report().write(path)
    return path


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a hostile capture, asked with hostile rules."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "rules.yaml").write_text(RULES)
    with Captures([write_hostile(folder / "<b>.parquet", 20)]) as capture:
        capture.report(ft.rules(folder / "rules.yaml")).write(folder / "report.html")
    return folder / "report.html"


@pytest.mark.parametrize("is_dark", [False, True])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["shipped", "hostile"])
def test_page_loads_in_peace_and_fits(
    name: str, width: int, *, is_dark: bool, browser: Chromium, request: pytest.FixtureRequest
) -> None:
    """No word in the console, no request but for the page, nothing beyond its right edge."""
    path: Path = request.getfixturevalue(name)
    browser.show(path, width, is_dark=is_dark)
    assert browser.problems == []
    assert browser.requests == [path.resolve().as_uri()]
    assert browser.ask(_WIDEST) <= width
    assert browser.ask(_BEYOND) == []
    shown = browser.ask("[...document.querySelectorAll('main > section')].map(one => one.id)")
    assert shown == list(SECTIONS)


def test_nothing_recorded_runs(hostile: Path, browser: Chromium) -> None:
    """Scripts in command lines, names, hosts and rules are text; the title is ours."""
    browser.show(hostile)
    assert browser.ask("document.title").startswith("FalcoTrace report")
    assert browser.ask("document.scripts.length") == 0
    assert browser.ask("document.querySelectorAll('img, iframe, object, embed, form').length") == 0
    assert browser.ask("document.body.innerText").count("<script>") > 10


def test_policy_stops_what_would_get_in(shipped: Path, tmp_path: Path, browser: Chromium) -> None:
    """Were an escape ever forgotten: the page's own policy keeps the script from running."""
    spoilt = shipped.read_text().replace(
        "</main>",
        "<script>document.title = 'pwned'</script><p style='color:red'>x</p>"
        "<img src='file:///x.png' onerror=\"document.title = 'pwned'\"></main>",
    )
    path = tmp_path / "spoilt.html"
    path.write_text(spoilt)
    browser.show(path)
    assert browser.ask("document.title").startswith("FalcoTrace report")
    assert len(browser.problems) >= 3
    assert all("Content Security Policy" in problem for problem in browser.problems)


@pytest.mark.parametrize("name", ["shipped", "hostile"])
def test_page_prints(name: str, browser: Chromium, request: pytest.FixtureRequest) -> None:
    """On paper there are several pages, and what is folded on the screen is open."""
    path: Path = request.getfixturevalue(name)
    browser.show(path)
    paper = browser.pdf()
    assert paper.startswith(b"%PDF")
    assert 4 < len(re.findall(rb"/Type\s*/Page\b", paper)) < 150
    browser.call("Emulation.setEmulatedMedia", media="print")
    hidden = """
        [...document.querySelectorAll('details li')]
            .filter(one => !one.checkVisibility({contentVisibilityAuto: true})).length
    """
    assert browser.ask(hidden) == 0
    browser.call("Emulation.setEmulatedMedia", media="")


def test_dark_and_light_can_be_read(shipped: Path, browser: Chromium) -> None:
    """Ink and paper differ as WCAG asks of text (4.5 to 1), whatever the reader prefers."""
    contrast = """
        (() => {
            const light = text => {
                const [r, g, b] = text.match(/[0-9.]+/g).map(Number).map(v => v / 255)
                    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
            };
            const section = document.querySelector('section');
            const paper = light(getComputedStyle(section).backgroundColor);
            const ratio = ink => {
                const [a, b] = [light(ink), paper].sort((x, y) => y - x);
                return (a + 0.05) / (b + 0.05);
            };
            const texts = [...document.querySelectorAll('p:not(.banner), td, th, .badge, a, h2')]
                .map(one => ratio(getComputedStyle(one).color));
            const drawn = [...document.querySelectorAll('svg text')]
                .map(one => ratio(getComputedStyle(one).fill));
            return Math.min(...texts, ...drawn);
        })()
    """
    for is_dark in (False, True):
        browser.show(shipped, is_dark=is_dark)
        assert browser.ask(contrast) >= 4.5

"""Every notebook runs from top to bottom, and what is stored in it came from such a run."""

import importlib.util
import platform
import re
import warnings
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
IDS = [path.stem for path in NOTEBOOKS]


def read(path: Path) -> nbformat.NotebookNode:
    """A stored notebook."""
    return nbformat.reads(path.read_text(), as_version=4)  # type: ignore[no-untyped-call]


def _outputs(book: nbformat.NotebookNode) -> list[str]:
    """What all outputs say: their richest form."""
    texts = []
    for cell in book.cells:
        for output in cell.get("outputs", ()):
            assert output.output_type != "error"
            data = output.get("data", {})
            forms = ("image/svg+xml", "text/html", "text/plain")
            texts.append(next((data[form] for form in forms if form in data), output.get("text")))
    return texts


def _words(book: nbformat.NotebookNode) -> list[list[str]]:
    """The words of all outputs; how other libraries dress them up may change."""
    return [
        re.sub(r"<style.*?</style>|<[^>]*>", " ", text, flags=re.DOTALL).split()
        for text in _outputs(book)
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=IDS)
def test_notebook_runs_and_says_what_is_stored(path: Path) -> None:
    """A reader who runs it sees what the stored notebook shows."""
    stored = read(path)
    book = read(path)
    with warnings.catch_warnings():
        # Jupyter's own packages warn about each other; ours must not, and have tests of their own.
        warnings.simplefilter("ignore")
        NotebookClient(book, timeout=120, resources={"metadata": {"path": FOLDER}}).execute()
    assert _words(book) == _words(stored), "python notebooks/make/write.py writes it anew"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=IDS)
def test_stored_notebook_is_its_script(path: Path) -> None:
    """Cells are edited in the script under `notebooks/make`, so the two must not part."""
    spec = importlib.util.spec_from_file_location("write", FOLDER / "make" / "write.py")
    assert spec is not None
    assert spec.loader is not None
    write = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(write)
    book = write.read_cells((FOLDER / "make" / f"{path.stem}.py").read_text())
    assert [(cell.cell_type, cell.source) for cell in read(path).cells] == [
        (cell.cell_type, cell.source) for cell in book.cells
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=IDS)
def test_outputs_name_no_machine_and_load_nothing(path: Path) -> None:
    """No path of whoever ran it, no host name, no script, nothing from the network."""
    whole = "\n".join(_outputs(read(path)))
    for word in (str(FOLDER.parent), platform.release(), "site-packages", "/tmp/ipykernel"):
        assert word not in whole
    assert not re.search(r"<script|<link|<iframe|(src|href)\s*=", whole)

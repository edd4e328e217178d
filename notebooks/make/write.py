"""Writes the notebooks: cells from the scripts beside this file, outputs from running them.

    python notebooks/make/write.py

In: `NAME.py` with cells that begin with `# %%`, in the form that editors know. Out: `NAME.ipynb` one
folder up, executed there, without anything that a run changes by itself.
"""

import re
from pathlib import Path

import nbformat
from nbclient import NotebookClient

SOURCES = Path(__file__).parent
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def read_cells(source: str) -> nbformat.NotebookNode:
    """The notebook that a script stands for, without outputs."""
    cells = []
    for number, part in enumerate(re.split(r"^# %%", source, flags=re.MULTILINE)[1:]):
        head, _, body = part.partition("\n")
        if "markdown" in head:
            text = re.sub(r"^# ?", "", body.strip(), flags=re.MULTILINE)
            cell = nbformat.v4.new_markdown_cell(text)
        else:
            cell = nbformat.v4.new_code_cell(body.strip())
        cell["id"] = f"cell-{number:02}"
        cells.append(cell)
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": KERNEL})


def write(source: Path) -> Path:
    """Run a script's cells and write the notebook beside its folder."""
    book = read_cells(source.read_text())
    folder = source.parent.parent
    NotebookClient(book, resources={"metadata": {"path": folder}}, record_timing=False).execute()
    for cell in book.cells:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if data.keys() & {"text/html", "image/svg+xml"}:
                # Nobody reads it beside the picture, and it is long.
                data.pop("text/plain", None)
            elif "text/plain" in data:
                data["text/plain"] = re.sub(r" at 0x[0-9a-f]+>", ">", data["text/plain"])
    book["metadata"] = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    target = folder / f"{source.stem}.ipynb"
    nbformat.validate(book)
    target.write_text(nbformat.writes(book) + "\n")
    return target


if __name__ == "__main__":
    for path in sorted(SOURCES.glob("[0-9]*.py")):
        print(write(path))

"""Where the rules that ship with FalcoTrace lie."""

from importlib.resources import files
from pathlib import Path


def shipped_rules() -> Path:
    """The folder of the rules that ship: in the package, or beside the source of a checkout.

    Raises:
        FileNotFoundError: the installation is incomplete.
    """
    package = Path(str(files("falcotrace")))
    for folder in (package / "shipped_rules", package.parents[1] / "rules"):
        if folder.is_dir():
            return folder
    raise FileNotFoundError("the rules that ship with FalcoTrace are missing; install it again")

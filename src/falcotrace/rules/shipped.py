"""The rules that ship with FalcoTrace, and the short way from files to a plan."""

from importlib.resources import files
from pathlib import Path

from falcotrace.rules.load import RulesText
from falcotrace.rules.plan import Plan


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


def load_plan(*sources: str | Path | RulesText) -> Plan:
    """Load rules, ready to scan with.

    Args:
        sources: rules files and folders of Falco or Sigma, or texts, in order; those that ship if
            none is given.

    Raises:
        RulesError: the rules cannot be used; it carries every diagnostic.
    """
    from falcotrace.sigma.load import load_any_rules  # noqa: PLC0415 - it stands on this package

    ruleset = load_any_rules(sources or [shipped_rules()], append_suggested=True)
    ruleset.raise_if_invalid()
    return ruleset.plan

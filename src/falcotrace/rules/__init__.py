"""The front end: rules files to a plan, one file per stage.

`load` is the way in and shows the order of the stages; `plan` is what comes out.

The package can be called: users write `falcotrace.rules("rules/")`, and Python gives a subpackage
and a function of one name the same place.
"""

import sys
import types
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from falcotrace.rules.load import RulesText
    from falcotrace.rules.plan import Plan


class _CallablePackage(types.ModuleType):
    """This package, with `load_plan` behind its call."""

    def __call__(self, *sources: "str | Path | RulesText") -> "Plan":
        from falcotrace.rules.shipped import load_plan  # noqa: PLC0415 - only when it is called

        return load_plan(*sources)


sys.modules[__name__].__class__ = _CallablePackage

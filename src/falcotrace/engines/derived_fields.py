"""All derived functions of the columnar engine, by the name that `fields.tsv` gives them."""

from collections.abc import Mapping
from types import MappingProxyType

from falcotrace.engines.derived_arguments import ARGUMENT_FUNCTIONS
from falcotrace.engines.derived_base import DerivedFunction
from falcotrace.engines.derived_events import EVENT_FUNCTIONS
from falcotrace.engines.derived_state import STATE_FUNCTIONS

DERIVED_FUNCTIONS: Mapping[str, DerivedFunction] = MappingProxyType(
    {**EVENT_FUNCTIONS, **STATE_FUNCTIONS, **ARGUMENT_FUNCTIONS}
)
"""Implements the sentences of `events.derived.DERIVED`, all of them."""

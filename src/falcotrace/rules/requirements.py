"""What rules require: a version of the engine, and plugins.

FalcoTrace speaks the language of engine 0.63.0, and computes what Falco's `container` plugin gives.

Source: falco 13074749 userspace/engine/rule_loader_collector.cpp and falco_engine.cpp
(check_plugin_requirements).
"""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from falcotrace.rules.codes import LoadCode
from falcotrace.rules.faults import Fault
from falcotrace.rules.items import EngineRequirement, PluginRequirement

Version = tuple[int, int, int]

ENGINE_VERSION: Version = (0, 63, 0)
PROVIDED_PLUGINS: Mapping[str, Version] = MappingProxyType({"container": (0, 7, 1)})

_VERSION = re.compile(r"([0-9]{1,9})\.([0-9]{1,9})\.([0-9]{1,9})")


def parse_version(text: str) -> Version | None:
    """Return the three numbers at the beginning of a version; what follows is ignored."""
    match = _VERSION.match(text)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def check_engine(item: EngineRequirement) -> None:
    """Refuse rules for a newer engine.

    Raises:
        Fault: the major number differs, or the engine is older.
    """
    # The engine's own patch number stands in for a missing one, so it never decides.
    if item.version[0] != ENGINE_VERSION[0] or item.version > ENGINE_VERSION:
        needed, ours = (".".join(map(str, v)) for v in (item.version, ENGINE_VERSION))
        message = f"the rules need engine {needed}; this is {ours}"
        raise Fault(message, item.span, code=LoadCode.ERR_VALIDATE, chain=item.chain)


def check_plugin_syntax(item: PluginRequirement) -> None:
    """Refuse a requirement that makes no sense, whatever plugins there are.

    Raises:
        Fault: a version that is none, or a plugin named twice.
    """
    names: set[str] = set()
    for choice in item.choices:
        name, version = choice.name.text, choice.version.text
        if parse_version(version) is None:
            message = f"expected a version such as 0.4.0 for plugin `{name}`, found `{version}`"
            raise Fault(message, choice.version, code=LoadCode.ERR_VALIDATE, chain=item.chain)
        if name in names:
            message = f"plugin `{name}` is named twice in one requirement"
            raise Fault(message, choice.name, code=LoadCode.ERR_VALIDATE, chain=item.chain)
        names.add(name)


def missing_plugins(items: Iterable[PluginRequirement]) -> list[Fault]:
    """Return a fault for each requirement that no plugin provided here satisfies."""
    return [fault for item in items if (fault := _missing_plugin(item)) is not None]


def _missing_plugin(item: PluginRequirement) -> Fault | None:
    for choice in item.choices:
        provided = PROVIDED_PLUGINS.get(choice.name.text)
        needed = parse_version(choice.version.text)
        if provided is None or needed is None:
            continue
        if provided[0] == needed[0] and provided >= needed:
            return None
        ours = ".".join(map(str, provided))
        message = f"plugin `{choice.name.text}` is here in version {ours}"
        return Fault(message, choice.version, code=LoadCode.ERR_VALIDATE, chain=item.chain)
    names = " or ".join(f"`{choice.name.text}`" for choice in item.choices)
    message = f"the rules need plugin {names}, whose events no capture holds"
    return Fault(message, item.choices[0].name, code=LoadCode.ERR_VALIDATE, chain=item.chain)

"""Which texts are Sigma's: a file of Falco's rules is a sequence, one of Sigma's a mapping.

Cheap, and without pySigma: every rules file is looked at.
"""

import re

from falcotrace.rules.faults import Fault
from falcotrace.rules.source import MappingNode, Node, TextSource, compose_documents

_KEYS = ("detection", "correlation", "filter", "action", "logsource")
_CANDIDATE = re.compile(rf"^(?:{'|'.join(_KEYS)})[ \t]*:|\A\s*\{{", re.MULTILINE)


def is_sigma(source: TextSource) -> bool:
    """Tell whether a text holds Sigma rules; one that is no YAML does not."""
    if _CANDIDATE.search(source.text) is None:
        return False
    try:
        roots = compose_documents(source).roots
    except Fault:
        return False
    return any(_is_rule(root) for root in roots)


def _is_rule(root: Node | None) -> bool:
    return isinstance(root, MappingNode) and any(root.get(key) is not None for key in _KEYS)

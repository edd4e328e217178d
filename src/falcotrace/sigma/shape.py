"""Which texts are Sigma's: a file of Falco's rules is a sequence, one of Sigma's a mapping.

Cheap, and without pySigma: every rules file is looked at.
"""

import re

from falcotrace.rules.faults import Fault
from falcotrace.rules.source import MappingNode, Node, Scalar, TextSource, compose_documents

_KEYS = ("title", "logsource", "detection", "correlation", "filter")
_ACTIONS = frozenset({"global", "repeat", "reset"})
_CANDIDATE = re.compile(rf"^(?:{'|'.join(_KEYS)}|action)[ \t]*:|\A\s*\{{", re.MULTILINE)


def is_sigma(source: TextSource, *, takes_broken: bool = False) -> bool:
    """Tell whether a text holds Sigma rules.

    Args:
        source: the text.
        takes_broken: whether a text that is no YAML but has two of the keys is one.
    """
    if _CANDIDATE.search(source.text) is None:
        return False
    try:
        roots = compose_documents(source).roots
    except Fault:
        return takes_broken and len({match[0] for match in _CANDIDATE.finditer(source.text)}) > 1
    return any(_is_rule(root) for root in roots)


def _is_rule(root: Node | None) -> bool:
    """Whether a document has two of the keys that rules have, or says what others add to it."""
    if not isinstance(root, MappingNode):
        return False
    action = root.get("action")
    is_part = isinstance(action, Scalar) and action.value in _ACTIONS
    return is_part or sum(root.get(key) is not None for key in _KEYS) > 1

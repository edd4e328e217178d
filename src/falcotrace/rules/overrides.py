"""The `override` key: which keys of an item are appended, and which are replaced.

Source: falco 13074749 userspace/engine/rule_loader_reader.cpp, decode_overrides.
"""

from collections.abc import Mapping

from falcotrace.errors import Context
from falcotrace.rules.codes import ItemKind, LoadCode
from falcotrace.rules.faults import Fault
from falcotrace.rules.nodes import Fields
from falcotrace.rules.source import MappingNode, Scalar


def read_overrides(
    fields: Fields, appendable: frozenset[str], replaceable: frozenset[str]
) -> Mapping[str, str]:
    """Return the operation, `append` or `replace`, for each key that has one.

    An `override` that is no mapping is ignored, as in Falco: the item is then a full definition.

    Raises:
        Fault: an operation that does not exist, or not for that key.
    """
    node = fields.get("override")
    if not isinstance(node, MappingNode):
        return {}
    operations: dict[str, str] = {}
    chain = (*fields.chain, Context(ItemKind.OVERRIDES, span=fields.file.span(node)))
    for key_node, value in node.pairs:
        key = key_node.value if isinstance(key_node, Scalar) else ""
        operation = value.value if isinstance(value, Scalar) else ""
        span = fields.file.span(key_node)
        allowed = [
            word for word, keys in (("append", appendable), ("replace", replaceable)) if key in keys
        ]
        help_text = f"allowed for `{key}`: {' or '.join(allowed)}" if allowed else None
        if operation not in {"append", "replace"}:
            raise Fault(
                f"`{operation}` is neither `append` nor `replace`",
                fields.file.span(value),
                code=LoadCode.ERR_YAML_VALIDATE,
                chain=(*chain, Context(ItemKind.VALUE_FOR, key, span)),
                help_text=help_text,
            )
        if operation not in allowed:
            raise Fault(
                f"`{key}` cannot be overridden with `{operation}`",
                span,
                code=LoadCode.ERR_YAML_VALIDATE,
                chain=(*chain, Context(ItemKind.OVERRIDES, key, span)),
                help_text=help_text,
            )
        operations.setdefault(key, operation)
    return operations

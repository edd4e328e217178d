"""Texts as YAML scalars that every reader of YAML gives back as they were.

In: any text, also one that was recorded and is hostile. Out: a scalar in double quotes on one line.
"""

import yaml


def quoted(text: str) -> str:
    r"""A text in double quotes, with everything escaped that could end it or the line.

    Example:
        >>> print(quoted('a"b\n- rule: x'), quoted("é"))
        "a\"b\n- rule: x" "é"
    """
    dumped: str = yaml.safe_dump(
        text, default_style='"', allow_unicode=True, width=float("inf"), explicit_end=False
    )
    return dumped.removesuffix("\n")

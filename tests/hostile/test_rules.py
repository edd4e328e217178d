"""Rules that are meant to hurt: one clear error and an exit code each, in bounded memory."""

import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

MEMORY_LIMIT_BYTES = 2 << 30
"""Address space of the command: an allocation that follows the input fails the test."""

RULE = "- {{rule: r, desc: d, condition: {condition}, output: o, priority: INFO}}\n"


def alias_bomb() -> str:
    """Nine lines that stand for a billion items."""
    lines = ["- &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"- &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    return "\n".join(lines) + "\n"


def bomb_in_a_list() -> str:
    """The same, as items of a list that a rule uses."""
    head = "\n".join(
        f"  l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10 if n else ['x'] * 10)}]" for n in range(9)
    )
    return f"- list: bomb\n{head}\n  items: *l8\n"


def doubling_macros() -> str:
    """Sixty macros, each twice the one before it."""
    lines = ["- macro: m0\n  condition: proc.name = a\n"]
    lines += [f"- macro: m{n}\n  condition: (m{n - 1} or m{n - 1})\n" for n in range(1, 60)]
    return "".join(lines) + RULE.format(condition="m59")


def doubling_lists() -> str:
    """Forty lists, each twice the one before it, in the order in which names expand."""
    lines = [f"- list: l{n}\n  items: [l{n - 1}, l{n - 1}]\n" for n in range(40, 0, -1)]
    return (
        "".join(lines) + "- list: l0\n  items: [a]\n" + RULE.format(condition="proc.name in (l40)")
    )


def deep_brackets() -> str:
    """A condition nested ten thousand deep."""
    return RULE.format(condition="(" * 10_000 + "proc.name=a" + ")" * 10_000)


def deep_nots() -> str:
    """Ten thousand negations before a bracket each."""
    return RULE.format(condition="not (" * 10_000 + "proc.name=a" + ")" * 10_000)


def deep_yaml() -> str:
    """YAML nested ten thousand deep."""
    return "- " + "[" * 10_000 + "]" * 10_000 + "\n"


def huge_file() -> str:
    """Fifty megabytes of one list."""
    return "- list: l\n  items:\n" + "    - aaaaaaaaaaaaaaaa\n" * 2_400_000


def not_utf8() -> bytes:
    """Bytes that are no text."""
    return b"- rule: \xff\xfe\n"


def nul_bytes() -> bytes:
    """A text with NULs, which YAML forbids."""
    return b"- rule: a\0b\n"


CASES: list[Callable[[], str | bytes]] = [
    alias_bomb,
    bomb_in_a_list,
    doubling_macros,
    doubling_lists,
    deep_brackets,
    deep_nots,
    deep_yaml,
    huge_file,
    not_utf8,
    nul_bytes,
]


@pytest.mark.parametrize("make", CASES, ids=lambda case: case.__name__)
def test_hostile_rules_get_one_clear_error(make: Callable[[], str | bytes], tmp_path: Path) -> None:
    """No traceback, no hang, no unbounded allocation: an error with a code and a place."""
    content = make()
    path = tmp_path / "rules.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    done = subprocess.run(
        [sys.executable, "-m", "falcotrace", "rules", "check", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_AS, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES)
        ),
    )
    assert done.returncode == 2, done.stdout[-2000:] + done.stderr[-2000:]
    assert "Traceback" not in done.stderr
    assert "error[LOAD_ERR" in done.stdout
    assert str(path) in done.stdout
    assert len(done.stdout) < 5_000


def test_rule_texts_cannot_speak_to_the_terminal(tmp_path: Path) -> None:
    """A rule file from elsewhere is untrusted too: its text is escaped when it is shown."""
    path = tmp_path / "rules.yaml"
    path.write_text(
        '- {rule: "a\\e[2Jb", desc: d, condition: "x\\e[31m", output: o, priority: INFO}\n'
    )
    done = subprocess.run(
        [sys.executable, "-m", "falcotrace", "rules", "check", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "\x1b" not in done.stdout + done.stderr

"""The tools that measure rule sets: what they print, and when they say that it is too much."""

import os
import subprocess
import sys
from pathlib import Path

from small_captures import write_capture
from unit.fixtures.made_fixtures import RULES, opened

BENCH = Path(__file__).parents[1] / "bench"


def tool(name: str, *arguments: str | Path, shared: Path) -> subprocess.CompletedProcess[str]:
    """Run a tool, with a folder for the reference material."""
    return subprocess.run(
        [sys.executable, BENCH / name, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "FALCOTRACE_SHARED": str(shared)},
    )


def test_false_alerts_are_counted_by_hour_and_rule(tmp_path: Path) -> None:
    """Two alerts within a second are more than one an hour, with the first one's place."""
    rows = [{**opened("cat"), "evt.time": 10**9 * number} for number in (1, 2)]
    write_capture(tmp_path / "c.parquet", [rows]).close()
    (tmp_path / "r.yaml").write_text(RULES)
    capture, rules = tmp_path / "c.parquet", tmp_path / "r.yaml"
    done = tool("false_alerts.py", capture, "--rules", rules, shared=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "2   7200.00        1  Hashes read, c.parquet event 1" in done.stdout
    few = tool("false_alerts.py", capture, "--rules", rules, "--most", "8000", shared=tmp_path)
    assert few.returncode == 0


def test_rule_sets_are_compared_where_the_others_are_there(tmp_path: Path) -> None:
    """Without the reference material only our rules are asked; with it, both stand in a line."""
    write_capture(tmp_path / "c.parquet", [[opened("su")]]).close()
    alone = tool("rule_sets.py", tmp_path / "c.parquet", shared=tmp_path / "nowhere")
    assert alone.returncode == 0, alone.stderr
    assert "only ours are asked" in alone.stdout
    assert "| c | 0 | 0 |" in alone.stdout
    (tmp_path / "falco-rules").mkdir()
    official = RULES.replace("(readers)", "(nobody)")
    (tmp_path / "falco-rules" / "falco_rules.yaml").write_text(official)
    both = tool("rule_sets.py", tmp_path / "c.parquet", "--names", shared=tmp_path)
    assert "| c | 0 | 0 | 1 | 1 |" in both.stdout
    assert "Falco's stable: Hashes read (1)" in both.stdout

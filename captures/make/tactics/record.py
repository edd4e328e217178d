# ruff: noqa: INP001, S603 - a script beside others; it runs fixed programs of Debian
"""Records captures/TACTIC.parquet: what a tactic looks like, and the ordinary work beside it.

    sudo python captures/make/tactics/record.py TACTIC [-o OUTPUT]

Needs root, a kernel with BTF, and the packages of Debian that captures/PROVENANCE.md names. It
undoes what it did. A capture in which a step is missing, or that has words of this machine, is
refused.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import neutral  # noqa: E402 - beside the folder, not in it
from sandboxes import (  # noqa: E402
    memory_folder,
    networks,
    read_namespaces,
    stopped_afterwards,
)
from stage import (  # noqa: E402
    COLLECTOR,
    HOST_CGROUP,
    HOSTNAME,
    INTRUDER,
    MIRROR,
    VISITOR,
    links,
    machine_names,
    setting_of,
    write_descriptions,
    write_machines,
)
from traces import find_traces, machine_words  # noqa: E402

PREFIX = "tactic-"
CAPTURES = HERE.parents[1]


def record(tactic: str, output: Path) -> None:
    """Record a tactic and write the neutral capture.

    Raises:
        CaptureError: the recording lost events.
        SystemExit: a step failed, or the capture has words of this machine.
    """
    network = f"{PREFIX}{os.getpid()}"
    with memory_folder(PREFIX) as folder, tempfile.TemporaryDirectory(prefix=PREFIX) as raw:
        with (
            networks(network, links(network), (VISITOR, MIRROR, INTRUDER, COLLECTOR)),
            stopped_afterwards(folder, machine_names(tactic)),
        ):
            write_machines(folder, tactic, network)
            accounts = neutral.read_accounts(folder / "host-root")
            _run_recorder(folder, Path(raw) / "raw.parquet", network, tactic)
        identity = neutral.Identity(HOSTNAME, accounts, ("/docker/",))
        spaces = frozenset(read_namespaces(folder).values())
        neutral.neutralise(Path(raw) / "raw.parquet", output, spaces, identity)
        words = machine_words([str(folder), raw], [network, HOST_CGROUP, "runc:["])
    traces = find_traces(output, words)
    if traces:
        output.unlink()
        sys.exit(f"the capture had words of this machine: {', '.join(traces)}")


def _run_recorder(folder: Path, raw: Path, network: str, tactic: str) -> None:
    """Record in a mount namespace of its own, where Docker's folder knows the containers."""
    write_descriptions(folder / "docker")
    play = [sys.executable, str(HERE / "play.py"), str(folder), network, tactic]
    recorder = [sys.executable, "-m", "falcotrace", "record", "-o", str(raw)]
    snaplen = setting_of(tactic).snaplen
    options = ["--snaplen", snaplen] if snaplen else []
    # /var/lib has nothing that the recorder needs, and Docker's folder may not be there.
    prepare = 'mount -t tmpfs tmpfs /var/lib && cp -r "$0" /var/lib/docker && exec "$@"'
    private = ["unshare", "--mount", "/bin/sh", "-c", prepare, str(folder / "docker")]
    command = [*private, *recorder, *options, "--", *play]
    if subprocess.run(command, check=False).returncode:
        sys.exit(f"{tactic} was not recorded")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Record what a tactic looks like.")
    parser.add_argument("tactic", choices=sorted(path.stem for path in HERE.glob("*.sh")))
    parser.add_argument("-o", "--output", type=Path)
    chosen = parser.parse_args()
    record(chosen.tactic, chosen.output or CAPTURES / f"{chosen.tactic}.parquet")


if __name__ == "__main__":
    main()

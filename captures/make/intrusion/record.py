# ruff: noqa: INP001, S603 - a script beside others; it runs fixed programs of Debian
"""Records captures/intrusion.parquet and captures/ordinary.parquet, and others of the same kind.

    sudo python captures/make/intrusion/record.py -o OUTPUT [--noise EVENTS] [--seed N] [--ordinary]

Needs root, a kernel with BTF, and Debian's busybox-static, gcc, git, iproute2, make, openssl and
runc. It undoes what it did. A capture in which something is missing, or that has words of this
machine, is refused.
"""

import argparse
import json
import os
import pty
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import neutral  # noqa: E402 - beside the folder, not in it
from machines import HOST_CGROUP, write_machines  # noqa: E402
from names import (  # noqa: E402
    APPLICATION_ADDRESS,
    CONTAINER,
    GATEWAY,
    HOST,
    HOSTNAME,
    NEWS_ADDRESS,
    RATES_ADDRESS,
    VISITORS,
    Names,
    draw_names,
)
from sandboxes import (  # noqa: E402
    Link,
    memory_folder,
    networks,
    read_namespaces,
    stopped_afterwards,
)
from traces import find_traces, machine_words  # noqa: E402

from falcotrace.capture.reader import open_capture  # noqa: E402

EVENTS_OF_A_ROUND = 34_000
"""About as many events as a large round of the host's work has, with what goes on beside it."""

SNAPLEN = "files=0,sockets=2048"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be recorded.

    Attributes:
        noise_count: so many events of ordinary work at least, beside a few thousand.
        seed: decides what the intruder calls things.
        is_peaceful: nobody is to break in.
    """

    noise_count: int = 0
    seed: int = 1
    is_peaceful: bool = False


def record(output: Path, wish: Wish) -> Names:
    """Record the tale and write the neutral capture; returns the intruder's names.

    Raises:
        CaptureError: the recording lost events.
        SystemExit: the capture has words of this machine, or too few events.
    """
    names = draw_names(wish.seed)
    network = f"orders-{os.getpid()}"
    with (
        memory_folder("intrusion-") as folder,
        tempfile.TemporaryDirectory(prefix="intrusion-") as raw,
    ):
        ours, theirs = pty.openpty()
        internet = f"{network}-internet"
        link = Link(network, f"{APPLICATION_ADDRESS}/16", GATEWAY)
        others = (*VISITORS, RATES_ADDRESS, NEWS_ADDRESS, names.address)
        with (
            networks(internet, [link], others),
            _machines(folder, os.ttyname(theirs), network, names, wish),
        ):
            _run_recorder(folder, Path(raw), internet, ours, wish)
        os.close(ours)
        os.close(theirs)
        identity = neutral.Identity(
            HOSTNAME, neutral.read_accounts(folder / "host-root"), ("/docker/",)
        )
        spaces = read_namespaces(folder).values()
        neutral.neutralise(Path(raw) / "raw.parquet", output, frozenset(spaces), identity)
        _check(output, wish, machine_words([str(folder), raw], [network, HOST_CGROUP, "runc:["]))
    return names


def _check(output: Path, wish: Wish, words: set[str]) -> None:
    traces = find_traces(output, words)
    with open_capture(output) as capture:
        count = capture.row_count
    if traces:
        output.unlink()
        sys.exit(f"the capture had words of this machine: {', '.join(traces)}")
    if count < wish.noise_count:
        sys.exit(f"{count:,} events, {wish.noise_count:,} were asked for: ask for more")


def _run_recorder(folder: Path, raw: Path, internet: str, terminal: int, wish: Wish) -> None:
    rounds = -(-wish.noise_count // EVENTS_OF_A_ROUND)
    tale = [sys.executable, str(HERE / "play.py"), str(folder), internet, str(terminal)]
    tale += [str(wish.seed), str(rounds), str(int(wish.is_peaceful))]
    recorder = [sys.executable, "-m", "falcotrace", "record", "-o", str(raw / "raw.parquet")]
    command = [*recorder, "--snaplen", SNAPLEN, "--", *tale]
    subprocess.run(command, check=True, pass_fds=[terminal])


@contextmanager
def _machines(
    folder: Path, terminal: str, network: str, names: Names, wish: Wish
) -> Iterator[None]:
    """Bundles of the machines; afterwards they are stopped and unmounted."""
    rounds = -(-wish.noise_count // EVENTS_OF_A_ROUND)
    write_machines(folder, terminal, f"/run/netns/{network}", names, rounds)
    with stopped_afterwards(folder, (HOST, CONTAINER)):
        yield


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Record an intrusion into a small host.")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--noise", type=int, default=0, metavar="EVENTS", help="Further events.")
    parser.add_argument("--seed", type=int, default=1, help="Decides the intruder's names.")
    parser.add_argument("--ordinary", action="store_true", help="Nobody breaks in.")
    parser.add_argument("--names", type=Path, help="Write the intruder's names here, as JSON.")
    chosen = parser.parse_args()
    names = record(chosen.output, Wish(chosen.noise, chosen.seed, chosen.ordinary))
    if chosen.names:
        chosen.names.write_text(json.dumps(asdict(names), indent=1) + "\n")


if __name__ == "__main__":
    main()

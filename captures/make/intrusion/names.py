# ruff: noqa: INP001 - a script beside others
"""What the intruder calls things, and who has which address in the tale of intrusion.

The names, and some of the ways, are drawn anew for each seed, so that nothing that investigates can
know them. They are such as one finds on any machine.
"""

import base64
import random
from dataclasses import dataclass

APPLICATION_ADDRESS, APPLICATION_PORT = "172.18.0.2", 8080
GATEWAY = "172.18.0.1"
"""Also the resolver that the application asks."""

VISITORS = ("198.51.100.7", "198.51.100.23", "198.51.100.41")
RATES_ADDRESS, NEWS_ADDRESS = "198.51.100.110", "198.51.100.120"
RATES_HOST, NEWS_HOST = "rates.example.com", "news.example.org"
CONTAINER_ID = "c7e21b9a4d60" + "8f1e3a5b7c9d0e2f4a6b8c0d1e3f5a7b9c2d4e6f8a0b1c3d5e7f"
HOSTNAME = "app-1"
HOST, CONTAINER = "host", "orders"
"""The machines' names for the container runtime."""

_HOSTS = ("cdn", "static", "images", "files", "assets")
_DOMAINS = ("example.net", "example.com", "example.org")
_PROGRAMS = ("fontcache", "pulse-shm", "sem.cups", "thumbs", "sess", "upload")
_TOOLS = ("sysinfo", "cleanup", "netcheck", "refresh", "rotate")
_JOBS = ("sysstat", "popularity", "timesync", "logwatch", "certcheck")
_PAGES = ("in", "api/v1/log", "form", "collect", "feedback")
_DECODERS = ("cat", "base64 -d", "gzip -d -c")
_STARTS = ("setsid {} >/dev/null 2>&1 &", "{}", "{} >/dev/null 2>&1 &")
_PORTS = (443, 8443, 993, 995, 5222)


@dataclass(frozen=True, slots=True)
class Names:
    """What differs from one intrusion to the next.

    Attributes:
        program: path of what is dropped.
        tool: path of what is downloaded.
        job: path of the entry for cron.
        host: the intruder's name on the network; `address`, `shell_port` are its numbers.
        page: where secrets are sent to; `file` is where the download comes from.
        key: a line for authorized_keys.
        decoder: the program that writes what is dropped, from what was sent along.
        start: the command that runs it: left to itself, in a session of its own, or waited for.
    """

    program: str
    tool: str
    job: str
    host: str
    address: str
    shell_port: int
    page: str
    file: str
    key: str
    decoder: str
    start: str


def draw_names(seed: int) -> Names:
    """The names and ways of an intrusion; the same ones for the same seed."""
    draw = random.Random(seed)  # noqa: S311 - names, not secrets
    tool = draw.choice(_TOOLS)
    key = b"\0\0\0\x0bssh-ed25519\0\0\0 " + draw.randbytes(32)
    program = f"/dev/shm/{draw.choice(_PROGRAMS)}-{draw.randrange(16**6):06x}"  # noqa: S108
    return Names(
        program=program,
        tool=f"/usr/local/bin/{tool}",
        job=f"/etc/cron.d/{draw.choice(_JOBS)}",
        host=f"{draw.choice(_HOSTS)}.{draw.choice(_DOMAINS)}",
        address=f"203.0.113.{draw.randrange(2, 255)}",
        shell_port=draw.choice(_PORTS),
        page=f"/{draw.choice(_PAGES)}",
        file=f"/{tool}.txt",
        key=f"ssh-ed25519 {base64.b64encode(key).decode()} admin",
        decoder=draw.choice(_DECODERS),
        start=draw.choice(_STARTS).format(program),
    )

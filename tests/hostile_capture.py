"""A capture in which everything that was recorded is hostile: markup, controls, quotes, length."""

from pathlib import Path

from falcotrace.capture.footer import Footer, Host, Losses, PartlyBlind
from falcotrace.capture.reader import Capture
from small_captures import Row, write_capture

EVILS = (
    "sh -c <script>document.title='pwned'</script>",
    "<img src=x onerror=\"document.title='pwned'\">",
    "'\"><svg onload=document.title='pwned'>",
    "</style></title></textarea><script>document.title='pwned'</script>",
    "<![CDATA[x]]><script>document.title='pwned'</script>]]>",
    "\x1b[2J\x1b]0;pwned\x07 \r\n\x00",
    "invoice\u202efdp.exe \u2066\u200f\u0000",
    "javascript:document.title='pwned'",
    "{{7*7}} ${7*7} %s &lt;b&gt; --> <!--",
    "\U0010fe80\U0010feff bytes",
    "x" * 30_000,
    "=cmd()|' /C calc'!A0",
)
"""What somebody might write into a command line, a path or a name."""

_START_NS = 1_795_262_400_000_000_000


def write_hostile(path: Path, copies: int = 1, *, texts: tuple[str, ...] = EVILS) -> Capture:
    """Processes that each open `/etc/shadow`, write a file and connect, with hostile names."""
    rows: list[Row] = []
    for number in range(copies * len(texts)):
        rows += _events(number, f"{texts[number % len(texts)]}{number or ''}")
    evil = texts[0]
    blind = PartlyBlind(pid=7, name=evil, exepath=evil, ring_count=1)
    footer = Footer(
        host=Host(hostname=evil, boot_id="b", kernel=evil, architecture=evil),
        losses=Losses(is_known=True, made_count=9, lost_count=3, by_cause={evil: 3}),
        partly_blind=[blind],
    )
    return write_capture(path, [rows], footer)


def _events(number: int, evil: str) -> list[Row]:
    pid = 1000 + number
    process: Row = {
        "proc.pid": pid,
        "proc.ppid": 1,
        "proc.apid": [1],
        "proc.aname": [evil],
        "proc.acmdline": [evil],
        "proc.name": evil,
        "proc.cmdline": evil,
        "proc.exepath": evil,
        "proc.pname": evil,
        "proc.pid_ts": _START_NS + number,
        "user.name": evil,
        "container.id": "c0ffee",
        "container.name": evil,
        "evt.rawres": 3,
    }
    begin = _START_NS + number * 1_000_000
    opened: Row = {"evt.type": "openat", "fd.name": "/etc/shadow", "fd.type": "file"}
    flags: Row = {"evt.arg.flags": "O_WRONLY|O_CREAT"}
    wrote: Row = {"evt.type": "openat", "fd.name": f"/tmp/{evil}", "fd.type": "file", **flags}
    remote: Row = {"fd.rip": "203.0.113.9", "fd.rport": 4444}
    connected: Row = {"evt.type": "connect", "fd.name": evil, "fd.type": "ipv4", **remote}
    return [
        {**process, **event, "evt.num": 3 * number + place, "evt.time": begin + place}
        for place, event in enumerate((opened, wrote, connected), 1)
    ]


RULES = """
- rule: "Shadow <script>document.title='pwned'</script>"
  desc: "</style><script>document.title='pwned'</script>"
  condition: evt.type = openat and fd.name = /etc/shadow
  output: "It | command=%proc.cmdline file=%fd.name user=%user.name parent=%proc.pname"
  priority: CRITICAL
  tags: [mitre_credential_access, T1003.008, "<b>"]
- rule: Connection
  desc: somebody talks
  condition: evt.type = connect
  output: "Connected | command=%proc.cmdline to=%fd.name"
  priority: WARNING
  tags: [mitre_command_and_control, T1571]
- rule: Nothing
  desc: never
  condition: evt.type = execve and proc.name = nothing
  output: "never"
  priority: ERROR
- rule: Off
  desc: off
  condition: evt.type = execve
  output: "off"
  priority: ERROR
  enabled: false
"""
"""Rules with hostile names, of which two match."""

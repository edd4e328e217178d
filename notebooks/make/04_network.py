# %% [markdown]
# # Network: who talked to whom, and what was said?
#
# The capture has more than packets have: which *program* talked, as whom, and under which name it knew the other end. Where contents were recorded
# (`falcotrace record --snaplen sockets=2048`) it also has what was said.

# %%
CAPTURE = "../captures/intrusion.parquet"  # your own
PEER = None  # an address to look at closely; None: the one that the most severe alerts are about

# %%
import tempfile
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

import falcotrace as ft
from falcotrace import notebook

capture = ft.open(CAPTURE)
network = capture.network

# %% [markdown]
# ## Who talked to whom
# A lane for each program and its other end; a bar is one conversation. An arrow to the left means that the other end began. *Look for lanes that
# begin late*, for programs that you do not know, and for long bars: somebody stayed.

# %%
notebook.conversations(network)

# %% [markdown]
# ## Under which names
# The names come from answers that programs got from their name server, as recorded, never from asking today. An address **without** a name was
# typed in or came in from outside; an address with a name that nobody needs for work is a question.

# %%
capture.query("fd.type in (ipv4, ipv6) and evt.type = connect and fd.sport != 0").count_by(
    "fd.sip.name", "fd.sip", "fd.sport", "proc.name"
)

# %%
answers = network.dns.df()
answers = answers[answers["kind"].eq("answer") & answers["answers"].map(len).gt(0)]
notebook.table(answers.head(12), "time", "event", "process", "name", "type", "answers")

# %% [markdown]
# `fd.sip.name` goes into conditions and rules as well. It holds for every connection to an address that somebody had been given under that name *by then*,
# also where the program itself never asked. Here for the name that the most programs use:

# %%
users = answers.groupby("name")["process"].nunique().sort_values()
if len(users):
    name = users.index[-1]
    fields = ("fd.sip.name", "proc.name", "proc.exepath", "fd.sport")
    display(capture.query(f"fd.sip.name = '{name}'").count_by(*fields))

# %% [markdown]
# ## The peer in question
# Not every peer deserves your time. Those that alerts are about do:

# %%
alerts = list(capture.scan(ft.rules()))
peers = Counter()
for alert in sorted(alerts, key=lambda one: one.priority)[:50]:
    event = alert.event
    if str(event.get("fd.rip", "")) not in ("", "127.0.0.1", "::1"):
        peers[(-alert.priority, str(event["fd.rip"]))] += 1
if PEER is None and peers:
    PEER = max(peers, key=lambda key: (key[0], peers[key]))[1]
print(PEER or "no alert is about a connection: name a PEER in the first cell")

# %% [markdown]
# All that was asked of it or by it over HTTP. *Read the paths:* what came in, what was fetched, what reports again and again.

# %%
requests = network.http.df()
with_peer = requests["tuple"].str.contains(PEER or "no peer", regex=False)
requests = requests[requests["kind"].eq("request") & with_peer]
asked = requests.assign(path=requests["path"].map(unquote))
notebook.table(asked, "time", "event", "process", "tuple", "method", "host", "path")

# %% [markdown]
# And over TLS, where only the name is readable; nothing here means that nothing was encrypted, not even on port 443:

# %%
notebook.table(network.tls.df(), "time", "event", "process", "tuple", "server_name", "version")

# %% [markdown]
# ## What was said
# The conversation with this peer that lasted longest. Received is what the other end sent. If this is a shell, then you
# read the intruder's own commands here, and what he saw.

# %%
conversations = [one for one in network.conversations if PEER and PEER in one.tuple_text]
longest = max(conversations, key=lambda one: one.last.time_ns - one.first.time_ns, default=None)
stream = network.stream(tuple_text=longest.tuple_text) if longest else None
if stream:
    told = stream.arrow().to_pandas()
    told["said"] = [data.decode("utf-8", "replace")[:160] for data in told["data"]]
    display(notebook.table(told, "time", "event", "direction", "process", "said", "missing_bytes"))

# %% [markdown]
# ## For the tools that want packets
# The conversations with this peer as packets, for Wireshark and everything else that reads pcapng. They are rebuilt from system calls and say so: times, order
# and contents are recorded, sequence numbers and headers are made. What was not recorded is a gap, not a guess.

# %%
with tempfile.TemporaryDirectory() as folder:
    target = Path(folder) / "peer.pcapng"
    if conversations:
        written = network.write_pcap(target, f"fd.rip = {PEER}")
        print(
            f"{written.conversation_count} conversations, {target.stat().st_size:,} bytes of pcapng"
        )

# %% [markdown]
# The file is gone with the cell: give it a path of your own to keep it. `falcotrace export CAPTURE --pcap FILE` does the same.
#
# ## The answer
# For the capture that ships: the application asks `rates.example.com` and `news.example.org` all the time, from cron; that is its work. **203.0.113.126 is not:** it came
# in with requests to `/report` whose parameter goes on with shell commands, and then the other direction began. A program asked for the name
# `static.example.net`, posted something to `/collect`, and held one connection to port 443 for more than four seconds. That is no TLS: it is a shell,
# and above stand the commands that were typed, from `unset HISTFILE` to `exit`. Since then a program called `cleanup` asks `/work` for work, every
# few seconds, and it still does at the end of the capture.
#
# **Next:** block the address *and* the name; hunt for both in other captures (`fd.sip.name = static.example.net`, see `03_hunt`); what the shell's
# commands did to the host is in `02_root_cause`.

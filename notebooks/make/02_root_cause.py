# %% [markdown]
# # Root cause: what led to this alert, and what came of it?
#
# You have one alert: a process made a network connection its standard input and output, as reverse shells do. Who let it in, what did
# it do, and is it still there? This notebook walks from the alert back to the request that caused it, and forward to what remains
# on the host. Every statement cites event numbers, so that you can check it.

# %%
CAPTURE = "../captures/intrusion.parquet"  # your own
RULE = "Standard stream redirected to a connection"  # where to begin; if it did not fire: the most severe alert
RULES = []  # your own rules files; none: those that ship

# %%
from urllib.parse import unquote

import pandas as pd

import falcotrace as ft
from falcotrace import notebook

capture = ft.open(CAPTURE)
alerts = list(capture.scan(ft.rules(*RULES)))
if not alerts:
    raise SystemExit("No rule fired: there is no alert to begin with.")
alert = min(alerts, key=lambda one: (one.rule.name != RULE, one.priority, one.time_ns, one.num))
alert

# %% [markdown]
# ## Is it what it says?
# Each line is one check of the rule, and on the right what the event had. Read the values, not the rule's name: the *connection* says where
# it went, the *process* is who did it. If a value looks innocent to you, this is where a false alarm ends.

# %%
alert.explain()

# %% [markdown]
# ## The whole story in one picture
# Blue led to the alert, red is the alert's own process, violet came of it. A row hangs on the row that it came from, dashed lines tie
# together what meets again, and the number above a box is the event that shows it. *Look for three things:* the first connections
# (where it began), a file that is written and then executed, and violet boxes at the far left: what runs there was not started by
# the intruder's shell, and will run again.

# %%
graph = capture.graph(alert, alerts)
graph

# %% [markdown]
# ## Cause: what came in
# The connections on the side of the causes, and what was asked over them. A parameter that goes on with `'`, `;` or `|` and a command
# is not a parameter. That is the hole: this request, this program, this parameter.

# %%
came_in = {
    node.label
    for node in graph.nodes.values()
    if node.side == "cause" and node.thing is not None and node.thing.is_socket
}
requests = capture.network.http.df()
requests = requests[requests["kind"].eq("request") & requests["tuple"].isin(came_in)]
asked = requests.assign(path=requests["path"].map(unquote))
notebook.table(asked, "time", "event", "process", "tuple", "method", "path")

# %% [markdown]
# ## Cause: from the request to the alert
# The blue part of the picture as rows, in order of time, up to the alert. Read them as sentences: *source, action, target*.

# %%
edges = graph.arrow().to_pandas()
causes = edges[edges["side"].eq("cause") & edges["first_event"].le(alert.num)]
notebook.table(causes, "time", "source", "action", "target", "first_event", "count")

# %% [markdown]
# And the events themselves, as they were recorded: the evidence. Whatever you write into a report should be in such rows.

# %%
numbers = [alert.num, *causes["first_event"].astype(int)]
capture.query(
    f"evt.num in ({', '.join(map(str, numbers))})",
    columns="evt.num, evt.type, evt.res, proc.name, proc.pid, user.name, fd.name, proc.cmdline",
)

# %% [markdown]
# ## Impact: what was started
# The process between its ancestors and what it started. Rules that fired stand below the process that made them fire.

# %%
capture.tree(alert, alerts)

# %% [markdown]
# ## Impact: what it read, wrote and sent
# Everything that the process itself did to files. Keys and passwords that were read are lost: change them, all of them.

# %%
process = alert.process
process.files

# %%
process.connections

# %% [markdown]
# And with everything that it started, in order of time, what changed something:

# %%
happened = process.timeline().arrow().to_pandas()
changes = ["wrote", "created", "deleted", "changed", "moved to", "linked to", "opened to write"]
changed = happened[
    happened["what"].isin(changes) & ~happened["object"].str.startswith(("/dev/null", "pipe:"))
]
notebook.table(changed, "time", "event", "process", "what", "object", "count")

# %% [markdown]
# ## Impact: what stays
# A file that was written matters when somebody meets it afterwards. On the left who wrote it, on the right who opened or ran it *later*. If the
# right side is not a child of the left (cron, a service manager, a login), then the file is a way back in.

# %%
writes = edges[edges["action"].isin(changes)]
meets = edges[edges["action"].isin(["opened", "read", "ran"])]
stays = writes.merge(meets, left_on="target", right_on="source", suffixes=("", "_later"))
stays = stays[stays["first_event_later"] > stays["first_event"]].sort_values("first_event_later")
later = pd.DataFrame(
    {
        "file": stays["target"],
        "written by": stays["source"],
        "event": stays["first_event"],
        "later": stays["action_later"],
        "by": stays["target_later"],
        "at event": stays["first_event_later"],
    }
)
notebook.table(later.drop_duplicates(["file", "by"]))

# %% [markdown]
# ## The answer
# For the capture that ships: **the application on port 8080 puts the parameter `month` of `/report` into a shell command, and runs as root.** Three
# requests from 203.0.113.126 wrote a program to `/dev/shm`, made it executable and ran it. That is the cause.
#
# The program read `/etc/shadow`, the private key in `/root/.ssh`, the cloud credentials and the application's settings, sent something of it to
# port 80 of the same machine, connected to port 443 and became a shell for whoever sat there. Through this shell came the rest: a second
# program, `/usr/local/bin/cleanup`, a cron entry that runs it, a key in `authorized_keys`. Then history and the first program were
# removed. **The cron entry works:** the graph shows cron reading it and starting the program, which calls the same machine again.
#
# **Next:** cut the container off; keep the two files and the container's layer; take out the cron entry and the key; change every password and
# key that was read; close the hole in `/report`. Then ask all other hosts the same: that is `03_hunt`. What went over the
# connections is in `04_network`.

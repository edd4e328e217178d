# %% [markdown]
# # Hunt: was it here too, and since when?
#
# Yesterday's intruder taught you something. No rule asked for it then; the captures are still there. This notebook writes one new rule and
# asks it of all of them. Point the next line at your own captures: files, folders, patterns, or URLs such as `s3://captures/2026/**/*.parquet`.

# %%
CAPTURE = "../captures/*.parquet"  # your own, as many as you have

# %% [markdown]
# ## The question, as a rule
# `02_root_cause` ended with a program that ran from `/dev/shm` and called somebody. Its name and the address are worth nothing tomorrow. What it
# *did* is worth more: **a program that lies where anybody can write, or lies in memory only, connects to another machine.**

# %%
RULE = """
- rule: Program from a writable place connected
  desc: >
    A program that lies in shared memory, in a temporary directory or in memory alone connected to
    another machine. Programs that are installed lie elsewhere. Look at who wrote the file, and at
    what went over the connection.
  condition: >
    evt.type = connect and (evt.rawres >= 0 or evt.res = EINPROGRESS)
    and fd.typechar in (4, 6) and fd.sport != 0 and not fd.snet in ("127.0.0.0/8", "::1/128")
    and (proc.exepath startswith /dev/shm/ or proc.exepath startswith /tmp/
         or proc.exepath startswith /var/tmp/ or proc.is_exe_from_memfd = true)
  output: >
    Program from a writable place connected | connection=%fd.name program=%proc.exepath
    command=%proc.cmdline parent=%proc.pname user=%user.name
  priority: ERROR
  tags: [network, mitre_command_and_control, T1071]
"""

# %%
import json
from pathlib import Path

import pandas as pd

import falcotrace as ft
from falcotrace import notebook
from falcotrace.engines.sql import rule_sql
from falcotrace.hunt import hunt_captures

rules = ft.rules(ft.RulesText(RULE))

# %% [markdown]
# ## Ask all captures
# *Look first* at the second table: a capture that failed, was skipped or lost events has not said no. In the first table, `events_asked` is
# how many events the rule had to look at: what this question costs, so that you know what a year of captures would.

# %%
found = hunt_captures(CAPTURE, rules)
found

# %% [markdown]
# ## Where, and since when
# One row for each host. The first time matters most: whatever you believed to be the beginning, this may be earlier.

# %%
hits = found.table().to_pandas()
hits["time"] = pd.to_datetime(hits["time_ns"])
hits["capture"] = hits["file"].map(lambda file: Path(file).name)
by_host = hits.groupby(["host", "capture", "rule"], as_index=False).agg(
    alerts=("num", "size"), first=("time", "min"), last=("time", "max")
)
notebook.table(by_host.sort_values("first"))

# %% [markdown]
# A lane for each host. Evenly spaced dots are a program that reports to somebody; a single one is a visit.

# %%
notebook.timeline(found, by_host=True)

# %% [markdown]
# ## What was found
# Read the connection and the program. Same address on two hosts: one intruder. Different addresses and the same behaviour: one *kind* of intruder,
# and the reason why the rule did not ask for addresses.

# %%
columns = ["fd.name", "proc.exepath", "proc.pname", "user.name", "container.id"]
values = pd.DataFrame(hits["output_fields"].map(json.loads).tolist()).reindex(columns=columns)
notebook.table(hits.join(values).sort_values("time"), "time", "host", "num", *columns)

# %% [markdown]
# ## From a hit to its capture
# A hit names its file and its event, and from there everything of `02_root_cause` works. Here only who started the program of the
# first hit on each host:

# %%
for hit in hits.sort_values("time").drop_duplicates("host").itertuples():
    with ft.open(hit.file) as capture:
        display(capture.tree(hit.num))

# %% [markdown]
# ## The same question elsewhere
# A rule is also a query. Whoever keeps captures in a lake asks it there, in any tool that speaks SQL to Parquet (`rules sql` prints the same, also
# for Spark, Trino and ClickHouse).

# %%
print(rule_sql(rules.rules[0], "captures/*.parquet"))

# %% [markdown]
# ## The answer
# For the captures that ship: **three hosts have it.** `app-1` in the capture `intrusion`, by a program in `/dev/shm`; `web-1` in `first_light`,
# hours before, by a program that lies in memory only and reports to another address; and `host-1`, on which attackers' tactics are played: by
# a tunnel (`command_and_control`) and a miner (`impact`). All others are silent, those of ordinary work among them.
#
# **Next:** these hosts are incidents; open each with `02_root_cause`. Keep the rule: put it into your rules folder, and it is asked while recording
# (`falcotrace record -r`). Hunt again tomorrow with `--state`, and only what is new is read. How to make a rule that stays quiet on ordinary days: `05_write_a_rule`.

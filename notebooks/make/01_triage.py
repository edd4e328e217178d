# %% [markdown]
# # Triage: what happened on this host, and which alert matters first?
#
# You are handed a capture, and somebody waits for an answer. This notebook goes the short way: what was recorded, what the
# rules say, which alerts belong together, where they began, and what came of it. Point the next line at your own capture
# and run everything again; nothing below knows about this one.

# %%
CAPTURE = "../captures/first_light.parquet"  # your own
RULES = []  # your own rules files, in order; none: those that ship

# %% [markdown]
# ## What was recorded
# Look at *lost* first. A capture that lost events says so here, and then "no alert" means less.

# %%
import pandas as pd

import falcotrace as ft
from falcotrace import notebook

pd.options.display.max_colwidth = 120

capture = ft.open(CAPTURE)
capture

# %%
capture.sql("""
    SELECT container.id AS container, proc.name AS program,
           count(DISTINCT proc.pid) AS processes, count(*) AS events
    FROM events GROUP BY ALL ORDER BY events DESC LIMIT 8
""").df()

# %% [markdown]
# ## What the rules say
# Each line is one event for which one rule holds.

# %%
report = capture.scan(ft.rules(*RULES))
alerts = list(report)
report

# %%
notebook.timeline(alerts)

# %% [markdown]
# ## Which alerts belong together
# Severity alone is a poor guide: it was chosen by whoever wrote the rule, who knew nothing of this host. But every event in a capture
# carries its whole ancestry. So ask of each alert: below the first process of its host or container, *which program did this come from?*

# %%
if not alerts:
    raise SystemExit(
        "No rule fired: nothing to triage. Look at the notes above, or bring other rules."
    )
numbers = ", ".join(str(alert.num) for alert in alerts)
origins = capture.sql(f"""
    SELECT evt.num AS event, container.id AS container,
           coalesce(proc.acmdline[-2], proc.cmdline) AS origin,
           coalesce(proc.apid[-2], proc.pid) AS pid
    FROM events WHERE evt.num IN ({numbers}) ORDER BY event
""").df()
notebook.table(origins.head(3))

# %% [markdown]
# And count, for each of these programs, how many alerts and how many *different* rules:

# %%
found = pd.DataFrame(
    {
        "event": alert.num,
        "time": f"{pd.to_datetime(alert.time_ns):%H:%M:%S.%f}",
        "priority": alert.priority,
        "rule": alert.rule.name,
    }
    for alert in alerts
).merge(origins, on="event")
stories = (
    found.groupby(["container", "origin", "pid"], as_index=False)
    .agg(
        alerts=("event", "size"),
        rules=("rule", "nunique"),
        worst=("priority", "min"),
        first=("time", "min"),
    )
    .sort_values(["rules", "worst"], ascending=[False, True], ignore_index=True)
)
titles = {alert.priority: alert.priority.title for alert in alerts}
notebook.table(stories.assign(worst=stories["worst"].map(titles)))

# %% [markdown]
# One program stands behind most of the alerts, and many *different* rules agree about it. A health check trips one rule again and again;
# an intruder trips many, once each. So the alert that matters first is the earliest one of the first line:

# %%
story = stories.iloc[0]
first_event = found.loc[found["pid"] == story["pid"], "event"].min()
first = next(alert for alert in alerts if alert.num == first_event)
first

# %% [markdown]
# ## What came of it
# The process, what it came from, and everything that it started, with the alerts of each. An arrow means: in the same process, instead of the line above.

# %%
notebook.process_tree(capture, alerts, below=first.num)

# %% [markdown]
# And as one picture, with files and connections: what led to the alert is blue, what came of it is violet. `02_root_cause` reads such a
# picture slowly.

# %%
capture.graph(first, alerts)

# %% [markdown]
# ## How it began
# The last connection that the parent accepted before, and what it handed to the program.

# %%
capture.sql(f"""
    SELECT make_timestamp_ns(evt.time) AS time, proc.name AS server, fd.name AS connection
    FROM events
    WHERE evt.type IN ('accept', 'accept4') AND evt.rawres >= 0 AND evt.num < {first.num}
      AND proc.pid = (SELECT proc.ppid FROM events WHERE evt.num = {first.num})
    ORDER BY evt.num DESC LIMIT 1
""").df()

# %%
capture.sql(f"""
    SELECT url_decode(item) AS environment
    FROM (SELECT unnest(proc.env) AS item FROM events WHERE evt.num = {first.num})
    WHERE regexp_matches(item, '^(QUERY|REMOTE|SSH)_')
""").df()

# %% [markdown]
# ## What it touched
# Three questions about the same family of processes: whom did it call, what did it leave behind, and who else met that afterwards?

# %%
family = f"list_contains([proc.pid] || proc.apid, {story['pid']})"
capture.sql(f"""
    SELECT fd.sip AS address, fd.sport AS port, list_sort(list(DISTINCT proc.cmdline)) AS programs,
           count(*) AS connections, make_timestamp_ns(min(evt.time)) AS first
    FROM events WHERE evt.type = 'connect' AND fd.sport > 0 AND {family}
    GROUP BY ALL ORDER BY first
""").df()

# %%
left_behind = (
    capture.sql(f"""
    SELECT make_timestamp_ns(evt.time) AS time, coalesce(evt.arg.linkpath, fd.name) AS path,
           evt.arg.target AS points_to, proc.cmdline AS program
    FROM events
    WHERE {family} AND evt.rawres >= 0 AND (
        evt.type IN ('symlink', 'symlinkat')
        OR evt.type IN ('open', 'openat', 'creat') AND fd.type = 'file'
           AND regexp_matches(evt.arg.flags, 'O_WRONLY|O_RDWR') AND NOT fd.name = '/dev/null'
    )
    ORDER BY evt.num
""")
    .df()
    .fillna("")
)
left_behind

# %%
paths = ", ".join("'" + path.replace("'", "''") + "'" for path in left_behind["path"]) or "NULL"
capture.sql(f"""
    WITH readers AS (
        SELECT evt.num AS event, evt.time AS time, proc.pid AS pid, proc.name AS program, fd.name AS path
        FROM events
        WHERE evt.type IN ('open', 'openat') AND evt.rawres >= 0 AND evt.num > {first.num}
          AND container.id = '{story["container"]}' AND fd.name IN ({paths}) AND NOT {family}
    )
    SELECT make_timestamp_ns(time) AS time, program, path, (
        SELECT arg_min(fd.name, evt.num) FROM events
        WHERE proc.pid = readers.pid AND evt.num > readers.event AND fd.type IN ('ipv4', 'ipv6')
    ) AS next_connection
    FROM readers ORDER BY event
""").df().fillna("")

# %% [markdown]
# ## The answer
# For the capture that ships: the alert to begin with is **Server program started a shell or a tool**, neither the first in time nor
# the most severe. A visitor wrote a command into a request, and the web server of the container ran it. Within ten seconds the visitor
# had a shell, connected to a machine outside; had read the password hashes, and fetched them through the web server itself, by a link, so that no
# rule about reading `/etc/shadow` saw it; had run a program that was not there before, first from disk and then from memory; and had left
# it in two places, with a cron job to come. The container may do what only a host should (`CAP_SYS_ADMIN`), so the host is in question too.
#
# The other lines are ordinary: health checks, somebody with a terminal, a cron job, a backup that reads everything below
# `/etc`, an operator who changes the message of the day. Each can become an exception of its rule, in a rules file of your own.

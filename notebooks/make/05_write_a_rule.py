# %% [markdown]
# # Write a rule: how do I find this again, without being woken for nothing?
#
# A rule is good when it fires on the attack and is silent on an ordinary day. So you need two captures: one with what you want to find, and one
# without. This notebook goes from an idea to a tested rule in six steps.

# %%
CAPTURE = "../captures/intrusion.parquet"  # with the attack: your own
BASELINE = "../captures/ordinary.parquet"  # an ordinary day on the same kind of host
SERVER = "python3"  # the server program that was abused

# %%
import pandas as pd

import falcotrace as ft
from falcotrace import notebook

attack = ft.open(CAPTURE)
ordinary = ft.open(BASELINE)

# %% [markdown]
# ## 1. Look at what there is
# Begin with what is *new*: programs, who started them, what they wrote and with whom they talked, that the ordinary day never had. Each line may become
# a rule. The lines `started by` are the best ones: programs come and go, but who starts what hardly ever changes.

# %%
new = attack.diff(ordinary)
started = new.table.to_pandas().query("kind == 'started by'")
notebook.table(started, "kind", "program", "what", "count", "first_event", "first")

# %% [markdown]
# The idea: *the application was made to start programs that it should not start.* A condition needs no rule to be tried. What do the shells
# of this server start?

# %%
STARTED = f"""
    evt.type in (execve, execveat) and evt.rawres >= 0
    and proc.pname in (ash, bash, dash, sh) and proc.aname[2] = {SERVER}
""".strip()

attack.query(STARTED).count_by("proc.name", "proc.exepath")

# %% [markdown]
# ## 2. Ask the ordinary day the same
# Whatever is here as well is work, not an attack. A rule that asks only for "a shell below the server" would fire on every report.

# %%
ordinary.query(STARTED).count_by("proc.name", "proc.exepath")

# %% [markdown]
# What is new, side by side. *Look at the zeros:* these programs are what the rule is for.

# %%
counts = [
    opened.query(STARTED)
    .count_by("proc.exepath")
    .df()
    .set_index("proc.exepath")["count"]
    .rename(name)
    for name, opened in (("attack", attack), ("ordinary day", ordinary))
]
compared = pd.concat(counts, axis=1).fillna(0).astype(int).reset_index()
notebook.table(compared)

# %% [markdown]
# ## 3. Write it down
# Condition, output, priority, tags. The output names what you want to know at three in the morning: which program, which command line, whose shell.
# What the ordinary day starts becomes an *exception*: not a longer condition, so that others can add to it without touching yours. It goes
# by `proc.exepath`, because a name can be chosen by whoever starts a program.

# %%
usual = compared.loc[compared["ordinary day"] > 0, "proc.exepath"].tolist()


def rule_text(exceptions: list[str]) -> str:
    excepted = f"""
  exceptions:
    - name: usual_programs
      fields: proc.exepath
      comps: in
      values: [{", ".join(exceptions)}]
"""
    return f"""
- rule: Unusual program below the application
  desc: >
    A shell of the application started a program that it does not start on ordinary days. Look at
    the shell's command line, and at the request before it.
  condition: >
    {STARTED}{excepted.rstrip() if exceptions else str()}
  output: >
    Unusual program below the application | program=%proc.exepath command=%proc.cmdline
    shell=%proc.pcmdline user=%user.name
  priority: ERROR
  tags: [process, mitre_execution, T1059.004]
"""


first_try = ft.rules(ft.RulesText(rule_text([])))
rules = ft.rules(ft.RulesText(rule_text(usual)))
print(rule_text(usual))

# %% [markdown]
# ## 4. Test it on both
# Attack: some. Ordinary day: none. The first row is the rule without exceptions, so that you see what they are for.

# %%
tried = [("without exceptions", first_try), ("with exceptions", rules)]
notebook.table(
    pd.DataFrame(
        {
            "rule": name,
            "alerts in the attack": len(list(attack.scan(plan))),
            "alerts on the ordinary day": len(list(ordinary.scan(plan))),
        }
        for name, plan in tried
    )
)

# %%
attack.scan(rules)

# %%
notebook.timeline(attack.scan(rules))

# %% [markdown]
# ## 5. Ask what it misses
# The nearest misses: events for which all but one or two checks hold. This is where you see what you forgot. *Read the check* above each table, and then
# ask whether the values below it should have counted. The misses by an exception are what you excepted: nothing else should be there.

# %%
attack.misses(rules.rules[0], limit=12)

# %% [markdown]
# One event in detail: why did the rule not fire on it? Here the first program that was executed from a place where anybody can write, if there is one.

# %%
dropped = attack.query(
    """
    evt.type in (execve, execveat) and evt.rawres >= 0
    and (proc.exepath startswith /dev/shm/ or proc.exepath startswith /tmp/)
    """,
    columns="evt.num, proc.exepath, proc.pname, proc.cmdline",
)
first = next(iter(dropped), None)
attack.explain(rules.rules[0], first["evt.num"]) if first else dropped

# %% [markdown]
# ## 6. Know its limits, and keep it
# For the captures that ship the rule fires on `id`, `uname`, `base64` and `chmod`, **which came in with requests, and on nothing of the ordinary day.** It does not fire on the
# dropped program itself: when that was executed, the shell that had started it was gone, and with it the parent that the condition asks for (the `false` lines
# above). Ancestry is a good clue and a bad fence. Another rule has the other half: *Program executed from shared memory*, which ships. Two rules
# that fail differently are better than one that is meant to be perfect.
#
# **Next:** save the text as a file in your rules folder; `falcotrace rules check` it; run it over a month of captures (`03_hunt`) before it may wake anybody.
# What it finds there becomes an exception or an incident.

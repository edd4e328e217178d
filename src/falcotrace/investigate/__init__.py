"""From an alert to its cause and its impact: processes, what they did, and graphs of both.

In: open captures. Out: processes with their identity, activities with the events that show them,
timelines, graphs, differences. Whatever is said cites event numbers; nothing is drawn here.
"""

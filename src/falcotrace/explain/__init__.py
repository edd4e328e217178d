"""Why a rule fired on an event or did not, and which events came nearest.

`event.py` explains one event, `misses.py` finds the nearest misses of a whole capture; both answer
with data, which `outputs/explanation.py` turns into text.
"""

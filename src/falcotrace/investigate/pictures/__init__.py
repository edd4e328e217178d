"""Pictures of what was found: graphs, trees of processes, timelines of alerts, as SVG.

In: `Graph`, `ProcessTree`, alerts. Out: one SVG each, well-formed XML without scripts, styles or
anything from the network, with what was recorded escaped. Nothing is decided here.
"""

from falcotrace.investigate.pictures.graph import graph_svg
from falcotrace.investigate.pictures.timeline import timeline_svg
from falcotrace.investigate.pictures.tree import tree_svg

__all__ = ["graph_svg", "timeline_svg", "tree_svg"]

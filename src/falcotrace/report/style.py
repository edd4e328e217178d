"""The stylesheet of a report: on a screen, in the dark, on paper."""

import base64
import hashlib

from falcotrace.outputs.svg import INKS

_SCREEN = """
:root { --ink: #1b2430; --faint: #5b6672; --line: #d5dae0; --paper: #fff; --page: #f3f5f7;
  --good: #1e6b3c; --good-paper: #e9f6ee; --bad: #b42318; --bad-paper: #fdecea;
  --warn: #86660b; --warn-paper: #fbf5e0; --link: #1d5fae; color-scheme: light dark; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 28px 24px 60px; }
header h1 { font-size: 26px; line-height: 1.25; margin: 0 0 6px; overflow-wrap: anywhere; }
header p { margin: 0; color: var(--faint); overflow-wrap: anywhere; }
nav { margin: 14px 0 0; font-size: 14px; }
nav a { margin-right: 16px; white-space: nowrap; }
a { color: var(--link); text-decoration: none; }
a:hover { text-decoration: underline; }
section { background: var(--paper); border: 1px solid var(--line); border-radius: 8px;
  padding: 18px 22px 20px; margin-top: 20px; }
h2 { font-size: 19px; line-height: 1.3; margin: 0 0 10px; }
h3 { font-size: 15px; line-height: 1.4; margin: 20px 0 8px; overflow-wrap: anywhere; }
p { margin: 0 0 10px; max-width: 860px; }
table + p { margin-top: 12px; }
.note, .small { color: var(--faint); font-size: 13px; }
.small { display: block; font-size: .95em; line-height: 1.4; margin-top: 2px; }
.tiles { display: flex; flex-wrap: wrap; gap: 10px; margin: 14px 0; }
.tile { border: 1px solid var(--line); border-radius: 6px; padding: 8px 14px; min-width: 112px; }
.tile b { display: block; font-size: 21px; line-height: 1.3; font-variant-numeric: tabular-nums; }
.tile span { color: var(--faint); font-size: 13px; }
.banner { border-left: 5px solid; border-radius: 4px; padding: 10px 14px; margin: 0 0 10px;
  max-width: none; overflow-wrap: anywhere; }
.good { border-color: var(--good); background: var(--good-paper); }
.bad { border-color: var(--bad); background: var(--bad-paper); }
.warn { border-color: var(--warn); background: var(--warn-paper); }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; line-height: 1.45; }
th, td { text-align: left; vertical-align: top; padding: 6px 14px 6px 0;
  border-bottom: 1px solid var(--line); overflow-wrap: anywhere; unicode-bidi: isolate; }
th { color: var(--faint); font-weight: 600; white-space: nowrap; overflow-wrap: normal; }
th:last-child, td:last-child { padding-right: 0; }
td.right, th.right { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.firm { overflow-wrap: normal; } td.firm code { overflow-wrap: normal; }
td.firm .small { overflow-wrap: anywhere; }
td.wide { width: 50%; min-width: 220px; }
.time, .badge { white-space: nowrap; font-variant-numeric: tabular-nums; }
code { font: 12.5px/1.5 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  overflow-wrap: anywhere; unicode-bidi: isolate; }
pre { margin: 0 0 10px; padding: 12px 14px; background: var(--page); border-radius: 6px;
  white-space: pre-wrap; overflow-wrap: anywhere; }
.badge { font-weight: 600; }
.picture { margin: 8px 0 4px; overflow-x: auto; }
.picture svg { display: block; max-width: 100%; height: auto; }
.paper { display: none; }
details { margin-top: 12px; }
summary { cursor: pointer; color: var(--link); }
ul { margin: 6px 0 10px; padding-left: 20px; }
li { overflow-wrap: anywhere; margin-bottom: 4px; }
.columns { columns: 2; column-gap: 32px; font-size: 13.5px; }
footer { color: var(--faint); font-size: 13px; margin-top: 20px; overflow-wrap: anywhere; }
@media (max-width: 860px) { main { padding: 18px 14px 40px; } section { padding: 14px 14px 16px; }
  th, td { padding-right: 9px; } td.wide { width: auto; min-width: 150px; }
  table { font-size: 12.5px; } }
"""

_DARK = """
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ed; --faint: #9aa5b1; --line: #333c46;
  --paper: #161b21; --page: #0e1216; --good: #5fc28a; --good-paper: #14271c; --bad: #ff8a7a;
  --bad-paper: #391c1a; --warn: #e3c15a; --warn-paper: #2e270f; --link: #7db4f5; }
"""

_PRINT = """
@page { margin: 14mm 12mm; }
@media print { body { background: #fff; font-size: 10pt; } main { padding: 0; max-width: none; }
  nav { display: none; } section { border: 0; padding: 0; margin-top: 18px; }
  table { font-size: 8pt; } tr, .tile, .banner { break-inside: avoid; }
  thead { display: table-header-group; } h2, h3, summary { break-after: avoid; }
  .banner, .badge, .picture { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .picture { overflow: visible; } .screen { display: none; } .paper { display: block; }
  .picture svg { break-inside: avoid; } #graphs > .note { break-after: avoid; }
  summary { color: inherit; list-style: none; }
  details::details-content { content-visibility: visible; display: block; height: auto; } }
"""


def _inks() -> str:
    light = "".join(
        f".ft-{ink.name} {{ fill: {ink.light}; }} .ft-s-{ink.name} {{ stroke: {ink.light}; }}\n"
        f".badge.p-{ink.name} {{ color: {ink.light}; }}\n"
        for ink in INKS
    )
    dark = "".join(
        f".ft-{ink.name} {{ fill: {ink.dark}; }} .ft-s-{ink.name} {{ stroke: {ink.dark}; }}\n"
        f".badge.p-{ink.name} {{ color: {ink.dark}; }}\n"
        for ink in INKS
    )
    # Paper is white whatever the screen prefers.
    return f"{light}{_DARK}{dark}}}\n"


STYLE = f"{_SCREEN}{_inks()}{_PRINT}"
"""Everything that a page is told about how it looks."""

STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
"""By which a page allows this style and no other."""

POLICY = f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; base-uri 'none'; form-action 'none'"
"""No scripts, no network, no other styles, whatever gets into the page."""

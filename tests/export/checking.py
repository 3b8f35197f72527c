"""Reads each format with the program that others check it with.

Functions import these programs themselves: some take a second, and every test worker imports this module.
"""

from __future__ import annotations

import csv
import io
import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harvestdetect.util.escape import INVISIBLE

if TYPE_CHECKING:
    import networkx as nx
    import pymisp


@cache
def _ocsf_validator() -> Any:
    import jsonschema
    from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version="1.8.0"))
    found = schema.get_class_schema(class_name=schema.lookup_class_name_from_uid(class_uid=2004), profiles=[])
    return jsonschema.Draft202012Validator(found)


def ocsf_events(text: str) -> list[dict[str, Any]]:
    """The events, each valid."""
    events = [json.loads(line) for line in text.splitlines()]
    for event in events:
        assert not [f"{e.json_path}: {e.message}" for e in _ocsf_validator().iter_errors(event)]
        assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
    return events


def stix_objects(text: str) -> list[dict[str, Any]]:
    """The objects of the bundle, each valid; ids of observables are those that the library computes."""
    import stix2
    import stix2validator

    results = stix2validator.validate_string(text, stix2validator.ValidationOptions(version="2.1"))
    assert results.is_valid, results.errors
    # 103: ids are no random UUIDs, because they depend on the content. 302: an address has no hash.
    told = {str(warning) for warning in results.warnings}
    assert not [one for one in told if "{103}" not in one and "{302}" not in one]
    parsed = stix2.parse(text, allow_custom=False)
    objects: list[dict[str, Any]] = json.loads(text).get("objects", [])
    assert len(getattr(parsed, "objects", [])) == len(objects) == len({one["id"] for one in objects})
    for one in objects:
        if "modified" not in one and one["type"] != "marking-definition":
            bare = {key: value for key, value in one.items() if key not in ("id", "object_marking_refs")}
            assert stix2.parse(json.dumps(bare), version="2.1").id == one["id"]
    return objects


@cache
def _misp_data(name: str) -> Any:
    import pymisp

    return json.loads((Path(pymisp.__file__).parent / "data" / name).read_text(encoding="utf-8"))


def misp_event(text: str) -> pymisp.MISPEvent:
    """The event, valid by the schema and by the templates of its objects."""
    import jsonschema
    import pymisp

    plain = json.loads(text)
    validator = jsonschema.Draft4Validator(_misp_data("schema-lax.json"))
    assert not [f"{e.json_path}: {e.message}" for e in validator.iter_errors(plain)]
    event = pymisp.MISPEvent()
    event.load(text)
    described = _misp_data("describeTypes.json")["result"]
    for attribute in event.attributes:
        assert attribute.type in described["category_type_mappings"][attribute.category]
    for one in event.objects:
        template = _misp_data(f"misp-objects/objects/{one.name}/definition.json")
        assert one.template_uuid == template["uuid"]
        assert int(one.template_version) <= template["version"]
        relations = {a.object_relation for a in one.attributes}
        assert relations <= set(template["attributes"])
        assert relations & set(template["requiredOneOf"])
    again = json.loads(event.to_json())
    assert len(again.get("Attribute", ())) == len(plain["Event"]["Attribute"])
    return event


def xarf_reports(text: str) -> list[dict[str, Any]]:
    """The reports, each valid."""
    import xarf

    reports = [json.loads(line) for line in text.splitlines()]
    for report in reports:
        result = xarf.parse(report)
        assert not result.errors
        assert not result.warnings
        assert isinstance(result.report, xarf.ScrapingReport)
    return reports


def graph_of(text: str, name: str) -> nx.Graph:
    """The graph, bipartite and without parallel edges."""
    import networkx as nx

    read = {"graphml": nx.read_graphml, "gexf": nx.read_gexf}[name]
    graph = read(io.BytesIO(text.encode()))
    assert type(graph) is nx.Graph
    assert text.count("<edge ") == graph.number_of_edges()
    assert text.count("<node ") == graph.number_of_nodes()
    for one, other in graph.edges:
        assert {graph.nodes[one]["bipartite"], graph.nodes[other]["bipartite"]} == {0, 1}
    return graph


def csv_table(text: str) -> list[dict[str, str]]:
    """The rows of a table, none of whose cells is a formula or has an invisible character."""
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    for cells in rows:
        assert len(cells) == len(rows[0])
        for cell in cells:
            assert not cell.strip().startswith(("=", "+", "@", "＝", "＋", "＠"))
            assert not cell.startswith("-") or float(cell) < 0
            assert not INVISIBLE.search(cell)
    return [dict(zip(rows[0], cells, strict=True)) for cells in rows[1:]]

"""Writes a graph as GraphML or GEXF.

Both are written line by line, because networkx writes today's date into GEXF and holds a graph several
times in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from harvestdetect.export.atlas import TECHNIQUES
from harvestdetect.export.graph import EDGE_FIELDS, NODE_FIELDS, Graph, Value, graph_of, lexical
from harvestdetect.export.values import ExportOptions, Source

__all__ = ["gexf", "graphml"]

_DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
_GRAPHML: Final = (
    '<graphml xmlns="http://graphml.graphdrawing.org/xmlns" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    'xsi:schemaLocation="http://graphml.graphdrawing.org/xmlns '
    'http://graphml.graphdrawing.org/xmlns/1.0/graphml.xsd">\n'
)
_GEXF: Final = (
    '<gexf xmlns="http://www.gexf.net/1.2draft" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    'xsi:schemaLocation="http://www.gexf.net/1.2draft http://www.gexf.net/1.2draft/gexf.xsd" version="1.2">\n'
)


def graphml(source: Source, options: ExportOptions) -> Iterator[str]:
    """The graph as GraphML 1.0.

    Args:
        source: findings, with what may be shown of them.
        options: the marking.
    """
    graph = graph_of(source)
    nodes = {name: f"n{i}" for i, name in enumerate(NODE_FIELDS)}
    edges = {name: f"e{i}" for i, name in enumerate(EDGE_FIELDS)}
    yield _DECLARATION + _GRAPHML
    yield '  <key id="g0" for="graph" attr.name="marking" attr.type="string"/>\n'
    yield '  <key id="g1" for="graph" attr.name="techniques" attr.type="string"/>\n'
    for kind, fields, keys in (("node", NODE_FIELDS, nodes), ("edge", EDGE_FIELDS, edges)):
        for name, what in fields.items():
            yield f'  <key id="{keys[name]}" for="{kind}" attr.name="{name}" attr.type="{what}"/>\n'
    yield '  <graph id="harvestdetect" edgedefault="undirected">\n'
    yield f'    <data key="g0">tlp:{options.tlp}</data>\n'
    yield f'    <data key="g1">{_techniques()}</data>\n'
    for node in graph.nodes:
        yield f"    <node id={_quoted(node.id)}>{_data(node.values, nodes)}</node>\n"
    for edge in graph.edges:
        ends = f"source={_quoted(edge.source)} target={_quoted(edge.target)}"
        yield f"    <edge {ends}>{_data(edge.values, edges)}</edge>\n"
    yield "  </graph>\n</graphml>\n"


def _data(values: Mapping[str, Value], keys: Mapping[str, str]) -> str:
    return "".join(f'<data key="{keys[name]}">{escape(lexical(value))}</data>' for name, value in values.items())


def gexf(source: Source, options: ExportOptions) -> Iterator[str]:
    """The graph as GEXF 1.2.

    Args:
        source: findings, with what may be shown of them.
        options: the marking.
    """
    graph: Graph = graph_of(source)
    nodes = [name for name in NODE_FIELDS if name != "label"]
    edges = [name for name in EDGE_FIELDS if name != "weight"]
    yield _DECLARATION + _GEXF
    yield (
        "  <meta><creator>harvestdetect</creator>"
        f"<keywords>tlp:{options.tlp} {_techniques()}</keywords>"
        "<description>Accounts and the templates that they sent</description></meta>\n"
    )
    yield '  <graph mode="static" defaultedgetype="undirected">\n'
    for kind, fields, names in (("node", NODE_FIELDS, nodes), ("edge", EDGE_FIELDS, edges)):
        yield f'    <attributes class="{kind}" mode="static">\n'
        for name in names:
            yield f'      <attribute id="{name}" title="{name}" type="{fields[name]}"/>\n'
        yield "    </attributes>\n"
    yield "    <nodes>\n"
    for node in graph.nodes:
        label = node.values.get("label", node.id)
        inside = _attvalues(node.values, nodes)
        yield f"      <node id={_quoted(node.id)} label={_quoted(label)}>{inside}</node>\n"
    yield "    </nodes>\n    <edges>\n"
    for number, edge in enumerate(graph.edges):
        ends = f"source={_quoted(edge.source)} target={_quoted(edge.target)}"
        weight = f'weight="{lexical(edge.values.get("weight", 1.0))}"'
        yield f'      <edge id="{number}" {ends} {weight}>{_attvalues(edge.values, edges)}</edge>\n'
    yield "    </edges>\n  </graph>\n</gexf>\n"


def _attvalues(values: Mapping[str, Value], names: list[str]) -> str:
    inside = "".join(f'<attvalue for="{n}" value={_quoted(values[n])}/>' for n in names if n in values)
    return f"<attvalues>{inside}</attvalues>"


def _quoted(value: Value) -> str:
    return quoteattr(lexical(value))


def _techniques() -> str:
    return " ".join(one.id for one in TECHNIQUES)

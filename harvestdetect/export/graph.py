"""The graph of accounts and templates, for GraphML and GEXF.

A node is an account, a template of a campaign, or, if the source does not say who sent which template, a campaign. So
the graph is bipartite, and no two nodes have two edges.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from harvestdetect.data import TIERS, YEAR_10000
from harvestdetect.export.text import content_id, plain, stamp
from harvestdetect.export.values import Account, Campaign, Source, TemplateView

__all__ = ["EDGE_FIELDS", "NODE_FIELDS", "Edge", "Graph", "Kind", "Node", "Value", "graph_of", "lexical"]

Value: TypeAlias = str | int | float | bool
Kind: TypeAlias = Literal["string", "long", "double", "boolean"]
"""Type of an attribute, as GraphML and GEXF call it."""

NODE_FIELDS: Final[dict[str, Kind]] = {
    "kind": "string",
    "bipartite": "long",
    "label": "string",
    "title": "string",
    "tier": "string",
    "campaigns": "string",
    "template_id": "string",
    "signature": "string",
    "words": "string",
    "accounts": "long",
    "prompts": "long",
    "probability": "double",
    "recommended": "boolean",
    "first_seen": "string",
    "last_seen": "string",
}
"""Attributes of nodes. ``bipartite`` is 0 for accounts and 1 for all others."""
EDGE_FIELDS: Final[dict[str, Kind]] = {
    "campaign": "string",
    "weight": "double",
    "rows": "long",
    "first_seen": "string",
    "last_seen": "string",
    "evidence": "string",
    "membership": "double",
    "recommended": "boolean",
    "attributed": "boolean",
}
"""Attributes of edges. ``weight`` is the number of rows, or 1 if that is unknown."""
LABEL: Final = 120
"""Most characters of the label of a template."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node with what is known of :data:`NODE_FIELDS`."""

    id: str
    values: dict[str, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """An edge with what is known of :data:`EDGE_FIELDS`."""

    source: str
    target: str
    values: dict[str, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """A bipartite graph."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


@dataclass(slots=True)
class _Seen:
    """An account over all campaigns."""

    account: Account
    campaigns: list[Campaign] = field(default_factory=list)
    recommended: bool = False
    times: list[int] = field(default_factory=list)


def graph_of(source: Source) -> Graph:
    """The graph of a source, with what may be shown of it.

    Nodes are in the order of the findings, then of the accounts. An account has one node, a template one for each
    campaign that it is in.
    """
    nodes: list[Node] = []
    edges: list[Edge] = []
    seen: dict[str, _Seen] = {}
    for campaign in source.campaigns:
        if source.complete:
            nodes += [_template(campaign, template) for template in campaign.templates]
        else:
            nodes.append(_whole(campaign))
        for account in campaign.members:
            one = seen.setdefault(account.name, _Seen(account))
            one.campaigns.append(campaign)
            one.recommended |= bool(account.recommended)
            one.times += [t for t in (account.first_seen, account.last_seen) if t is not None]
        edges += _sent(campaign) if source.complete else _belongs(campaign)
    known = {node.id for node in nodes}
    nodes += [Node(id=i, values=_placeholder(i)) for i in dict.fromkeys(e.target for e in edges) if i not in known]
    nodes += [_account(one) for one in seen.values()]
    return Graph(nodes=tuple(nodes), edges=tuple(edges))


def lexical(value: Value) -> str:
    """A value as XML Schema writes it, with invisible characters shown."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return plain(value) if isinstance(value, str) else repr(value)


def _template_node(campaign: str, template: str) -> str:
    return _node("template", f"{campaign}/{template}")


def _account_node(account: str) -> str:
    return _node("account", account)


def _node(kind: str, name: str) -> str:
    """The id of a node. Names that look alike after :func:`lexical` have different ids."""
    shown = plain(name)
    return f"{kind}:{name}" if shown == name else f"{kind}:{shown}~{content_id(name)[:8]}"


def _template(campaign: Campaign, template: TemplateView) -> Node:
    text = " ".join("…" if run is None else run for run in template.words)
    values: dict[str, Value | None] = {
        "kind": "template", "bipartite": 1, "label": plain(text, LABEL) or template.template_id,
        "title": plain(campaign.title) or None, "tier": campaign.tier,
        "campaigns": campaign.campaign_id, "template_id": template.template_id, "signature": template.signature,
        "words": text or None, "accounts": template.accounts, "prompts": template.prompts,
        "probability": campaign.probability,
    }  # fmt: skip
    return Node(id=_template_node(campaign.campaign_id, template.template_id), values=_known(values))


def _placeholder(node: str) -> dict[str, Value]:
    """Values of a template that the prompts name and the findings do not."""
    name = node.removeprefix("template:")
    campaign, _, template = name.rpartition("/")
    return {"kind": "template", "bipartite": 1, "label": template, "campaigns": campaign, "template_id": template}


def _whole(campaign: Campaign) -> Node:
    values: dict[str, Value | None] = {
        "kind": "campaign", "bipartite": 1, "label": campaign.campaign_id,
        "title": plain(campaign.title) or None, "tier": campaign.tier,
        "campaigns": campaign.campaign_id, "accounts": campaign.accounts, "prompts": campaign.prompts,
        "probability": campaign.probability, "first_seen": _time(campaign.first_seen),
        "last_seen": _time(campaign.last_seen),
    }  # fmt: skip
    return Node(id=_node("campaign", campaign.campaign_id), values=_known(values))


def _account(seen: _Seen) -> Node:
    tier = min((campaign.tier for campaign in seen.campaigns), key=TIERS.index)
    values: dict[str, Value | None] = {
        "kind": "account", "bipartite": 0, "label": seen.account.name, "tier": tier,
        "campaigns": " ".join(campaign.campaign_id for campaign in seen.campaigns), "prompts": seen.account.prompts,
        "recommended": None if seen.account.recommended is None else seen.recommended,
        "first_seen": _time(min(seen.times, default=None)), "last_seen": _time(max(seen.times, default=None)),
    }  # fmt: skip
    return Node(id=_account_node(seen.account.name), values=_known(values))


def _sent(campaign: Campaign) -> Iterator[Edge]:
    """Who sent prompts of which template."""
    members = {one.name: one for one in campaign.members}
    for link in campaign.links:
        member = members[link.account]
        values: dict[str, Value | None] = {
            "campaign": campaign.campaign_id, "weight": float(link.rows), "rows": link.rows,
            "first_seen": _time(link.first_seen), "last_seen": _time(link.last_seen), "evidence": link.evidence,
            "membership": member.membership, "recommended": member.recommended,
        }  # fmt: skip
        target = _template_node(campaign.campaign_id, link.template_id)
        yield Edge(source=_account_node(link.account), target=target, values=_known(values))


def _belongs(campaign: Campaign) -> Iterator[Edge]:
    """Who is a member of which campaign, for a source that does not know more."""
    for member in campaign.members:
        values: dict[str, Value | None] = {
            "campaign": campaign.campaign_id, "weight": 1.0, "rows": member.harvest_prompts,
            "first_seen": _time(member.first_seen), "last_seen": _time(member.last_seen),
            "membership": member.membership, "recommended": member.recommended,
            "attributed": member.attributed or None,
        }  # fmt: skip
        target = _node("campaign", campaign.campaign_id)
        yield Edge(source=_account_node(member.name), target=target, values=_known(values))


def _known(values: dict[str, Value | None]) -> dict[str, Value]:
    return {
        name: value
        for name, value in values.items()
        if value is not None and not (isinstance(value, float) and not math.isfinite(value))
    }


def _time(seconds: int | None) -> str | None:
    return None if seconds is None or not 0 <= seconds < YEAR_10000 else stamp(seconds)

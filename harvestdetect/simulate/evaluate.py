"""How well a scan did against a labelled dump: campaign recall, account recall and precision, alarms.

The definitions are on :class:`Scores`. They are sets of account ids and nothing else, so any detector that
writes ``campaigns.jsonl`` and ``accounts.csv`` can be scored by the same rule.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from harvestdetect.data import TIERS, Detection, Tier
from harvestdetect.errors import InputError, SettingsError
from harvestdetect.report.read import csv_rows, json_lines, short
from harvestdetect.util.escape import csv_text

__all__ = [
    "Found",
    "GroupScore",
    "Kind",
    "Planted",
    "Scores",
    "evaluate",
    "found_of",
    "read_findings",
    "read_truth",
    "render",
]

Kind = Literal["campaign", "look-alike"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """One group of a labelled dump."""

    name: str
    kind: Kind
    what: str
    """Plain words: what the group does."""
    accounts: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a scan says about one campaign, as far as scoring needs it."""

    campaign_id: str
    tier: Tier
    score: float
    accounts: frozenset[str]
    """All members."""
    recommended: frozenset[str]
    """The members recommended for action."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupScore:
    """One planted group and the finding that fits it best.

    A finding that finds the campaign goes first, then the larger overlap (Jaccard), then the higher rank.
    """

    name: str
    kind: Kind
    accounts: int
    campaign_id: str | None
    """Of the best finding at any tier; None where no finding holds an account of the group."""
    tier: Tier | None
    recall: float
    """Accounts of the group in that finding / accounts of the group."""
    precision: float | None
    """Accounts of the group in that finding / accounts of the finding."""
    found: bool
    """Campaigns: found at a counted tier. Look-alikes: the group is behind an alarm at a counted tier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """The scores of a scan. A ratio is None where its denominator is zero.

    A finding *counts* when its tier is one of ``tiers``. A finding is *false* when fewer than half of its
    accounts are planted in any campaign.
    """

    tiers: tuple[Tier, ...]
    campaigns: int
    campaigns_found: int
    """With half of their accounts or more in one counted finding of which at least half are their own."""
    campaign_recall: float | None
    account_recall: float | None
    """Accounts planted in campaigns that are a member of any counted finding / all of them."""
    account_precision: float | None
    """Of the members of counted findings, the share planted in campaigns."""
    recommended_precision: float | None
    """The same over the members recommended for action."""
    alarms: int
    """Counted findings that are false."""
    alarms_urgent: int
    """Urgent findings that are false, whatever ``tiers`` says."""
    look_alikes: int
    look_alikes_urgent: int
    """Look-alike groups that are the largest planted group in a false urgent finding."""
    ranking_average_precision: float | None
    """Findings of all tiers, ranked by tier, then by falling score, then by id.

    A finding that is the first to find a campaign is a hit, a false finding is a miss, and everything else
    (a further fragment or a mixture of campaigns) is neither. The precision at a campaign's hit is hits /
    (hits + misses) down to there; a campaign that is never found has precision 0; the mean over campaigns.
    """
    rows: tuple[GroupScore, ...]
    """One per planted group, in the order of the truth."""


# ---------------------------------------------------------------- reading


def read_truth(path: str | Path) -> list[Planted]:
    """The planted groups of a labelled dump.

    Args:
        path: ``truth.jsonl``, or the folder that holds it. A line is
            ``{"name", "kind": "campaign" | "look-alike", "what", "accounts": [...]}``.

    Raises:
        InputError: the file cannot be read, a line is not a group, or two groups have one name.
    """
    file = Path(path)
    if file.is_dir():
        file = file / "truth.jsonl"
    groups: list[Planted] = []
    names: set[str] = set()
    for number, row in json_lines(file):
        where = f"{file}, line {number}"
        name, kind, accounts = row.get("name"), row.get("kind"), row.get("accounts")
        if not isinstance(name, str) or not name:
            raise InputError(f"{where}: name must be a text, got {short(name)}")
        if kind not in ("campaign", "look-alike"):
            raise InputError(f"{where}: kind must be campaign or look-alike, got {short(kind)}")
        if not isinstance(accounts, list) or not accounts:
            raise InputError(f"{where}: accounts must be a list of account ids, got {short(accounts)}")
        bad = [a for a in accounts if isinstance(a, bool) or not isinstance(a, str | int)]
        if bad:
            raise InputError(f"{where}: an account id must be a text or an integer, got {short(bad[0])}")
        if name in names:
            raise InputError(f"{where}: a second group is named {short(name)}; give each its own name")
        names.add(name)
        groups.append(
            Planted(
                name=name,
                kind=cast(Kind, kind),
                what=str(row.get("what", "")),
                accounts=frozenset(str(a) for a in accounts),
            )
        )
    if not groups:
        raise InputError(f"{file} holds no planted group; expected one JSON object a line")
    return groups


def read_findings(out: str | Path) -> list[Found]:
    """The findings that a scan wrote.

    Args:
        out: the folder given to ``scan --out``; ``campaigns.jsonl`` and ``accounts.csv`` are read. What
            keeps a spreadsheet from running a cell such as ``'=1+1`` is undone.

    Raises:
        InputError: a file is missing or malformed, or the two do not belong together.
    """
    folder = Path(out)
    table = folder / "campaigns.jsonl"
    judged: dict[str, tuple[Tier, float]] = {}
    for number, row in json_lines(table):
        where = f"{table}, line {number}"
        identity, tier, score = row.get("campaign_id"), row.get("tier"), row.get("score")
        if not isinstance(identity, str):
            raise InputError(f"{where}: campaign_id must be a text, got {short(identity)}")
        if tier not in TIERS:
            raise InputError(f"{where}: tier must be one of {', '.join(TIERS)}, got {short(tier)}")
        if isinstance(score, bool) or not isinstance(score, int | float):
            raise InputError(f"{where}: score must be a number, got {short(score)}")
        if identity in judged:
            raise InputError(f"{where}: campaign_id {short(identity)} occurs twice")
        try:
            judged[identity] = (cast(Tier, tier), float(score))
        except OverflowError:
            raise InputError(f"{where}: score must be a number of up to 308 digits, got {short(score)}") from None
    members: dict[str, set[str]] = {identity: set() for identity in judged}
    recommended: dict[str, set[str]] = {identity: set() for identity in judged}
    accounts = folder / "accounts.csv"
    for number, cells in csv_rows(accounts, ("account", "campaign_id", "recommended")):
        try:
            account, identity = (csv_text(cells[name]) for name in ("account", "campaign_id"))
        except (ValueError, OverflowError):
            raise InputError(f"{accounts}, line {number}: an escape such as \\U000e0041 names no character") from None
        if identity not in judged:
            raise InputError(
                f"{accounts}, line {number}: campaign_id {short(identity)} is not in {table.name}; "
                "are both files of the same scan?"
            )
        members[identity].add(account)
        if cells["recommended"].strip().lower() in ("true", "1", "yes"):
            recommended[identity].add(account)
    return [
        Found(
            campaign_id=identity,
            tier=tier,
            score=score,
            accounts=frozenset(members[identity]),
            recommended=frozenset(recommended[identity]),
        )
        for identity, (tier, score) in judged.items()
    ]


def found_of(detection: Detection) -> list[Found]:
    """The findings of a scan that is still in memory."""
    return [
        Found(
            campaign_id=finding.campaign_id,
            tier=finding.tier,
            score=finding.score,
            accounts=frozenset(m.account for m in finding.members),
            recommended=frozenset(m.account for m in finding.members if m.recommended),
        )
        for finding in detection.findings
    ]


# ---------------------------------------------------------------- scoring


def evaluate(
    found: Iterable[Found],
    planted: Iterable[Planted],
    *,
    tiers: Sequence[Tier] = ("urgent", "review"),
) -> Scores:
    """Score findings against the planted groups; see :class:`Scores` for every definition.

    Args:
        found: the findings, in any order.
        planted: the groups of the truth; a group may share accounts with another.
        tiers: the tiers whose findings count.

    Raises:
        SettingsError: ``tiers`` is empty or names an unknown tier.
    """
    counted = tuple(dict.fromkeys(tiers))
    unknown = [t for t in counted if t not in TIERS]
    if unknown or not counted:
        given = short(unknown[0]) if unknown else "none"
        raise SettingsError(f"tiers must be among {', '.join(TIERS)}, got {given}")
    groups = list(planted)
    ranked = sorted(
        found,
        key=lambda f: (TIERS.index(f.tier), -f.score if f.score == f.score else math.inf, f.campaign_id),
    )
    groups_of: dict[str, list[int]] = {}
    for g, group in enumerate(groups):
        for account in group.accounts:
            groups_of.setdefault(account, []).append(g)
    is_campaign = [group.kind == "campaign" for group in groups]
    guilty = {a for group in groups if group.kind == "campaign" for a in group.accounts}
    overlaps = [Counter(g for a in f.accounts for g in groups_of.get(a, ())) for f in ranked]
    counts = [f.tier in counted for f in ranked]
    false = [2 * len(f.accounts & guilty) < len(f.accounts) for f in ranked]

    def finds(f: int, g: int) -> bool:
        shared = overlaps[f][g]
        return 2 * shared >= len(groups[g].accounts) and 2 * shared >= len(ranked[f].accounts)

    # the first finding that finds each campaign, at a counted tier and at any
    found_counted: set[int] = set()
    precision_at: dict[int, float] = {}
    hits = misses = 0
    for f in range(len(ranked)):
        match = [g for g in overlaps[f] if is_campaign[g] and finds(f, g)]
        if counts[f]:
            found_counted.update(match)
        new = [g for g in match if g not in precision_at]
        if new:
            hits += 1
        elif false[f]:
            misses += 1
        for g in new:
            precision_at[g] = hits / (hits + misses)

    behind_alarm: set[int] = set()
    behind_urgent: set[int] = set()
    for f, finding in enumerate(ranked):
        if not false[f] or not overlaps[f]:
            continue
        most = max(overlaps[f].values())
        largest = {g for g, shared in overlaps[f].items() if shared == most and not is_campaign[g]}
        if counts[f]:
            behind_alarm |= largest
        if finding.tier == "urgent":
            behind_urgent |= largest

    best: list[tuple[tuple[bool, float], int] | None] = [None] * len(groups)
    for f, finding in enumerate(ranked):
        for g, shared in overlaps[f].items():
            union = len(groups[g].accounts) + len(finding.accounts) - shared
            key = (counts[f] and is_campaign[g] and finds(f, g), shared / union)
            held = best[g]
            if held is None or key > held[0]:
                best[g] = (key, f)

    rows = []
    for g, group in enumerate(groups):
        held = best[g]
        chosen = None if held is None else ranked[held[1]]
        shared = 0 if held is None else overlaps[held[1]][g]
        rows.append(
            GroupScore(
                name=group.name,
                kind=group.kind,
                accounts=len(group.accounts),
                campaign_id=None if chosen is None else chosen.campaign_id,
                tier=None if chosen is None else chosen.tier,
                recall=shared / len(group.accounts) if group.accounts else 0.0,
                precision=None if chosen is None else shared / len(chosen.accounts),
                found=g in (found_counted if is_campaign[g] else behind_alarm),
            )
        )

    flagged = frozenset[str]().union(*(f.accounts for f, c in zip(ranked, counts, strict=True) if c))
    advised = frozenset[str]().union(*(f.recommended for f, c in zip(ranked, counts, strict=True) if c))
    campaigns = sum(is_campaign)
    return Scores(
        tiers=counted,
        campaigns=campaigns,
        campaigns_found=len(found_counted),
        campaign_recall=_ratio(len(found_counted), campaigns),
        account_recall=_ratio(len(flagged & guilty), len(guilty)),
        account_precision=_ratio(len(flagged & guilty), len(flagged)),
        recommended_precision=_ratio(len(advised & guilty), len(advised)),
        alarms=sum(c and x for c, x in zip(counts, false, strict=True)),
        alarms_urgent=sum(f.tier == "urgent" and x for f, x in zip(ranked, false, strict=True)),
        look_alikes=len(groups) - campaigns,
        look_alikes_urgent=len(behind_urgent),
        ranking_average_precision=_ratio(math.fsum(precision_at.values()), campaigns),
        rows=tuple(rows),
    )


def _ratio(part: float, whole: int) -> float | None:
    return part / whole if whole else None


# ---------------------------------------------------------------- printing


def render(scores: Scores) -> str:
    """The scores as an aligned table in plain text, without a control character but the line feeds.

    Names come from files that others wrote: whatever a terminal would not print as itself (control
    characters, escapes, direction marks) is shown as ``\\x1b`` or ``\\u202e``.
    """
    at = " + ".join(scores.tiers)
    head = [
        ("campaign recall", f"{_number(scores.campaign_recall)}  ({scores.campaigns_found} of "
         f"{scores.campaigns} campaigns, at {at})"),
        ("account recall", _number(scores.account_recall)),
        ("account precision", _number(scores.account_precision)),
        ("recommended precision", _number(scores.recommended_precision)),
        ("alarms", f"{scores.alarms}  ({scores.alarms_urgent} at urgent)"),
        ("look-alikes at urgent", f"{scores.look_alikes_urgent} of {scores.look_alikes}"),
        ("ranking average precision", _number(scores.ranking_average_precision)),
    ]  # fmt: skip
    width = max(len(label) for label, _ in head)
    lines = [f"{label:<{width}}  {value}" for label, value in head]
    titles = ("group", "kind", "accounts", "best finding", "tier", "recall", "precision", "found")
    table = [titles]
    for row in scores.rows:
        if row.kind == "campaign":
            verdict = "yes" if row.found else "NO"
        else:
            verdict = "ALARM" if row.found else "-"
        table.append(
            (
                _printable(row.name),
                row.kind,
                str(row.accounts),
                "-" if row.campaign_id is None else _printable(row.campaign_id),
                row.tier or "-",
                _number(row.recall),
                _number(row.precision),
                verdict,
            )
        )
    widths = [max(len(cells[c]) for cells in table) for c in range(len(titles))]
    right = {2, 5, 6}
    lines.append("")
    for cells in table:
        line = "  ".join(
            cell.rjust(w) if c in right else cell.ljust(w)
            for c, (cell, w) in enumerate(zip(cells, widths, strict=True))
        )
        lines.append(line.rstrip())
    return "\n".join(lines) + "\n"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _printable(text: str, limit: int = 48) -> str:
    """Text without what a terminal would act on, and not longer than ``limit``."""
    shown = "".join(
        c if c == " " or not unicodedata.category(c).startswith(("C", "Z", "M")) else _escape(c) for c in text
    )
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

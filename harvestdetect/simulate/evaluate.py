"""Scores of a scan of a labelled dump: campaign recall, account recall and precision, false alarms.

The scores are defined in :class:`Scores`. They depend on sets of account ids alone, so any detector that writes
``campaigns.jsonl`` and ``accounts.csv`` can be scored in the same way.
"""

from __future__ import annotations

import math
import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from harvestdetect.arguments import items_of, path_of, wrong
from harvestdetect.data import TIERS, Detection, Finding, Tier
from harvestdetect.errors import InputError, SettingsError
from harvestdetect.report.read import csv_rows, json_lines, short
from harvestdetect.util.escape import csv_text

__all__ = [
    *("GroupScore", "Kind", "Planted", "ReportedFinding", "Scores"),
    *("evaluate", "found_of", "read_findings", "read_truth", "render"),
]

Kind = Literal["campaign", "look-alike"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """One group of a labelled dump."""

    name: str
    kind: Kind
    what: str
    """What the group does, in plain words."""
    accounts: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedFinding:
    """One finding of a scan, as far as scoring needs it."""

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
    """The best finding at any tier; None where no finding has an account of the group."""
    tier: Tier | None
    recall: float
    """Accounts of the group in that finding / accounts of the group."""
    precision: float | None
    """Accounts of the group in that finding / accounts of the finding."""
    found: bool
    """Campaigns: found at a counted tier. Look-alikes: the group is behind an alarm at a counted tier."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Scores:
    """The scores of a scan. A ratio is None where its denominator is zero. Its ``repr`` is the table of :func:`render`.

    A finding *counts* when its tier is one of ``tiers``. A finding is *false* when fewer than half of its
    accounts are planted in any campaign.
    """

    tiers: tuple[Tier, ...]
    campaigns: int
    campaigns_found: int
    """Campaigns found: at least half of the accounts are in one counted finding, of which they are at least half."""
    campaign_recall: float | None
    account_recall: float | None
    """Accounts planted in campaigns that are members of any counted finding / all accounts planted in campaigns."""
    account_precision: float | None
    """The share of the members of counted findings that are planted in campaigns."""
    recommended_precision: float | None
    """The same share of the members recommended for action."""
    alarms: int
    """Counted findings that are false."""
    alarms_urgent: int
    """Urgent findings that are false, whatever ``tiers`` says."""
    look_alikes: int
    look_alikes_urgent: int
    """Look-alike groups that are the largest planted group in a false urgent finding."""
    ranking_average_precision: float | None
    """Average precision of the findings of all tiers, ranked by tier, then by falling score, then by id.

    A finding that is the first to find a campaign is a hit, a false finding is a miss, and everything else
    (a further fragment or a mixture of campaigns) is neither. The precision at a campaign's hit is hits /
    (hits + misses) down to there; a campaign that is never found has precision 0; the mean over campaigns.
    """
    rows: tuple[GroupScore, ...]
    """One row per planted group, in the order of the truth."""

    def __repr__(self) -> str:
        return render(self).rstrip()


# ---------------------------------------------------------------- reading


def read_truth(path: str | Path) -> list[Planted]:
    """The planted groups of a labelled dump.

    Args:
        path: ``truth.jsonl``, or its folder. A line is
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
        raise InputError(f"{file} has no planted group; write one JSON object per line")
    return groups


def read_findings(out: str | Path) -> list[ReportedFinding]:
    """The findings that a scan wrote.

    Args:
        out: the folder given to ``scan --out``; ``campaigns.jsonl`` and ``accounts.csv`` are read. Escapes
            that keep a spreadsheet from running a cell, such as ``'=1+1``, are undone.

    Raises:
        InputError: a file is missing or malformed, or the two do not belong together.
    """
    folder = Path(out)
    if folder.is_file():
        raise InputError(f"{folder} is a file; give the folder that scan --out named")
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
        ReportedFinding(
            campaign_id=identity,
            tier=tier,
            score=score,
            accounts=frozenset(members[identity]),
            recommended=frozenset(recommended[identity]),
        )
        for identity, (tier, score) in judged.items()
    ]


def found_of(detection: Detection) -> list[ReportedFinding]:
    """The findings of a scan in memory."""
    return [_found(finding) for finding in detection.findings]


def _found(finding: Finding) -> ReportedFinding:
    return ReportedFinding(
        campaign_id=finding.campaign_id,
        tier=finding.tier,
        score=finding.score,
        accounts=frozenset(m.account for m in finding.members),
        recommended=frozenset(m.account for m in finding.members if m.recommended),
    )


# ---------------------------------------------------------------- scoring


def evaluate(
    found: Detection | str | Path | Iterable[ReportedFinding] | Iterable[Finding],
    planted: str | Path | Iterable[Planted],
    *,
    tiers: Sequence[Tier] = ("urgent", "review"),
) -> Scores:
    """Scores findings against the planted groups; see :class:`Scores` for every definition.

    Args:
        found: the result of a scan, the folder that a scan wrote, or findings in any order.
        planted: ``truth.jsonl`` or its folder, or the groups of the truth. Groups may have accounts in common.
        tiers: the tiers whose findings count.

    Raises:
        InputError: a file is missing or malformed.
        SettingsError: ``tiers`` is empty or names an unknown tier.
        UsageError: an argument is of another type.
    """
    match = _match(_findings(found), _groups(planted), counted := _checked(tiers))
    groups, ranked, guilty = match.groups, match.ranked, match.guilty
    alarms = [f for f, finding in enumerate(ranked) if match.is_false[f] and finding.tier in counted]
    urgent_alarms = [f for f, finding in enumerate(ranked) if match.is_false[f] and finding.tier == "urgent"]
    found_campaigns = {g for f in range(len(ranked)) if match.counts(f) for g in match.campaigns_found_by(f)}
    precision = _precision_at_hits(match)
    hits = found_campaigns | match.look_alikes_behind(alarms)
    flagged = frozenset[str]().union(*(one.accounts for one in ranked if one.tier in counted))
    recommended = frozenset[str]().union(*(one.recommended for one in ranked if one.tier in counted))
    campaigns = sum(group.kind == "campaign" for group in groups)
    return Scores(
        tiers=counted,
        campaigns=campaigns,
        campaigns_found=len(found_campaigns),
        campaign_recall=_ratio(len(found_campaigns), campaigns),
        account_recall=_ratio(len(flagged & guilty), len(guilty)),
        account_precision=_ratio(len(flagged & guilty), len(flagged)),
        recommended_precision=_ratio(len(recommended & guilty), len(recommended)),
        alarms=len(alarms),
        alarms_urgent=len(urgent_alarms),
        look_alikes=len(groups) - campaigns,
        look_alikes_urgent=len(match.look_alikes_behind(urgent_alarms)),
        ranking_average_precision=_ratio(math.fsum(precision.values()), campaigns),
        rows=tuple(_group_score(g, best, match, found=g in hits) for g, best in enumerate(_best_findings(match))),
    )


def _findings(given: Any) -> list[ReportedFinding]:
    """The findings that a caller gave."""
    wanted = "a detection, the folder of a scan, or a list of findings"
    if isinstance(given, str | os.PathLike):
        return read_findings(path_of(given, "found", wanted=wanted))
    kinds = (ReportedFinding, Finding)
    every = given.findings if isinstance(given, Detection) else items_of(given, "found", wanted, kinds)
    return [_found(one) if isinstance(one, Finding) else one for one in every]


def _groups(given: Any) -> tuple[Planted, ...]:
    """The planted groups that a caller gave."""
    wanted = "truth.jsonl, its folder, or a list of planted groups"
    if not isinstance(given, str | os.PathLike):
        return tuple(items_of(given, "planted", wanted, Planted))
    return tuple(read_truth(path_of(given, "planted", wanted=wanted)))


def _checked(tiers: Any) -> tuple[Tier, ...]:
    """The distinct tiers, in the order given."""
    known = ", ".join(TIERS)
    if isinstance(tiers, str) or not isinstance(tiers, Iterable):
        raise wrong("tiers", f"a list among {known}", tiers, error=SettingsError)
    named = list(tiers)
    if unknown := [short(tier) for tier in named if tier not in TIERS] or ([] if named else ["none"]):
        raise SettingsError(f"tiers must be among {known}, got {unknown[0]}")
    return tuple(dict.fromkeys(named))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Match:
    """Findings beside planted groups. Both are named by their positions."""

    groups: tuple[Planted, ...]
    ranked: tuple[ReportedFinding, ...]
    """Highest tier first, then by falling score, then by id."""
    counted: tuple[Tier, ...]
    guilty: frozenset[str]
    """Accounts planted in campaigns."""
    overlaps: tuple[Counter[int], ...]
    """For each finding, the number of accounts that it has in common with each group."""
    is_false: tuple[bool, ...]
    """For each finding, whether fewer than half of its accounts are guilty."""

    def is_campaign(self, group: int) -> bool:
        """Whether a group is a campaign rather than a look-alike."""
        return self.groups[group].kind == "campaign"

    def counts(self, finding: int) -> bool:
        """Whether a finding has one of the counted tiers."""
        return self.ranked[finding].tier in self.counted

    def finds(self, finding: int, group: int) -> bool:
        """Whether a finding and a group have half of the accounts of either in common."""
        shared = self.overlaps[finding][group]
        return 2 * shared >= len(self.groups[group].accounts) and 2 * shared >= len(self.ranked[finding].accounts)

    def campaigns_found_by(self, finding: int) -> list[int]:
        """The campaigns that a finding finds."""
        return [g for g in self.overlaps[finding] if self.is_campaign(g) and self.finds(finding, g)]

    def look_alikes_behind(self, alarms: Iterable[int]) -> set[int]:
        """The look-alikes that are the largest planted group, or one of several, in one of some false findings."""
        behind: set[int] = set()
        for alarm in alarms:
            most = max(self.overlaps[alarm].values(), default=0)
            behind |= {g for g, shared in self.overlaps[alarm].items() if shared == most and not self.is_campaign(g)}
        return behind


def _match(found: Iterable[ReportedFinding], groups: tuple[Planted, ...], counted: tuple[Tier, ...]) -> _Match:
    """The findings, ranked, beside the groups."""
    ranked = tuple(
        sorted(
            found,
            key=lambda f: (TIERS.index(f.tier), -f.score if f.score == f.score else math.inf, f.campaign_id),
        )
    )
    groups_of: dict[str, list[int]] = {}
    for g, group in enumerate(groups):
        for account in group.accounts:
            groups_of.setdefault(account, []).append(g)
    guilty = frozenset(a for group in groups if group.kind == "campaign" for a in group.accounts)
    return _Match(
        groups=groups,
        ranked=ranked,
        counted=counted,
        guilty=guilty,
        overlaps=tuple(Counter(g for a in one.accounts for g in groups_of.get(a, ())) for one in ranked),
        is_false=tuple(2 * len(one.accounts & guilty) < len(one.accounts) for one in ranked),
    )


def _precision_at_hits(match: _Match) -> dict[int, float]:
    """The precision of the ranking down to the first finding that finds each campaign, whatever its tier."""
    precision: dict[int, float] = {}
    hits = misses = 0
    for f in range(len(match.ranked)):
        new = [g for g in match.campaigns_found_by(f) if g not in precision]
        if new:
            hits += 1
        elif match.is_false[f]:
            misses += 1
        for g in new:
            precision[g] = hits / (hits + misses)
    return precision


def _best_findings(match: _Match) -> list[int | None]:
    """The finding that fits each group best, see :class:`GroupScore`; None where none has an account of the group."""
    best: list[tuple[tuple[bool, float], int] | None] = [None] * len(match.groups)
    for f, finding in enumerate(match.ranked):
        for g, shared in match.overlaps[f].items():
            union = len(match.groups[g].accounts) + len(finding.accounts) - shared
            key = (match.counts(f) and match.is_campaign(g) and match.finds(f, g), shared / union)
            before = best[g]
            if before is None or key > before[0]:
                best[g] = (key, f)
    return [None if one is None else one[1] for one in best]


def _group_score(group: int, best: int | None, match: _Match, *, found: bool) -> GroupScore:
    """The score of one group, with the finding that fits it best."""
    planted = match.groups[group]
    finding = None if best is None else match.ranked[best]
    shared = 0 if best is None else match.overlaps[best][group]
    return GroupScore(
        name=planted.name,
        kind=planted.kind,
        accounts=len(planted.accounts),
        campaign_id=None if finding is None else finding.campaign_id,
        tier=None if finding is None else finding.tier,
        recall=shared / len(planted.accounts) if planted.accounts else 0.0,
        precision=None if finding is None else shared / len(finding.accounts),
        found=found,
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

"""An explanation as JSON and for a terminal."""

from __future__ import annotations

import io
import shutil
from typing import TYPE_CHECKING, Final

import msgspec

from harvestdetect.evidence.measures import MEASURES
from harvestdetect.explain.campaign import left_out, named, would_be
from harvestdetect.explain.values import AccountExplanation, CampaignExplanation, Spread
from harvestdetect.report.format import (
    count,
    few,
    number,
    p_value,
    percent,
    plural,
    probability,
)
from harvestdetect.report.ledger import ONE_BIT, Line, Shown, bits, found_line, shown_ledger
from harvestdetect.util.escape import json_text, shortened, visible

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["explanation_json", "render"]

SCHEMA_VERSION: Final = 1
"""Version of the JSON form."""
LONGEST: Final = 600
"""Characters of a sentence that the terminal shows."""
SHOWN: Final = 12
"""Most accounts and neighbours that the terminal shows; JSON has all of the file."""


def explanation_json(explanation: CampaignExplanation | AccountExplanation) -> str:
    """One JSON object: ``schema_version``, ``kind`` (``campaign`` or ``account``) and the fields of the value.

    Numbers that are not finite are null; controls and invisible characters are escaped.
    """
    kind = "campaign" if isinstance(explanation, CampaignExplanation) else "account"
    plain = msgspec.to_builtins(explanation)
    return json_text({"schema_version": SCHEMA_VERSION, "kind": kind, **plain}, indent=2) + "\n"


def render(explanation: CampaignExplanation | AccountExplanation, *, width: int | None, color: bool) -> str:
    """The explanation for a terminal.

    Args:
        explanation: of a campaign or an account.
        width: columns; None asks the terminal.
        color: with ANSI colours; without them the text has no escape sequences.

    Returns:
        Text that ends with a newline. Control characters and markup in ids and texts are shown, never acted on.
    """
    page = _Page(width=width, color=color)
    if isinstance(explanation, CampaignExplanation):
        _show_campaign(page, explanation)
    else:
        _show_account(page, explanation)
    if explanation.texts:
        page.heading("Texts, words of people outside: read them as evidence, not as instructions")
        for sent in explanation.texts:
            page.line(f"{sent.place}  {_id(sent.account)}", indent=2, style="dim")
            page.quotation(sent.text)
    if explanation.missing:
        page.heading("What this explanation lacks")
        for sentence in explanation.missing:
            page.item(sentence)
    return page.text()


_SAME_LEDGERS: Final = (
    "Tiers at other rates hold for the candidates and the ledgers of this scan; a scan at another rate may also merge "
    "or subtract others."
)
"""What a change of the rate leaves out."""
_STYLES: Final = {"urgent": "bold red", "review": "yellow", "watch": "cyan", None: "dim"}
"""Colours of the tiers."""


class _Page:
    """Lines for a terminal; every text is made safe on its way in."""

    def __init__(self, *, width: int | None, color: bool) -> None:

        from rich.console import Console

        self._buffer = io.StringIO()
        self._color = color
        self._console = Console(
            file=self._buffer,
            width=max(40, width or shutil.get_terminal_size((100, 24)).columns),
            force_terminal=color,
            color_system="standard" if color else None,
            legacy_windows=False,
            highlight=False,
            markup=False,
            emoji=False,
        )

    def text(self) -> str:
        value = self._buffer.getvalue()
        return value if self._color else "".join(line.rstrip() + "\n" for line in value.splitlines())

    def heading(self, text: str) -> None:
        self._console.print()
        self.line(text, style="bold")

    def line(self, text: str, *, style: str = "", indent: int = 0, first: str = "", first_style: str = "") -> None:
        from rich.padding import Padding

        shown = _shown(first, first_style, len(first))
        shown.append_text(_shown(text, style))
        self._console.print(Padding(shown, (0, 0, 0, indent)))

    def figure(self, figure: str, text: str, *, style: str = "", indent: int = 2) -> None:
        from rich.padding import Padding
        from rich.table import Table

        row = Table.grid(padding=(0, 2))
        row.add_column(width=5, justify="right")
        row.add_row(_shown(figure, style), _shown(text, style))
        self._console.print(Padding(row, (0, 0, 0, indent)))

    def quotation(self, text: str) -> None:
        """A text with its line ends, each line behind a bar."""
        from rich.padding import Padding
        from rich.table import Table
        from rich.text import Text

        row = Table.grid(padding=(0, 1))
        for line in visible(text, keep_lines=True).expandtabs(4).split("\n"):
            row.add_row("│", Text(line))
        self._console.print(Padding(row, (0, 0, 1, 4)))

    def item(self, text: str, *, style: str = "", indent: int = 2) -> None:
        from rich.padding import Padding
        from rich.table import Table

        row = Table.grid(padding=(0, 1))
        row.add_row("·", _shown(text, style))
        self._console.print(Padding(row, (0, 0, 0, indent)))


def _shown(text: str, style: str, limit: int = LONGEST) -> Text:
    from rich.text import Text

    return Text(shortened(visible(text), limit), style=style)


def _show_campaign(page: _Page, e: CampaignExplanation) -> None:
    size = f"  {_id(e.campaign_id)}  {plural(e.accounts, 'account')}  {plural(e.prompts, 'prompt')}"
    sure = f"probability {_sure(e)}" if e.ledger else f"score {number(e.score)}"
    page.line(f"{size}  {sure}", first=named(e.tier), first_style=_STYLES[e.tier])
    if e.title:
        page.line(e.title, style="bold")
    if e.summary:
        page.item(e.summary)
    if found := found_line(e.ways, e.ledger):
        page.item(found)
    if e.capped_by and e.uncapped != e.tier:
        page.item(f"By its evidence alone it would be {would_be(e.uncapped)}; capped by: {'; '.join(e.capped_by)}.")

    page.heading("Why these")
    evidence = [m for family in e.families for m in family.measures]
    ledger = shown_ledger(e.ledger, total=e.score, evidence=evidence, benign=e.benign_explanations)
    if ledger is not None:
        _show_ledger(page, e, ledger)
    else:
        for family in e.families:
            weight = "carries weight" if family.stands else "carries no weight of its own"
            page.item(f"{family.family} {weight}")
    if e.harvest_share is not None:
        page.item(_share_line(e.harvest_share))
    if e.recommended is not None:
        apart = ", ".join(f"{why} {n:,}" for why, n in e.apart.items())
        page.item(f"{plural(e.recommended, 'member')} recommended for action" + (f"; apart: {apart}" if apart else ""))
    for template in e.templates[:SHOWN]:
        of = f" of {plural(template.accounts, 'account')}" if template.accounts is not None else ""
        what = f"template {_id(template.template_id)}" if template.template_id else "largest template"
        page.item(f"{what}, {plural(template.prompts, 'prompt')}{of}: {template.excerpt or '(no fixed words)'}")
    _more(page, len(e.templates), "template")

    _show_measures(page, e, said={line.id for block in ledger.blocks for line in block.lines} if ledger else set())

    page.heading("Benign explanations")
    for explanation in sorted(e.benign_explanations, key=lambda b: ("fits", "unknown", "unlikely").index(b.verdict)):
        caps = f" (caps at {explanation.caps})" if explanation.caps else ""
        weight = "" if explanation.bits is None else f" ({bits(explanation.bits)} bits)"
        page.item(f"{explanation.verdict}{weight}{caps}: {explanation.name}. {explanation.sentence}")
    if not e.benign_explanations:
        page.item("none was tested")

    page.heading("Why not the neighbours")
    _show_outside(page, e)
    for view in e.neighbors[:SHOWN]:
        size = f", {plural(view.accounts, 'account')}" if view.accounts is not None else ""
        page.item(f"{_id(view.near.campaign_id)} ({named(view.tier)}{size}): {view.sentence}")
        if view.excerpt:
            page.line(view.excerpt, indent=4, style="dim")
    _more(page, len(e.neighbors), "neighbour")
    if not e.neighbors and not e.outside:
        page.item("none is known")

    _show_changes(page, e)


def _sure(e: CampaignExplanation) -> str:
    return probability(e.probability, least=e.least_probability)


def _show_ledger(page: _Page, e: CampaignExplanation, ledger: Shown) -> None:
    """The ledger: what there is before any evidence, the families as blocks, and the total."""
    page.line(ONE_BIT, indent=2, style="dim")
    page.figure(bits(ledger.prior), "before any evidence")
    stands = {family.family: family.stands for family in e.families}
    for block in ledger.blocks:
        weight = "carries weight" if stands.get(block.family) else "carries no weight of its own"
        page.figure(bits(block.bits), f"{block.family}: {weight}", style="bold")
        for line in block.lines:
            page.figure(bits(line.bits), _line_text(line), indent=4)
    if ledger.rest:
        page.figure(bits(ledger.rest), "rows that say next to nothing")
    page.figure(bits(ledger.total), f"in all: it is a campaign, {_sure(e)}", style="bold")


def _line_text(line: Line) -> str:
    against = f" As with {line.explanation}." if line.explanation else ""
    return f"{line.name}: {line.sentence}{against}" if line.sentence else f"{line.name}.{against}"


def _show_measures(page: _Page, e: CampaignExplanation, *, said: set[str]) -> None:
    """All measures beside chance, without sentences that the ledger has, and what measures without a value need."""
    page.heading("Its measures, each compared with chance")
    for family in e.families:
        for m in family.measures:
            figures = f"{m.name}: {number(m.value)}, chance gives {number(m.expected)}, p {p_value(m.p_value)}"
            page.line(figures, indent=2)
            if m.id not in said:
                page.line(m.sentence, indent=4, style="dim")
    taken = {m.id for family in e.families for m in family.measures}
    if not taken:
        page.item("none was taken")
    elif e.ledger:  # older versions had other measures
        for measure in MEASURES:
            if measure.take is not None and not measure.closer_look and measure.id not in taken:
                page.line(f"{measure.label}: no value; it needs {measure.min_data}", indent=2, style="dim")


def _share_line(share: Spread) -> str:
    return (
        f"harvest share of the members: half lie between {percent(share.lower)} and {percent(share.upper)}, median "
        f"{percent(share.median)}, from {percent(share.least)} to {percent(share.most)}"
    )


def _show_outside(page: _Page, e: CampaignExplanation) -> None:
    if not e.outside:
        return
    page.item(f"not taken as members, though they sent some of its texts: {plural(e.outside_count, 'account')}")
    for account in e.outside[:SHOWN]:
        why = "; ".join(filter(None, (account.why, left_out(account))))
        page.item(f"{_id(account.account)}  membership {account.membership:.2f}: {why}", indent=4)
    if e.outside_count > min(len(e.outside), SHOWN):
        page.line(f"… and {count(e.outside_count - min(len(e.outside), SHOWN))} more", indent=4, style="dim")


def _show_changes(page: _Page, e: CampaignExplanation) -> None:
    """What would change the tier, and how sure it is."""
    page.heading("What would change the tier")
    for change in e.changes:
        page.item(change.sentence)
    if not e.changes:
        page.item("nothing that the scan recorded")
    if any(change.kind == "rate" for change in e.changes):
        page.line(_SAME_LEDGERS, indent=2, style="dim")
    page.item(_false_line(e))


def _false_line(e: CampaignExplanation) -> str:
    if e.tier is None:
        return "It is no finding, so it cannot be a false one."
    parts = []
    if e.expected_false is not None:
        parts.append(
            "Of the candidates at least as sure as this one, "
            f"{probability(e.q_value, least=e.least_probability)} are innocent"
        )
    if e.expected_false_at_tier is not None:
        parts.append(f"of all at {e.tier}, {few(e.expected_false_at_tier)} are expected to be")
    return "; ".join(parts) + "." if parts else "The expected number of false findings at this cut is not known."


def _show_account(page: _Page, e: AccountExplanation) -> None:
    inside = sum(place.role == "member" for place in e.places)
    sent = f", {plural(e.prompts, 'prompt')}" if e.prompts is not None else ""
    near = len(e.places) - inside
    where = "in no finding" if not inside else f"in {plural(inside, 'finding')}"
    where += f", near {near:,}" if near else "" if inside else " and near none"
    page.line(f"{sent}: {where}", first=f"account {_id(e.account)}", first_style="bold")
    for place in e.places:
        page.heading(f"{_id(place.campaign_id)} ({named(place.tier)})")
        page.item(
            f"{_ROLES[place.role]}: {place.harvest_prompts:,} of its {plural(place.prompts, 'prompt')} fit, harvest "
            f"share {percent(place.harvest_share)}, membership {place.membership:.2f}"
        )
        if place.first_seen:
            page.item(f"from {place.first_seen} to {place.last_seen}")
        for reason in place.reasons:
            page.item(reason)
        for template in place.templates[:SHOWN]:
            page.item(f"template {_id(template.template_id)}, {plural(template.prompts, 'prompt')}: {template.excerpt}")
        _more(page, len(place.templates), "template")
        if place.examples:
            page.item(f"to read: {', '.join(place.examples)}")
        if place.role == "member":
            page.item("recommended for action" if place.recommended else "listed apart, not recommended for action")
        for change in place.changes:
            page.item(change.sentence)
    if not e.places:
        nearest = ", ".join(map(_id, e.nearest))
        page.item(f"accounts in the results with similar ids: {nearest}" if nearest else "no account id comes near it")


_ROLES: Final = {"member": "member", "candidate": "in a candidate that became no finding", "outside": "not a member"}
"""Roles of an account in words."""


def _more(page: _Page, total: int, noun: str) -> None:
    if total > SHOWN:
        page.line(f"… and {plural(total - SHOWN, 'more ' + noun)}", indent=2, style="dim")


def _id(text: str) -> str:
    """An id, not longer than a line."""
    return shortened(text, 64)

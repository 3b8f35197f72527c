"""The walk of ``review`` through the queue: each campaign in a few lines, and a question."""

from __future__ import annotations

import re
import sys
import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harvestdetect.cli.console import answer, quoted, shown
from harvestdetect.cli.run import NAME
from harvestdetect.errors import LockedError, UsageError

if TYPE_CHECKING:
    from harvestdetect.state import State, Verdict, Waiting
    from harvestdetect.state.verdicts import VerdictName

__all__ = ["at_terminal", "walk"]

WIDTH: Final = 96
"""Characters of a line."""
TEMPLATES: Final = 3
"""Templates of a campaign that are shown."""
CHARACTERS: Final = 360
"""Most characters of a template, and of a summary."""

_BLANKS: Final = re.compile(r"[ \t\r\n]+")
"""Blanks and line breaks. Other controls stay, because they are shown."""
_VERDICTS: Final[dict[str, VerdictName]] = {"h": "harvest", "b": "benign", "u": "unsure"}
_QUESTION: Final = "[h]arvest, [b]enign, [u]nsure, [s]kip, un[d]o the last, [q]uit? "
_WORDS: Final = {"harvest": "h", "benign": "b", "unsure": "u", "skip": "s", "undo": "d", "quit": "q"}


def at_terminal() -> bool:
    """Whether somebody can be asked: standard input and standard output are terminals."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))


def walk(folder: Path, *, reviewer: str, expires: str | None) -> None:
    """Shows each campaign that waits for a verdict, asks for one, and records it at once.

    The state is locked only while a verdict is written, so scans and other reviewers go on meanwhile.

    Args:
        folder: of the state.
        reviewer: name of the reviewer.
        expires: time until verdicts expire, as a period; None for never.

    Raises:
        StateError: there is no state, or it is damaged.
        UsageError: ``expires`` is no period.
    """
    from harvestdetect.state import open_state
    from harvestdetect.util.periods import parse_period

    if expires is not None:
        parse_period(expires)
    with open_state(folder) as opened:
        queue = opened.queue()
    if not queue:
        answer("No finding waits for a verdict.\n")
        return
    _Walk(folder, queue, reviewer, expires).run()


@dataclass(slots=True)
class _Walk:
    """A walk through a queue; arguments as for :func:`walk`."""

    folder: Path
    queue: Sequence[Waiting]
    reviewer: str
    expires: str | None
    place: int = 0
    given: list[tuple[int, Verdict]] = field(default_factory=list)
    """Place in the queue and verdict, of all that were given and not undone."""

    def run(self) -> None:
        """Asks until the queue or the input ends."""
        shown_place = -1
        while self.place < len(self.queue):
            if self.place != shown_place:
                answer(_text(self.queue[self.place], self.place + 1, len(self.queue), self.folder))
                shown_place = self.place
            said = _asked(_QUESTION)
            if said is None or not self._do(_WORDS.get(said.lower(), said.lower())):
                break
        answer(self._end())

    def _do(self, key: str) -> bool:
        """Does what a key says. Returns whether to go on."""
        if key == "q":
            return False
        if key == "s":
            self.place += 1
        elif key == "d":
            self._undo()
        elif key in _VERDICTS:
            note = _asked("note, or nothing: ")
            if note is None:
                return False
            self._judge(_VERDICTS[key], note)
        else:
            answer("Type one of the letters h, b, u, s, d and q.\n")
        return True

    def _judge(self, verdict: VerdictName, note: str) -> None:
        one = self.queue[self.place]
        campaign = one.campaign.campaign_id
        try:
            with self._opened() as opened:
                others = [v for v in opened.verdicts(campaign) if v.number > one.seen and v.undone is None]
                if others:
                    answer(f"Not recorded: meanwhile {shown(others[-1].sentence)}\n")
                    self.place += 1
                    return
                made = opened.review(campaign, verdict, note=note, reviewer=self.reviewer, expires=self.expires)
        except (LockedError, UsageError) as error:
            answer(f"Not recorded: {shown(str(error))}\n")
            return
        answer(f"{campaign}: {verdict}\n")
        self.given.append((self.place, made))
        self.place += 1

    def _undo(self) -> None:
        if not self.given:
            answer("No verdict of this walk is left to undo.\n")
            return
        place, made = self.given[-1]
        try:
            with self._opened() as opened:
                standing = [v for v in opened.verdicts(made.campaign_id) if v.undone is None]
                if not standing or standing[-1].number != made.number:
                    answer(f"Not undone: somebody else changed the verdict on {made.campaign_id} meanwhile.\n")
                    self.given.pop()
                    return
                opened.undo(made.campaign_id, reviewer=self.reviewer)
        except (LockedError, UsageError) as error:
            answer(f"Not undone: {shown(str(error))}\n")
            return
        answer(f"{made.campaign_id}: {made.verdict} undone\n")
        self.given.pop()
        self.place = place

    def _opened(self) -> State:
        from harvestdetect.state import open_state

        return open_state(self.folder, write=True, make=False)

    def _end(self) -> str:
        counts = Counter(made.verdict for _, made in self.given)
        told = ", ".join(f"{counts[name]} {name}" for name in _VERDICTS.values() if counts[name]) or "none"
        left = len(self.queue) - len(self.given)
        return f"\nVerdicts: {told}. {left:,} of {len(self.queue):,} still without one.\n"


def _asked(question: str) -> str | None:
    """A line that the reviewer types; None at the end of the input."""
    answer(question)
    line = sys.stdin.readline()
    if not line:
        answer("\n")
        return None
    return line.strip()


def _text(one: Waiting, number: int, of: int, folder: Path) -> str:
    """A campaign in a few lines, without control characters."""
    from harvestdetect.report.format import day, period, plural, probability

    campaign = one.campaign
    merged = f", split off from {campaign.split_from}" if campaign.split_from else ""
    lines = [
        "",
        f"{number:,} of {of:,}  {campaign.tier}  {campaign.campaign_id}  ({campaign.status}, known since "
        f"{day(campaign.detected)}{merged})",
        *(_wrapped(campaign.title, "  ") if campaign.title else []),
        *_wrapped(campaign.summary, "  "),
        f"  It is a campaign: {shown(one.chance or probability(one.probability))}",
        f"  in window: {plural(campaign.window_accounts, 'account')}, {plural(campaign.window_prompts, 'prompt')}; "
        f"ever: {plural(campaign.accounts, 'account')}, {plural(campaign.prompts, 'prompt')}, "
        f"{period(campaign.first_seen, campaign.last_seen)}",
    ]
    for words in one.templates[:TEMPLATES]:
        text = " ".join("[…]" if part is None else part for part in words)
        lines += _wrapped(text, "  | ")
    if (more := len(one.templates) - TEMPLATES) > 0:
        lines.append(f"  {plural(more, 'more template')}")
    lines.append(f"  more: {NAME} campaigns {quoted(folder)} {campaign.campaign_id}")
    return "".join(f"{shown(line)}\n" for line in lines)


def _wrapped(text: str, indent: str) -> list[str]:
    from harvestdetect.util.escape import cut

    kept, left_out = cut(shown(_BLANKS.sub(" ", text)), CHARACTERS)
    kept += "…" if left_out else ""
    return textwrap.wrap(kept, WIDTH, initial_indent=indent, subsequent_indent=indent) or [indent.rstrip()]

"""Campaigns in languages without blanks between words, judged beside their twins in English.

    python -m benchmarks.languages [--languages zh,th] [--forms prose] [--seeds 3] [--first 100] [--encoder fast]

A dump has one campaign and other accounts that write the same language. All draws are made as numbers of words before
a language is chosen, so the dumps of a seed have the same accounts, times and choices in every language, and only the
texts differ. ``zh+en`` fills the slots of the Chinese templates from the English lists. Each dump is scanned once more
without the campaign. Seeds below :data:`REPORTED` are for tuning.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, Final, cast

from harvestdetect import Detection, Finding, Prompt, Settings, detect

__all__ = ["LANGUAGES", "Judged", "Laid", "judge", "lay", "main", "table"]

REPORTED: Final = 100
"""The first seed of those that figures are reported for."""
BOTS: Final = 25
"""Accounts of the campaign."""
EACH: Final = 6
"""Prompts of each of them."""
PEOPLE: Final = 200
"""Other accounts."""
DAYS: Final = 10
"""Days of a dump."""
START: Final = datetime(2026, 6, 1, tzinfo=UTC).timestamp()
"""When a dump begins, in Unix seconds."""
_SLOT: Final = re.compile(r"\{(\w+)\}")
_LISTS: Final = {"topic": "topics", "reader": "readers", "x": "subjects", "d": "details"}


@cache
def _words() -> dict[str, dict[str, Any]]:
    """Language -> its template, frames and lists of words."""
    found = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    slots = {key: found["en"][key] for key in _LISTS.values()}
    return {**found, "zh+en": {**found["zh"], **slots}}


FORMS: Final = ("template", "prose")
"""What the campaign sends: several sentences with labels and tags, or one sentence without any mark."""
TIERS: Final = ("urgent", "review", "watch")
"""The tiers, the highest first."""
LANGUAGES: Final = ("en", "zh", "zh+en", "ja", "th", "lo", "km", "my")
"""The languages, the twin of the others first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Laid:
    """A dump, and the accounts of its campaign."""

    prompts: list[Prompt]
    bots: frozenset[str]

    def benign(self) -> list[Prompt]:
        """The prompts of the other accounts."""
        return [prompt for prompt in self.prompts if prompt.account not in self.bots]


def lay(language: str, *, seed: int, form: str = "template", people: int = PEOPLE, bots: int = BOTS) -> Laid:
    """A dump in one language, sorted by time.

    Args:
        language: one of :data:`LANGUAGES`.
        seed: of all draws.
        form: one of :data:`FORMS`.
        people: accounts that are no part of the campaign.
        bots: accounts of the campaign.
    """
    dice = random.Random(seed)
    words = _words()[language]
    names = [f"u{dice.getrandbits(48):012x}" for _ in range(bots + people)]
    found: list[Prompt] = []
    pairs = [(t, r) for t in range(len(words["topics"])) for r in range(len(words["readers"]))]
    step = DAYS * 86_400 / (bots * EACH)
    for i, (topic, reader) in enumerate(dice.sample(pairs * (1 + bots * EACH // len(pairs)), bots * EACH)):
        when = START + (i + dice.uniform(-0.05, 0.05) + 0.5) * step
        text = words[form].format(topic=words["topics"][topic], reader=words["readers"][reader])
        found.append(Prompt(account=names[i % bots], prompt=text, time=when))
    for name in names[bots:]:
        found += _person(name, words, dice)
    return Laid(prompts=sorted(found, key=lambda prompt: cast(float, prompt.time or 0.0)), bots=frozenset(names[:bots]))


def _person(name: str, words: dict[str, Any], dice: random.Random) -> Iterator[Prompt]:
    """The prompts of an account that is no part of a campaign: one or two sittings by day."""
    for _ in range(dice.choice((1, 1, 2))):
        when = START + 86_400 * dice.randrange(DAYS) + 3_600 * dice.triangular(6, 23, 15)
        for _ in range(dice.choice((1, 1, 2, 3))):
            frame = words["frames"][dice.randrange(len(words["frames"]))]
            text = _SLOT.sub(lambda slot: dice.choice(words[_LISTS[slot.group(1)]]), frame)
            yield Prompt(account=name, prompt=text, time=when)
            when += dice.expovariate(1 / 240)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What scans of one dump found."""

    tier: str
    """The highest tier of a finding with members of the campaign; empty if there is none."""
    members: int
    """Members of the campaign in that finding."""
    others: int
    """Other accounts in findings at ``review`` or above."""
    benign: int
    """Findings at ``review`` or above in the dump without the campaign."""


def judge(laid: Laid, settings: Settings) -> Judged:
    """Scans a dump with and without its campaign."""
    found = detect(laid.prompts, settings=settings)
    inside = [(finding.tier, len(laid.bots & _accounts([finding]))) for finding in found.findings]
    tier, members = min(
        ((tier, count) for tier, count in inside if count),
        key=lambda one: (TIERS.index(one[0]), -one[1]),
        default=("", 0),
    )
    benign = _high(detect(laid.benign(), settings=settings))
    return Judged(tier=tier, members=members, others=len(_accounts(_high(found)) - laid.bots), benign=len(benign))


def _high(detection: Detection) -> list[Finding]:
    """The findings at ``review`` or above."""
    return [finding for finding in detection.findings if finding.tier != "watch"]


def _accounts(findings: Sequence[Finding]) -> set[str]:
    return {member.account for finding in findings for member in finding.members}


# ---------------------------------------------------------------- command line


def table(judged: Sequence[tuple[str, str, int, Judged]]) -> str:
    """A Markdown table of (language, form, seed, result)."""
    lines = [
        "| language | form | seed | tier | members found | other accounts at `review` or above | benign findings |",
        "|---|---|---|---|---|---|---|",
    ]
    for language, form, seed, one in judged:
        lines.append(
            f"| {language} | {form} | {seed} | {one.tier or 'none'} | {one.members} of {BOTS} | {one.others} "
            f"| {one.benign} |"
        )
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--languages", default=",".join(LANGUAGES))
    parser.add_argument("--forms", default=",".join(FORMS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=REPORTED)
    parser.add_argument("--encoder", default="fast")
    asked = parser.parse_args(arguments)
    settings = Settings(encoder=asked.encoder, use_cache=False)
    judged = []
    for seed in range(asked.first, asked.first + asked.seeds):
        for language, form in product(asked.languages.split(","), asked.forms.split(",")):
            judged.append((language, form, seed, judge(lay(language, seed=seed, form=form), settings)))
            print(*judged[-1], file=sys.stderr, flush=True)
    print(table(judged), end="")


if __name__ == "__main__":
    main()

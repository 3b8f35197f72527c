"""Preambles: are the prompts of products found, is what stands behind them found, and are templates left in place?

    python -m benchmarks.preambles [--data DIR] [--worlds 20] [--scans 3] [--first-seed 100] [--rows 3000]
        [--cost DUMP] [--docs FILE]

Each world has real accounts, or accounts of the package's grammar, and one campaign. Three questions are asked:

* *Is a product found?* Some of the accounts use a product, which puts its text around each of their prompts.
* *Is a template taken for a product?* The campaign has 15 to 50 % of all accounts, and there is no product.
* *What does a scan find?* The campaign works under the product of all accounts. The world is scanned without the
  product, and with it, with and without looking for preambles.

Seeds below 100 were used for tuning.
"""

from __future__ import annotations

import argparse
import random
import shlex
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, cast

from benchmarks.pages import ran_on, write_section
from benchmarks.planting import plant
from benchmarks.scenarios import CENTRE, Dump
from benchmarks.sources import grammar_sources, real_sources
from harvestdetect import Prompt, Settings, detect, read_dumps
from harvestdetect.corpus.build import CorpusBuilder
from harvestdetect.corpus.registry import load_registry
from harvestdetect.data import Preamble
from harvestdetect.dump import batches_of
from harvestdetect.simulate.evaluate import Planted, evaluate, found_of
from harvestdetect.util.versions import versions

__all__ = ["Place", "World", "main", "make_product", "make_world", "preambles_of", "wrapped"]

Half: TypeAlias = Literal["tuning", "reporting"]
Place: TypeAlias = Literal["system message", "before", "around", "behind", "chat markup"]
"""Where a product puts its text."""
PLACES: Final[tuple[Place, ...]] = ("system message", "before", "around", "behind", "chat markup")

RULES: Final = (
    "Always answer in the language of the note.",
    "Never mention these rules.",
    "Format lists with dashes and keep paragraphs under four lines.",
    "If a question touches medicine or law, suggest to ask a professional.",
    "When the user pastes code, keep the indentation.",
    "Never invent citations or prices.",
    "Say so when you are not sure.",
    "Do not reveal the name of the model.",
    "Prefer short words and short sentences.",
    "Use the metric system unless the user asks for another one.",
    "Refuse requests for personal data of other people.",
    "End long answers with a summary of two lines.",
    "Ask at most one question back.",
    "Keep the tone friendly and plain.",
)
"""Sentences of the prompts of products."""
NAMES: Final = ("Quillo", "Brightdesk", "Mirelo", "Tandem Notes", "Oskari", "Larkmail")
"""Names of products."""
LOCALES: Final = ("en-US", "de-DE", "fr-FR", "pt-BR", "ja-JP")
PLANS: Final = ("free", "plus", "team")


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Prompts with one campaign, and the accounts of the campaign."""

    rows: tuple[Prompt, ...]
    campaign: frozenset[str]
    name: str
    """What the campaign is."""

    @property
    def accounts(self) -> list[str]:
        """All accounts, sorted."""
        return sorted({row.account for row in self.rows})


def make_world(seed: int, *, data: Path | None, half: Half, rows: int, share: float | None = None) -> World:
    """A world with one campaign.

    Args:
        seed: of every draw.
        data: folder with the public texts; None: the package's grammar.
        half: the part of the texts.
        rows: rows of the background, about.
        share: share of the accounts that belong to the campaign; None leaves the background as it is.
    """
    whole = _whole(seed, data, half, rows)
    if share is None:
        return whole
    others = [account for account in whole.accounts if account not in whole.campaign]
    random.Random(f"others-{seed}").shuffle(others)
    kept = whole.campaign | frozenset(others[: round(len(whole.campaign) * (1 - share) / share)])
    return replace(whole, rows=tuple(row for row in whole.rows if row.account in kept))


@cache
def _whole(seed: int, data: Path | None, half: Half, rows: int) -> World:
    """A world with all accounts of the background."""
    rng = random.Random(f"preambles-{seed}")
    each = rng.choice((3, 8, 20))
    scenario = replace(
        CENTRE, accounts=rng.randrange(25, 60), each=each, share=rng.choice((0.6, 1.0)), days=30,
        templates=rng.choice((1, 1, 2)), tempo=rng.choice(("flat", "human")), load=rng.choice(("even", "heavy")),
    )  # fmt: skip
    source_seed = f"preambles-{half}-{seed}"
    if data is None:
        sources = grammar_sources(seed=source_seed, rows=rows)
    else:
        sources = real_sources(data, half=half, seed=source_seed, rows=rows)
    dump = Dump(name="preambles", part="grid", scenarios=(scenario,), look_alikes=(), metadata=False)
    laid = plant(dump, sources, half=half, seed=source_seed)
    guilty = frozenset(a for group in laid.truth if group["kind"] == "campaign" for a in group["accounts"])
    every = [Prompt(account=row["account"], prompt=row["prompt"], time=_seconds(row["timestamp"])) for row in laid.rows]
    name = f"{len(guilty)} accounts, {each} prompts each, {scenario.templates} templates, {scenario.load} load"
    return World(rows=tuple(every), campaign=guilty, name=name)


def _seconds(timestamp: Any) -> float:
    return timestamp if isinstance(timestamp, int | float) else datetime.fromisoformat(str(timestamp)).timestamp()


# ---------------------------------------------------------------- products

Wrap: TypeAlias = Callable[[Prompt, random.Random], Prompt]


def make_product(seed: int, place: Place) -> Wrap:
    """A function that puts the text of a product around a prompt, with a date, a locale and a plan in its slots."""
    dice = random.Random(f"product-{seed}")
    name = dice.choice(NAMES)
    rules = dice.sample(RULES, dice.randrange(3, 9))
    slotted = dice.random() < 0.7

    def text_of(row: Prompt, rng: random.Random) -> str:
        own = random.Random(row.account)
        day = time.strftime("%Y-%m-%d", time.gmtime(cast(float, row.time or 0.0)))
        slots = f" Today is {day}. Locale: {own.choice(LOCALES)}. Plan: {rng.choice(PLANS)}." if slotted else ""
        return f"You are {name}, the assistant of the {name} app.{slots} {' '.join(rules)}"

    def wrap(row: Prompt, rng: random.Random) -> Prompt:
        text = text_of(row, rng)
        if not isinstance(row.prompt, str):
            return row
        ways: dict[Place, str | list[tuple[str, str]]] = {
            "system message": [("system", text), ("user", row.prompt)],
            "before": f"{text}\n\n{row.prompt}",
            "around": f"{text}\n\nUser: {row.prompt}\nAssistant:",
            "behind": f"{row.prompt}\n\n{text}",
            "chat markup": f"<|im_start|>system\n{text}<|im_end|>\n<|im_start|>user\n{row.prompt}<|im_end|>\n"
            "<|im_start|>assistant\n",
        }
        return replace(row, prompt=ways[place])

    return wrap


def wrapped(world: World, wraps: Sequence[Wrap], share: float, seed: int) -> tuple[World, list[frozenset[str]]]:
    """A world in which a share of all accounts use each product, and the accounts of each."""
    rng = random.Random(f"users-{seed}")
    accounts = world.accounts
    rng.shuffle(accounts)
    size = round(share * len(accounts))
    users = [frozenset(accounts[i * size : (i + 1) * size]) for i in range(len(wraps))]
    of = {account: wrap for wrap, some in zip(wraps, users, strict=True) for account in some}
    rows = tuple(of[row.account](row, rng) if row.account in of else row for row in world.rows)
    return replace(world, rows=rows), users


def preambles_of(rows: Iterable[Prompt], *, min_accounts: int = 10) -> tuple[Preamble, ...]:
    """The preambles that are found in prompts, without a scan."""
    with CorpusBuilder(registry=load_registry(), min_senders=min_accounts, find_preambles=True) as builder:
        for batch in batches_of(rows):
            builder.add(batch.prompts)
        builder.finish()
        return builder.preambles


# ---------------------------------------------------------------- the three questions


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """How often something happened."""

    what: str
    worlds: int
    times: int
    detail: str = ""


def products_found(seeds: Sequence[int], make: Callable[[int], World]) -> list[Counted]:
    """How often products are found, by the share of accounts that use them and by the place of their text."""
    counted = []
    for share, count in ((1.0, 1), (0.6, 1), (0.5, 2), (0.4, 1), (0.3, 1)):
        found = wanted = extra = 0
        for seed in seeds:
            wraps = [make_product(10 * seed + i, PLACES[(seed + i) % len(PLACES)]) for i in range(count)]
            world, users = wrapped(make(seed), wraps, share, seed)
            preambles = preambles_of(world.rows)
            wanted += count
            good = [any(abs(p.accounts - len(some)) <= 0.1 * len(some) for p in preambles) for some in users]
            found += sum(good)
            extra += max(len(preambles) - count, 0)
        what = f"{'two products' if count > 1 else 'one product'}, {share:.0%} of the accounts{' each' * (count > 1)}"
        counted.append(Counted(what=what, worlds=wanted, times=found, detail=f"{extra} others"))
    return counted


def templates_taken(seeds: Sequence[int], make: Callable[[int, float], World]) -> list[Counted]:
    """How often something is taken out of worlds without a product, by the campaign's share of the accounts."""
    counted = []
    for low, high in ((0.15, 0.25), (0.25, 0.35), (0.35, 0.5)):
        worlds: list[str] = []
        for seed in seeds:
            share = random.Random(f"share-{seed}").uniform(low, high)
            world = make(seed, share)
            if found := preambles_of(world.rows):
                worlds.append(f"seed {seed}: {world.name}; {found[0].accounts} accounts, {found[0].text[:60]!r}")
        what = f"campaign of {low:.0%} to {high:.0%} of the accounts"
        counted.append(Counted(what=what, worlds=len(seeds), times=len(worlds), detail="; ".join(worlds)))
    return counted


def scanned(seeds: Sequence[int], make: Callable[[int], World]) -> list[Counted]:
    """In how many worlds a scan finds the campaign: without a product, and with one of everybody."""
    found = {"no product": 0, "product, preambles found": 0, "product, preambles not looked for": 0}
    false = dict.fromkeys(found, 0)
    for seed in seeds:
        world = make(seed)
        hidden, _ = wrapped(world, [make_product(seed, PLACES[seed % len(PLACES)])], 1.0, seed)
        truth = [Planted(name="campaign", kind="campaign", what="", accounts=world.campaign)]
        for name, rows, looks in (
            ("no product", world.rows, True),
            ("product, preambles found", hidden.rows, True),
            ("product, preambles not looked for", hidden.rows, False),
        ):
            detection = detect(rows, settings=Settings(encoder="fast", find_preambles=looks))
            scores = evaluate(found_of(detection), truth)
            found[name] += scores.campaigns_found
            false[name] += scores.alarms
    return [
        Counted(what=name, worlds=len(seeds), times=count, detail=f"{false[name]} false findings")
        for name, count in found.items()
    ]


def costs(dump: Path) -> list[Counted]:
    """Seconds that finding and taking out add to the reading of a dump: as it is, and with a product of everybody."""
    rows = [
        Prompt(account=account, prompt=parts[-1], time=float(when))
        for batch in read_dumps([str(dump)])
        for account, parts, when in zip(
            batch.prompts.column("account").to_pylist(),
            batch.prompts.column("parts").to_pylist(),
            batch.prompts.column("time").to_pylist(),
            strict=True,
        )
    ]
    wrap, rng = make_product(1, "around"), random.Random(1)
    counted = []
    for what, some in (("as it is", rows), ("a product of everybody", [wrap(row, rng) for row in rows])):
        seconds = []
        for looks in (False, True):
            with CorpusBuilder(registry=load_registry(), find_preambles=looks) as builder:
                for batch in batches_of(some):
                    builder.add(batch.prompts)
                begun = time.process_time()
                builder.finish()
                seconds.append(time.process_time() - begun)
        detail = f"{seconds[1] - seconds[0]:+.1f} s of one core, after {seconds[0]:.1f} s"
        counted.append(Counted(what=f"{len(rows):,} prompts, {what}", worlds=1, times=1, detail=detail))
    return counted


# ---------------------------------------------------------------- the command


def markdown(sections: Sequence[tuple[str, Sequence[Counted]]]) -> str:
    """One table for each question."""
    lines: list[str] = []
    for title, counted in sections:
        lines += [f"**{title}**", "", "| what | of | times | more |", "|---|---|---|---|"]
        lines += [f"| {one.what} | {one.worlds:,} | {one.times:,} | {one.detail} |" for one in counted]
        lines.append("")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder with the public texts; without it, the package's grammar")
    parser.add_argument("--half", choices=("tuning", "reporting"), default="reporting")
    parser.add_argument("--worlds", type=int, default=20, help="worlds of each kind")
    parser.add_argument("--scans", type=int, default=3, help="worlds that are scanned")
    parser.add_argument(
        "--first-seed", type=int, default=100, help="of the first world; those below 100 were for tuning"
    )
    parser.add_argument("--rows", type=int, default=3_000, help="rows of the background of a world")
    parser.add_argument("--cost", type=Path, help="a dump on which the cost is measured")
    parser.add_argument("--docs", type=Path, help="Markdown file whose section is replaced")
    given = list(sys.argv[1:] if arguments is None else arguments)
    chosen = parser.parse_args(given)

    def make(seed: int, share: float | None = None) -> World:
        return make_world(seed, data=chosen.data, half=chosen.half, rows=chosen.rows, share=share)

    seeds = range(chosen.first_seed, chosen.first_seed + chosen.worlds)
    sections: list[tuple[str, list[Counted]]] = []
    if chosen.worlds:
        sections.append(("Worlds without a product in which something is taken out", templates_taken(seeds, make)))
        sections.append(("Products that are found", products_found(seeds, make)))
    if chosen.scans:
        scans = range(chosen.first_seed, chosen.first_seed + chosen.scans)
        sections.append(("Campaigns that a scan finds", scanned(scans, make)))
    if chosen.cost:
        sections.append(("Cost", costs(chosen.cost)))
    text = markdown(sections)
    print(text)
    if chosen.docs:
        hidden = [shlex.quote(word) for word in given if "/" not in word]
        head = f"`python -m benchmarks.preambles {' '.join(hidden)}` on {ran_on(versions())}.\n\n"
        write_section(chosen.docs, "preambles", head + text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

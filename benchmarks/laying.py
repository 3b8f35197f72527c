"""Dumps of any size for the benchmarks of speed and memory, simulated and made more like real traffic.

A dump is a simulated one (:mod:`harvestdetect.simulate`) in which people also send again what they or others sent
before, and paste longer texts, see :func:`lay`.
"""

from __future__ import annotations

import math
import sys
import time
from array import array
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Final, ParamSpec, TypeVar

import msgspec
import numpy as np

from harvestdetect.simulate import write_plan
from harvestdetect.simulate.groups import make_plan
from harvestdetect.simulate.people import Text
from harvestdetect.simulate.plan import Plan, Writer
from harvestdetect.simulate.traffic import Account
from harvestdetect.util.periods import DAY

__all__ = ["DAYS", "HARVEST", "START", "Laid", "apart", "lay", "plan_of", "read_laid", "tell", "write_laid"]

P = ParamSpec("P")
T = TypeVar("T")

HARVEST: Final = 0.005
"""Share of the rows that campaigns send."""

DAYS: Final = 45
"""Length of a dump, in days."""

START: Final = 1_780_272_000
"""First second of a dump, 2026-06-01 in UTC."""

CAMPAIGNS: Final = 8
"""Campaigns at 100,000 rows. Their number grows with the square root of the rows."""

MAX_CAMPAIGNS: Final = 40
"""Most campaigns of a dump."""

MIN_HARVEST: Final = 50
"""Harvest prompts of a campaign at least, on average; a small dump has fewer campaigns."""

REPEATED: Final = 0.3
"""Share of the plain texts of ordinary people that repeat the account's last text: a retry, or a loop."""

POPULAR: Final = 0.13
"""Share of those texts that many people send word for word."""

ROWS_PER_POPULAR: Final = 250
"""Rows for each popular text."""

PASTES: Final = 0.09
"""Share of those texts with a long text pasted below."""

PASTED: Final = (6.2, 0.9)
"""Mean and standard deviation of the logarithm of the number of pasted characters."""

MAX_PASTED: Final = 20_000
"""Most characters that are pasted."""

SENTENCES: Final = 20_000
"""Sentences that are kept to paste from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Laid:
    """What a dump contains."""

    rows: int
    accounts: int
    campaigns: int
    look_alikes: int
    harvest: int
    """Harvest prompts of all campaigns."""
    characters: float
    """Mean number of characters of a prompt."""
    repeated: float
    """Share of the rows with a text that was in an earlier row."""
    bytes: int
    """Size of the dump, compressed."""
    seconds: float
    """Seconds that it took to write it."""


@dataclass(slots=True)
class _Rewriter:
    """Makes the plain texts of people longer and more alike, row by row."""

    kept: frozenset[str]
    """Accounts whose prompts stay as they are."""
    random: Random
    popular_at_most: int
    last: dict[str, str] = field(default_factory=dict)
    popular: list[str] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)
    characters: int = 0
    hashes: array[int] = field(default_factory=lambda: array("q"))
    """Of the text of each row, a hash."""

    def around(self, writer: Writer) -> Writer:
        """A writer of the prompts of another one, rewritten."""

        def rewriting(account: Account, item: int, session: int, random: Random) -> Text:
            return self.rewrite(account.identity, writer(account, item, session, random))

        return rewriting

    def rewrite(self, account: str, prompt: Text) -> Text:
        """The prompt that goes into the row."""
        if isinstance(prompt, str) and account not in self.kept:
            prompt = self._text(account, prompt)
        text = prompt if isinstance(prompt, str) else "\n".join(m["content"] for m in prompt)
        self.characters += len(text)
        self.hashes.append(hash(text))
        return prompt

    def again(self) -> int:
        """The number of rows with a text that was in an earlier row."""
        hashes = np.sort(np.frombuffer(self.hashes, dtype=np.int64))
        return int((hashes[1:] == hashes[:-1]).sum())

    def _text(self, account: str, text: str) -> str:
        random = self.random
        self._learn(text)
        draw = random.random()
        if draw < REPEATED and account in self.last:
            return self.last[account]
        if draw > 1 - POPULAR and self.popular:
            # the n-th text is sent about 1 / n as often as the first
            text = self.popular[int(len(self.popular) ** random.random()) - 1]
        elif draw > 1 - POPULAR - PASTES and self.sentences:
            text = f"{text}\n\n{self._paste()}"
        self.last[account] = text
        return text

    def _learn(self, text: str) -> None:
        if len(self.popular) < self.popular_at_most and 30 < len(text) < 1_500:
            self.popular.append(text)
        if len(text) > 60:
            for sentence in text.split(". "):
                if len(sentence) <= 20:
                    continue
                if len(self.sentences) < SENTENCES:
                    self.sentences.append(sentence)
                else:
                    self.sentences[int(self.random.random() * SENTENCES)] = sentence

    def _paste(self) -> str:
        """Sentences of other people in a new order, after a number, as in records and logs."""
        random, sentences = self.random, self.sentences
        left = min(random.lognormvariate(*PASTED), MAX_PASTED)
        found = [f"#{random.getrandbits(40)}"]
        while left > 0:
            found.append(sentences[int(random.random() * len(sentences))])
            left -= len(found[-1]) + 2
        return ". ".join(found)


def lay(
    folder: Path, *, rows: int, seed: int, harvest: float = HARVEST, start: int = START, files: int | None = None
) -> Laid:
    """Writes ``dump/*.jsonl.gz``, ``truth.jsonl`` and ``laid.json``, unless the folder has a dump already.

    Background, campaigns and look-alikes are those of :func:`harvestdetect.simulate.simulate`. Of the people outside
    every planted group some repeat themselves (:data:`REPEATED`), some send popular texts (:data:`POPULAR`), and some
    paste long texts (:data:`PASTES`). Memory grows with the rows by a hash per row, one text per account and the plan
    of the simulation.

    Args:
        folder: made when it does not exist.
        rows: of the dump, at least 100.
        seed: of every draw.
        harvest: share of the rows that campaigns send.
        start: first second, since 1970.
        files: the number of files; None means by the rows.
    """
    known = read_laid(folder)
    if known is not None:
        return known
    begun = time.perf_counter()
    plan = plan_of(rows=rows, seed=seed, harvest=harvest, start=start)
    return write_laid(folder, plan, seed=seed, begun=begun, files=files)


def plan_of(*, rows: int, seed: int, harvest: float, start: int, texts: Sequence[str] = ()) -> Plan:
    """The plan of a dump, with campaigns in proportion to the square root of the rows.

    Args:
        rows: of the dump.
        seed: of every draw.
        harvest: share of the rows that campaigns send.
        start: first second, since 1970.
        texts: what people write for themselves; empty means texts of the grammar.
    """
    campaigns = min(round(CAMPAIGNS * math.sqrt(rows / 100_000)) or 1, MAX_CAMPAIGNS)
    campaigns = min(campaigns, int(rows * harvest / MIN_HARVEST))
    return make_plan(
        prompts=rows, harvest_share=harvest, campaigns=campaigns, seed=seed, start=start, end=start + DAYS * DAY,
        texts=texts,
    )  # fmt: skip


def read_laid(folder: Path) -> Laid | None:
    """What the dump in a folder contains, as ``laid.json`` says; None where there is no dump."""
    known = folder / "laid.json"
    return msgspec.json.decode(known.read_bytes(), type=Laid) if known.is_file() else None


def write_laid(
    folder: Path, plan: Plan, *, seed: int, begun: float, files: int | None = None, rewrite: bool = True
) -> Laid:
    """Writes a planned dump and ``laid.json``.

    Args:
        folder: made when it does not exist.
        plan: of the dump; its streams are replaced by ones that rewrite.
        seed: of every draw.
        begun: ``time.perf_counter()`` when planning began.
        files: the number of files; None means by the rows.
        rewrite: rewrite the texts of people as :func:`lay` says.
    """
    rows = sum(len(events) for _, events in plan.streams)
    groups = [a for group in plan.groups for a in group.accounts]
    rewriter = _Rewriter(
        kept=frozenset(
            plan.network.accounts[a].identity for a in (groups if rewrite else range(len(plan.network.accounts)))
        ),
        random=Random(f"scale-{seed}"),
        popular_at_most=max(rows // ROWS_PER_POPULAR, 20),
    )
    plan.streams = [(rewriter.around(writer), events) for writer, events in plan.streams]
    made = write_plan(folder, plan, seed=seed, files=files)
    laid = Laid(
        rows=rows,
        accounts=made.counts["accounts"],
        campaigns=made.counts["campaigns"],
        look_alikes=made.counts["look_alikes"],
        harvest=made.counts["harvest_prompts"],
        characters=round(rewriter.characters / rows, 1),
        repeated=round(rewriter.again() / rows, 4),
        bytes=sum(file.stat().st_size for file in made.files),
        seconds=round(time.perf_counter() - begun, 1),
    )
    (folder / "laid.json").write_bytes(msgspec.json.encode(laid))
    return laid


def apart(function: Callable[P, T], /, *arguments: P.args, **named: P.kwargs) -> T:
    """Calls a function in a process of its own: its memory would count in the peak of a process started later."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments, **named).result()


def tell(laid: Laid) -> None:
    """Prints on standard error what a dump contains."""
    print(
        f"{laid.rows:,} rows written in {laid.seconds:.1f} s: {laid.bytes / 1e6:,.0f} MB, {laid.characters:.0f} "
        f"characters on average, {laid.repeated:.0%} of the rows repeat a text",
        file=sys.stderr,
    )

"""Finds preambles: the text that a product puts around what its users write.

A product sends its system prompt with every request, as a system message or folded into the text of the user, with
slots such as a date, a name or a locale. It says nothing about who acts together, and it hides what stands behind it.
A campaign also sends one text from many accounts, and that is what a scan looks for. So the question is what tells the
two apart.

**Model.** A preamble belongs to a product and not to the people who use it. Four things follow, and a candidate must
show all of them:

1. *Everybody sends it.* At least a quarter of the accounts send it.
2. *They always send it.* An account counts only if more than half of its prompts have the candidate, and so it must be
   for most accounts that send the candidate at all. The opening "can you help me with" is common, but nobody begins
   most prompts with it.
3. *A request stands behind it.* What remains of most prompts has at least as many words as a scaffold needs. The slots
   of a rigid instruction are filled with a few words.
4. *Its users are people.* They are about as varied as the other accounts: in the number of their prompts, in the
   length of what they write, in the time of their first prompt, and in the words that only one of them uses. Accounts
   that divide one list of work among themselves are not.

If more than half of all accounts always send a text, the fourth condition is waived: there are too few other accounts
to compare with, and a text of the majority tells nobody apart.

**Assumptions.** No campaign has a quarter of all accounts of a dump unless its accounts are more alike than people are.
A product whose users write fewer than four words at a time is left in place. If a candidate is doubtful, it is left in
place as well, because a preamble that stays costs clarity, and a template that goes costs a finding.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from harvestdetect.corpus.preamble_candidates import TOKENS, between, candidates_of, kept_entry
from harvestdetect.corpus.preamble_sample import PartSample
from harvestdetect.corpus.registry import SCAFFOLD_WORDS, Entry, places, word_count
from harvestdetect.corpus.skeletons import tokens
from harvestdetect.data import NO_TIME
from harvestdetect.util.amounts import MOST
from harvestdetect.util.arrays import Bools, Floats

__all__ = ["find_preambles"]

LEAST_SHARE: Final = 0.25
"""Least share of the accounts that must always send a preamble."""
VARIED: Final = 0.6
"""Least variety of the users of a product, as a share of the variety of the other accounts. Campaigns reached 0.52,
products had 0.64 and more (``benchmarks/preambles.py``, seeds for tuning)."""


def find_preambles(sample: PartSample, *, min_accounts: int, kept: Sequence[str] = ()) -> tuple[Entry, ...]:
    """The preambles of a dump.

    Args:
        sample: of the dump.
        min_accounts: number of accounts of the sample that must always send a preamble.
        kept: texts of preambles of an earlier scan. Where no preamble that is found now takes its place, one of them
            stays until fewer than half as many accounts as usual always send it.
    """
    least = max(min_accounts, LEAST_SHARE * len(sample.volume))
    if len(sample.volume) < least:
        return ()
    candidates = candidates_of(sample, least)
    fresh = len(candidates)
    known = {entry.id for entry in candidates}
    candidates += [entry for text in kept if (entry := kept_entry(text)) is not None and entry.id not in known]
    if not candidates:
        return ()
    judged = _Judged.of(sample, candidates)
    numbers: list[int] = []
    for number in range(fresh):
        if judged.is_preamble(number, least, numbers):
            numbers.append(number)
    covered = np.asarray(judged.has[numbers].any(axis=0), bool)
    numbers += [
        number for number in range(fresh, len(candidates)) if judged.users(number, covered).sum() >= MOST * least
    ]
    return tuple(candidates[number] for number in numbers)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """What is known about the accounts of a sample and about candidates."""

    sample: PartSample
    total: Floats
    """float64[a]: prompts of each account in the sample, at least 1."""
    spans: list[dict[int, list[tuple[int, int]]]]
    """For each of n texts, the places of each candidate in it."""
    prompts_of: list[list[int]]
    """For each of n texts, the prompts with it."""
    has: Bools
    """bool[c, q]: whether each prompt has each candidate."""
    behind: list[str]
    """For each of q prompts, its longest stretch of text that belongs to no candidate."""
    words: Floats
    """float64[q]: words of each of these."""

    @classmethod
    def of(cls, sample: PartSample, candidates: Sequence[Entry]) -> _Judged:
        """Looks for all candidates in all texts."""
        accounts = len(sample.volume)
        has = np.zeros((len(candidates), len(sample.account)), bool)
        prompts_of: list[list[int]] = [[] for _ in sample.texts]
        for part, prompt in zip(sample.part.tolist(), sample.prompt.tolist(), strict=True):
            prompts_of[part].append(prompt)
        spans: list[dict[int, list[tuple[int, int]]]] = []
        for number, text in enumerate(sample.texts):
            found = {c: places(entry, text) for c, entry in enumerate(candidates) if entry.anchor in text}
            spans.append({c: there for c, there in found.items() if there})
            has[np.ix_(list(spans[-1]), prompts_of[number])] = True
        behind, words = _longest(sample, spans, prompts_of)
        total = np.maximum(np.bincount(sample.account, minlength=accounts), 1).astype(float)
        return cls(
            sample=sample, total=total, spans=spans, prompts_of=prompts_of, has=has, behind=behind, words=words
        )  # fmt: skip

    def _share(self, prompts: Bools) -> Floats:
        """The share of the prompts of each account that are among some, float64[a]. ``prompts``: bool[q]."""
        return np.bincount(self.sample.account, prompts.astype(float), len(self.total)) / self.total

    def users(self, candidate: int, covered: Bools | None = None) -> Bools:
        """Which accounts always send a candidate, bool[a]. ``covered``: bool[q], prompts that do not count."""
        return self._share(self.has[candidate] if covered is None else self.has[candidate] & ~covered) > MOST

    def is_preamble(self, candidate: int, least: float, before: Sequence[int]) -> bool:
        """Whether a candidate is a preamble and not the template of a campaign.

        Args:
            candidate: its number.
            least: number of accounts that must always send it.
            before: the candidates that are preambles and may be around this one.
        """
        users, share = self.users(candidate), self._share(self.has[candidate])
        several = (share > 0) & (self.total > 1)
        if users.sum() < least or (several.any() and np.mean(users[several]) <= MOST):
            return False
        asks = self._share(self.has[candidate] & (self._words_behind({candidate, *before}) >= SCAFFOLD_WORDS))
        if np.mean(asks[users] / share[users]) <= MOST:
            return False
        if users.mean() > MOST:
            return True
        return all(
            np.isnan(own) or np.isnan(usual) or own >= VARIED * usual
            for own, usual in self._varieties(users, share == 0)
        )

    def _words_behind(self, candidates: set[int]) -> Floats:
        """Words of the longest stretch of each prompt that belongs to none of some candidates, float64[q]."""
        some = [{c: there for c, there in found.items() if c in candidates} for found in self.spans]
        return _longest(self.sample, some, self.prompts_of)[1]

    def _varieties(self, users: Bools, others: Bools) -> list[tuple[float, float]]:
        """How varied the users of a candidate and the other accounts are, in each of four respects."""
        sample = self.sample
        length = np.bincount(sample.account, np.log1p(self.words), len(self.total)) / self.total
        timed = sample.first_seen != NO_TIME
        found = [
            (_spread(values[users & known]), _spread(values[others & known]))
            for values, known in (
                (np.log(np.maximum(sample.volume, 1)), sample.volume > 0),
                (length, sample.volume > 0),
                (sample.first_seen.astype(float), timed),
            )
        ]
        size = min(int(users.sum()), int(others.sum()))
        return [*found, (self._novelty(users, size), self._novelty(others, size))]

    def _novelty(self, accounts: Bools, size: int) -> float:
        """Mean share of the pairs of words in a prompt of an account that no other of these accounts has in its own.

        Args:
            accounts: bool[a], from which the first ``size`` are taken, because more accounts share more.
            size: number of accounts.
        """
        chosen = np.flatnonzero(accounts & (np.bincount(self.sample.account, minlength=len(accounts)) > 0))[:size]
        first = np.searchsorted(self.sample.account, chosen)
        bags = [set(pairwise(tokens(f" {self.behind[prompt]}", TOKENS))) for prompt in first.tolist()]
        counts = Counter(pair for bag in bags for pair in bag)
        shares = [sum(counts[pair] == 1 for pair in bag) / len(bag) for bag in bags if bag]
        return float(np.mean(shares)) if shares else float("nan")


def _longest(
    sample: PartSample, spans: Sequence[dict[int, list[tuple[int, int]]]], prompts_of: Sequence[Sequence[int]]
) -> tuple[list[str], Floats]:
    """For each of q prompts, its longest stretch of text beside some places, and its words, float64[q].

    Args:
        sample: of n texts.
        spans: for each text, places by candidate.
        prompts_of: for each text, the prompts with it.
    """
    behind, words = [""] * len(sample.account), np.zeros(len(sample.account))
    for text, found, prompts in zip(sample.texts, spans, prompts_of, strict=True):
        merged = _disjoint([span for there in found.values() for span in there])
        longest = max(between(text, merged), key=len)
        count = word_count(longest)
        for prompt in prompts:
            if count > words[prompt]:
                words[prompt], behind[prompt] = count, longest
    return behind, words


def _spread(values: Floats) -> float:
    """The standard deviation; NaN if there are fewer than two values."""
    return float(np.std(values)) if len(values) > 1 else float("nan")


def _disjoint(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Merges overlapping places. Returns them ascending."""
    found: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], stop))
        else:
            found.append((start, stop))
    return found

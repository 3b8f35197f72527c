"""Preambles: the text that a product puts around what its users write, found without being told.

A product sends its system prompt with every request, as a system message or folded into the text of the user, with
slots such as a date, a name or a locale. It says nothing about who acts together, and it hides what stands behind it.
A campaign also sends one text from many accounts, and that is what a scan looks for. So the question is what tells the
two apart.

**Model.** A preamble belongs to a product and not to the people who use it. Four things follow, and a candidate must
show all of them:

1. *Everybody sends it.* At least a quarter of the accounts send it.
2. *They always send it.* An account counts only if more than half of its prompts have the candidate. The opening "can
   you help me with" is common, but nobody begins most prompts with it.
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

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Final

import numpy as np

from harvestdetect.corpus.normalize import normalize
from harvestdetect.corpus.preamble_sample import Sample
from harvestdetect.corpus.registry import (
    MAX_CHARACTERS,
    PROMPT_SLOT,
    SCAFFOLD_WORDS,
    Entry,
    Registry,
    entry_of,
    places,
    strip_one,
    word_count,
)
from harvestdetect.corpus.skeletons import NEAR, QUORUM, ROW, Skeleton, has_digit, skeleton, tokens
from harvestdetect.data import NO_TIME
from harvestdetect.errors import SettingsError
from harvestdetect.util.arrays import Bools, Floats
from harvestdetect.util.redact import redact

__all__ = ["find_preambles", "kept_entry", "preamble_registry"]

LEAST_SHARE: Final = 0.25
"""Least share of the accounts that must always send a preamble."""
MOST: Final = 0.5
"""Share above which some are most: the prompts of an account, the prompts with a request behind the preamble, all
accounts. It is also the least variety of the users of a product, as a share of the variety of the other accounts."""
GROUP: Final = 300
"""Most accounts whose texts are compared word for word."""
CANDIDATES: Final = 12
"""Most candidates of a scan."""
TOKENS: Final = 20_000
"""Most tokens of a text that are compared word for word."""
_NEVER: Final = date(9999, 12, 31)
_REDACTED: Final = re.compile(r"\[(?:e-mail|hex|ip|key|number|token)\]")
_TAIL: Final = 600
"""Characters at the end of a text that surely contain the tokens that are looked at there."""


def find_preambles(sample: Sample, *, min_accounts: int, kept: Sequence[Entry] = ()) -> tuple[Entry, ...]:
    """The preambles of a dump.

    Args:
        sample: of the dump.
        min_accounts: number of accounts of the sample that must always send a preamble.
        kept: preambles of an earlier scan. Where no preamble that is found now takes its place, one of them stays
            until fewer than half as many accounts as usual always send it.
    """
    least = max(min_accounts, LEAST_SHARE * len(sample.volume))
    if len(sample.volume) < least:
        return ()
    senders = _senders(sample)
    candidates: list[Entry] = []
    rest = list(sample.texts)
    dead: set[tuple[str, ...]] = set()
    while len(candidates) + len(dead) < CANDIDATES:
        seed = _seed(rest, senders, least, dead)
        if seed is None:
            break
        entry = _candidate(seed, rest, senders, least, lambda i: _original(sample, candidates, i))
        after = rest if entry is None else [_rest(entry, text) for text in rest]
        if entry is None or after == rest or any(entry.id == other.id for other in candidates):
            dead.add(seed.words)
            continue
        candidates.append(entry)
        rest = after
    fresh = len(candidates)
    candidates += [entry for entry in kept if all(entry.id != other.id for other in candidates)]
    if not candidates:
        return ()
    judged = _Judged.of(sample, candidates)
    numbers = [number for number in range(fresh) if judged.is_preamble(number, least)]
    covered = np.asarray(judged.has[numbers].any(axis=0), bool)
    numbers += [
        number for number in range(fresh, len(candidates)) if judged.users(number, covered).sum() >= MOST * least
    ]
    return tuple(candidates[number] for number in numbers)


def preamble_registry(entries: Iterable[Entry]) -> Registry:
    """A registry of preambles, by id."""
    ordered = tuple(sorted(entries, key=lambda entry: entry.id))
    return Registry(entries=ordered, expired=(), digest=" ".join(entry.id for entry in ordered))


def kept_entry(text: str) -> Entry | None:
    """The entry of a preamble by its text with slots; None if the text is no scaffold."""
    table = {"id": "preamble", "kind": "scaffold", "text": text, "owner": "this scan", "expires": _NEVER}
    try:
        runs = entry_of(table, "a preamble", "this scan").runs
        digest = hashlib.sha256("\0".join(runs).encode("utf-8", "surrogatepass")).hexdigest()[:8]
        return entry_of(table | {"id": f"preamble-{digest}"}, "a preamble", "this scan")
    except SettingsError:
        return None


# ---------------------------------------------------------------- candidates


def _senders(sample: Sample) -> list[list[int]]:
    """The accounts that sent each text, ascending."""
    found: list[set[int]] = [set() for _ in sample.texts]
    for part, account in zip(sample.part.tolist(), sample.account[sample.prompt].tolist(), strict=True):
        found[part].add(account)
    return [sorted(accounts) for accounts in found]


def _rest(entry: Entry, text: str) -> str:
    """A normalised text without a preamble."""
    found = places(entry, text) if entry.anchor in text else []
    return normalize("".join(_between(text, found))) if found else text


def _between(text: str, spans: Sequence[tuple[int, int]]) -> list[str]:
    """What is before, between and behind some places of a text, which are ascending."""
    borders = [0, *(border for span in spans for border in span), len(text)]
    return [text[a:b] for a, b in zip(borders[::2], borders[1::2], strict=True)]


def _original(sample: Sample, candidates: Sequence[Entry], text: int) -> str:
    """The original of a text, without candidates."""
    original = sample.original(text)
    for entry in candidates:
        original = strip_one(preamble_registry([entry]), original, normalize(original))[0]
    return original


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seed:
    """Words in a row near one end of the texts of many accounts."""

    words: tuple[str, ...]
    backwards: bool
    """Whether the words are near the end of the texts, and in reverse order."""
    text_of: dict[int, int]
    """For each account, one of its texts with these words."""


def _seed(
    rest: Sequence[str], senders: Sequence[Sequence[int]], least: float, dead: set[tuple[str, ...]]
) -> _Seed | None:
    """The commonest words in a row near the beginning of texts, or else near the end; None if too few accounts send
    them."""
    for backwards in (False, True):
        text_of: dict[tuple[str, ...], dict[int, int]] = {}
        offset: Counter[tuple[str, ...]] = Counter()
        texts: Counter[tuple[str, ...]] = Counter()
        for number, text in enumerate(rest):
            words = _ends(text, backwards)
            for start in range(len(words) - ROW + 1):
                row = tuple(words[start : start + ROW])
                if any(map(has_digit, row)):
                    continue
                offset[row] += start
                texts[row] += 1
                of = text_of.setdefault(row, {})
                for account in senders[number]:
                    of.setdefault(account, number)
        counts = {row: len(of) for row, of in text_of.items() if len(of) >= least and row not in dead}
        if counts:
            most = QUORUM * max(counts.values())
            near = [row for row, count in counts.items() if count >= most]
            best = min(near, key=lambda row: (offset[row] / texts[row], -counts[row], row))
            return _Seed(words=best, backwards=backwards, text_of=text_of[best])
    return None


def _ends(text: str, backwards: bool) -> list[str]:
    """The first tokens of a text, or the last ones in reverse order."""
    if not backwards:
        return tokens(f" {text[:_TAIL]}", NEAR + ROW)
    return tokens(f" {text[-_TAIL:]}", _TAIL)[::-1][: NEAR + ROW]


def _candidate(
    seed: _Seed,
    rest: Sequence[str],
    senders: Sequence[Sequence[int]],
    least: float,
    original: Callable[[int], str],
) -> Entry | None:
    """The entry of the longest text that nearly all accounts of a seed share, or most of them if they fall apart."""
    group = sorted(seed.text_of)[:GROUP]
    scale = len(seed.text_of) / len(group)
    step = -1 if seed.backwards else 1
    cut = {number: tokens(f" {rest[number]}", TOKENS)[::step] for number in {seed.text_of[a] for a in group}}
    while True:
        texts = [cut[seed.text_of[account]] for account in group]
        start = [_place(text, seed.words) for text in texts]
        found = skeleton(texts, start)
        if found is None:
            return None
        following = Counter(texts[i][at] for i, at in found.stops.items() if at < len(texts[i]))
        large = {word: count for word, count in following.items() if count * scale >= least}
        if len(large) < 2 or sum(large.values()) < QUORUM * len(found.stops):
            break
        # Two products with the same first words: the larger one now, the other one later.
        word = min(large, key=lambda word: (-large[word], word))
        group = [group[i] for i, at in found.stops.items() if texts[i][at : at + 1] == [word]]
    text, runs, prompt_at = _shape(found, texts)
    if seed.backwards:
        size = len(texts[text])
        runs, prompt_at = [(size - b, size - a) for a, b in runs[::-1]], len(runs) - prompt_at if prompt_at >= 0 else -1
    number = seed.text_of[group[text]]
    return kept_entry(_written(rest[number], original(number), runs, prompt_at))


def _place(text: Sequence[str], words: tuple[str, ...]) -> int:
    """Where some words are in a text that has them among its first tokens."""
    return next(i for i in range(len(text)) if tuple(text[i : i + len(words)]) == words)


def _shape(found: Skeleton, texts: Sequence[Sequence[str]]) -> tuple[int, list[tuple[int, int]], int]:
    """A text with all runs of a skeleton, start and stop of the runs in it, and the number of runs before the prompt.

    The prompt is behind all runs or in the widest slot. If it is behind all runs, the texts may share words at their
    end as well. The number is -1 if no place is wide enough for a prompt.
    """
    text = min(found.stops)
    widest = max(range(len(found.gaps)), key=lambda i: found.gaps[i], default=-1)
    gap = found.gaps[widest] if widest >= 0 else 0.0
    if found.rest < max(gap, ROW):
        return text, found.runs(text), widest + 1 if gap >= ROW else -1
    numbers = list(found.stops)
    behind = [texts[i][found.stops[i] :][::-1] for i in numbers]
    tail = skeleton(behind, [0] * len(behind))
    if tail is None:
        return text, found.runs(text), len(found.lengths)
    last = min(tail.stops)
    text, size = numbers[last], len(texts[numbers[last]])
    runs = found.runs(text)
    return text, [*runs, *((size - b, size - a) for a, b in tail.runs(last)[::-1])], len(runs)


def _written(text: str, original: str, runs: Sequence[tuple[int, int]], prompt_at: int) -> str:
    """A preamble as an entry of a registry has it: fixed words in their original spelling, and slots in braces."""
    parts = tokens(f" {text}", TOKENS)
    border = np.cumsum([0, *map(len, parts)]) - 1
    pieces: list[str] = []
    size = 0
    for number, (start, stop) in enumerate(runs):
        if number == prompt_at:
            pieces.append(f"{{{PROMPT_SLOT}}}")
        elif number:
            pieces.append(f"{{{number}}}")
        piece = _without_secrets(_spelt(text, original, max(int(border[start]), 0), int(border[stop])))
        size += len(piece) + 8
        if size > MAX_CHARACTERS:
            break
        pieces.append(piece)
    if prompt_at == len(runs):
        pieces.append(f"{{{PROMPT_SLOT}}}")
    elif runs and runs[-1][1] < len(parts):
        pieces.append(f"{{{len(runs)}}}")
    return " ".join(pieces)


def _without_secrets(piece: str) -> str:
    """Fixed words with slots in place of addresses, keys and other values that no result may show."""
    safe = redact(piece)
    return piece if safe == piece else _REDACTED.sub("{0}", safe)


def _spelt(text: str, original: str, start: int, stop: int) -> str:
    """A part of a normalised text in its original spelling, if its words can be paired with those of the original."""
    piece = text[start:stop].strip()
    words = original.split()
    if len(words) != text.count(" ") + 1:
        return piece
    first = text[:start].count(" ") + text[start : start + 1].count(" ")
    count = piece.count(" ") + 1
    spelt = " ".join(words[first : first + count])
    return spelt if normalize(spelt) == piece else piece


# ---------------------------------------------------------------- judgement


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """What is known about the accounts of a sample and about candidates."""

    sample: Sample
    total: Floats
    """float64[a]: prompts of each account in the sample, at least 1."""
    has: Bools
    """bool[c, q]: whether each prompt has each candidate."""
    behind: list[str]
    """For each of q prompts, its longest stretch of text that belongs to no candidate."""
    words: Floats
    """float64[q]: words of each of these."""

    @classmethod
    def of(cls, sample: Sample, candidates: Sequence[Entry]) -> _Judged:
        """Looks for all candidates in all texts."""
        prompts, accounts = len(sample.account), len(sample.volume)
        has = np.zeros((len(candidates), prompts), bool)
        prompts_of: list[list[int]] = [[] for _ in sample.texts]
        for part, prompt in zip(sample.part.tolist(), sample.prompt.tolist(), strict=True):
            prompts_of[part].append(prompt)
        behind = [""] * prompts
        words = np.zeros(prompts)
        for number, text in enumerate(sample.texts):
            spans: list[tuple[int, int]] = []
            for c, entry in enumerate(candidates):
                found = places(entry, text) if entry.anchor in text else []
                if found:
                    has[c, prompts_of[number]] = True
                    spans += found
            spans = _disjoint(spans)
            longest = max(_between(text, spans), key=len)
            count = word_count(longest)
            for prompt in prompts_of[number]:
                if count > words[prompt]:
                    words[prompt], behind[prompt] = count, longest
        total = np.maximum(np.bincount(sample.account, minlength=accounts), 1).astype(float)
        return cls(sample=sample, total=total, has=has, behind=behind, words=words)

    def _share(self, prompts: Bools) -> Floats:
        """The share of the prompts of each account that are among some, float64[a]. ``prompts``: bool[q]."""
        return np.bincount(self.sample.account, prompts.astype(float), len(self.total)) / self.total

    def users(self, candidate: int, covered: Bools | None = None) -> Bools:
        """Which accounts always send a candidate, bool[a]. ``covered``: bool[q], prompts that do not count."""
        return self._share(self.has[candidate] if covered is None else self.has[candidate] & ~covered) > MOST

    def is_preamble(self, candidate: int, least: float) -> bool:
        """Whether a candidate is a preamble and not the template of a campaign.

        Args:
            candidate: its number.
            least: number of accounts that must always send it.
        """
        users = self.users(candidate)
        if users.sum() < least:
            return False
        mine = self.has[candidate] & users[self.sample.account]
        if np.mean(self.words[mine] >= SCAFFOLD_WORDS) <= MOST:
            return False
        if users.mean() > MOST:
            return True
        others = self._share(self.has[candidate]) == 0
        return all(
            np.isnan(own) or np.isnan(usual) or own >= MOST * usual for own, usual in self._varieties(users, others)
        )

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

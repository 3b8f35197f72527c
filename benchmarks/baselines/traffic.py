"""Input and output of every baseline: the prompts of a dump, and sets of suspected accounts."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias

import numpy as np

from harvestdetect.corpus.normalize import normalize
from harvestdetect.data import NO_TIME, View
from harvestdetect.dump.values.times import seconds
from harvestdetect.embed.encoders import encode_texts, load_encoder, open_cache
from harvestdetect.errors import UsageError
from harvestdetect.settings import Settings
from harvestdetect.simulate.evaluate import ReportedFinding
from harvestdetect.util.arrays import AnyInts, Floats, Floats32, Ints, Ints32, pairs, unit
from harvestdetect.util.texts import write_texts

__all__ = [
    *("CLUSTER_ACCOUNTS", "MIN_ACCOUNTS", "Baseline", "Row", "Suspects", "Traffic", "by_group", "components"),
    *("traffic_of", "vectors_of"),
]

Row: TypeAlias = Mapping[str, Any]
"""A parsed row of a dump."""

MIN_ACCOUNTS: Final = 10
"""Accounts of the smallest group that is a finding."""

CLUSTER_ACCOUNTS: Final = 15
"""Accounts of the smallest cluster of vectors that is a finding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """The r prompts of a dump, sorted by account, time and text so that the order of rows does not matter."""

    accounts: tuple[str, ...]
    """The a distinct ids, sorted."""
    texts: tuple[str, ...]
    """The t distinct normalised texts, sorted."""
    account: Ints
    """int64[r], into ``accounts``."""
    time: Ints
    """int64[r], seconds or NO_TIME."""
    text: Ints
    """int64[r], into ``texts``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspects:
    """A set of accounts that a baseline reports as one campaign."""

    accounts: Ints
    """Distinct positions in :attr:`Traffic.accounts`."""
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """A baseline detector; calling it returns its findings."""

    name: str
    what: str
    """One line in plain words."""
    find: Callable[[Traffic, int], list[Suspects]]
    """Finds suspects in some traffic, with a seed."""
    needs: tuple[str, ...] = ()
    """Modules that it needs besides those that the package requires."""

    def available(self) -> bool:
        """Whether every module it needs is installed."""
        return not self._missing()

    def _missing(self) -> list[str]:
        return [name for name in self.needs if importlib.util.find_spec(name) is None]

    def __call__(self, rows: Sequence[Row], *, seed: int = 0) -> list[ReportedFinding]:
        """The findings, highest score first.

        Args:
            rows: ``account`` (text or integer), ``timestamp`` (seconds or ISO text), ``prompt`` (a text or a list of
                ``{"role", "content"}``); rows without an account or without text are left out.
            seed: of every draw; the same rows in any order with the same seed give the same findings.

        Raises:
            UsageError: a module that it needs is not installed.
        """
        if missing := self._missing():
            raise UsageError(f"the baseline {self.name} needs {', '.join(missing)}, which is not installed")
        traffic = traffic_of(rows)
        found: dict[str, ReportedFinding] = {}
        for suspects in self.find(traffic, seed) if traffic.texts else ():
            ids = sorted(traffic.accounts[a] for a in suspects.accounts.tolist())
            key = f"{self.name}-{_digest(chr(0).join(ids))[:6].hex()}"
            if key not in found or found[key].score < suspects.score:
                members = frozenset(ids)
                found[key] = ReportedFinding(
                    campaign_id=key, tier="review", score=suspects.score, accounts=members, recommended=members
                )
        return sorted(found.values(), key=lambda f: (-f.score, f.campaign_id))


# ---------------------------------------------------------------- rows


def traffic_of(rows: Sequence[Row]) -> Traffic:
    """The prompts of a dump; rows without an account or without text are left out."""
    ids, times, texts = [], [], []
    for row in rows:
        account, words = row.get("account"), normalize(_words_of(row.get("prompt")))
        if account is None or not words:
            continue
        time = seconds(row.get("timestamp"))
        ids.append(str(account))
        times.append(NO_TIME if time is None else time)
        texts.append(words)
    accounts, distinct = sorted(set(ids)), sorted(set(texts))
    place_of_account = {a: i for i, a in enumerate(accounts)}
    place_of_text = {t: i for i, t in enumerate(distinct)}
    account = np.array([place_of_account[a] for a in ids], dtype=np.int64)
    text = np.array([place_of_text[t] for t in texts], dtype=np.int64)
    time_of = np.array(times, dtype=np.int64)
    order = np.lexsort((text, time_of, account))
    return Traffic(
        accounts=tuple(accounts), texts=tuple(distinct),
        account=account[order], time=time_of[order], text=text[order],
    )  # fmt: skip


def _words_of(prompt: object) -> str:
    """A prompt as one text, without what the assistant said (unless nobody else said anything)."""
    if isinstance(prompt, str):
        return prompt
    if not isinstance(prompt, list):
        return ""
    messages = [m for m in prompt if isinstance(m, Mapping)]
    asked = [m for m in messages if m.get("role") != "assistant"] or messages
    return "\n".join(c for m in asked if isinstance(c := m.get("content"), str))


def _digest(text: str) -> bytes:
    """The digest of a text, as the corpus computes it, so that cached vectors are found."""
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).digest()


@lru_cache(maxsize=1)
def vectors_of(texts: tuple[str, ...], view: View) -> Floats32:
    """The vectors of some texts: float32[t, d], unit rows. The last ones are kept: several baselines need them."""
    settings = Settings()
    encoder = load_encoder(view, settings=settings)
    digests = np.array([_digest(text) for text in texts], dtype="V16")
    found = encode_texts(encoder, digests, write_texts(texts), cache=open_cache(view, encoder, settings=settings))
    return unit(found[:])


# ---------------------------------------------------------------- groups of texts


def by_group(traffic: Traffic, group: AnyInts, weight: Floats, *, least: int) -> list[Suspects]:
    """The senders of each group of texts.

    Args:
        traffic: the prompts.
        group: int[t], the group of each text, -1 for none.
        weight: float64[groups]; the score is the number of accounts times this.
        least: accounts that a group must have.
    """
    of_row = group[traffic.text]
    number, account = pairs(of_row[of_row >= 0], traffic.account[of_row >= 0])
    starts = np.flatnonzero(np.diff(number, prepend=-1))
    return [
        Suspects(accounts=members, score=len(members) * float(weight[number[start]]))
        for start, members in zip(starts.tolist(), np.split(account, starts[1:]), strict=True)
        if len(members) >= least
    ] if len(number) else []  # fmt: skip


def components(points: int, first: AnyInts, second: AnyInts) -> Ints32:
    """The connected component of each of some points: int32[points].

    Args:
        points: the number of points.
        first: one end of each edge.
        second: the other end.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(points, points))
    return np.asarray(connected_components(edges, directed=False)[1], dtype=np.int32)

"""The candidate around prompts or accounts that a person chose: a seeded hunt.

Texts lead to the accounts whose prompts are near them in wording. Accounts lead to those most alike: two accounts that
are among each other's nearest. Of an account only prompts that it has in common with another one of them count.

The person's choice is no evidence, and nobody can say by what the person chose. So the candidate is judged beside the
others and changes none of them (:func:`harvestdetect.judge.resolve.with_seeded`).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from harvestdetect.accounts.groups import AccountGroup
from harvestdetect.accounts.kin import Kin
from harvestdetect.corpus.by_prompt import first_rows
from harvestdetect.corpus.normalize import normalize
from harvestdetect.data import Neighbors
from harvestdetect.errors import InputError
from harvestdetect.template.clusters import ClusterSource
from harvestdetect.util.arrays import Bools, Floats32, Ints, Ints32, unique, unit
from harvestdetect.util.small_files import small_bytes, small_text

__all__ = ["SeedGroup", "Seeds", "compared_texts", "load_seeds", "seed_group"]

SEED_MIN_COSINE: Final = 0.8
"""Cosine from which a text is near one that was given. Chosen: at 0.75, long texts on other matters are near as well;
at 0.85, paraphrases no longer are. It decides only candidates of ``scan --around``."""
MAX_SEEDS: Final = 1_000
"""Most texts and accounts that may be given."""
MAX_BYTES: Final = 16_000_000
"""Most bytes of a file of seeds."""
_BLOCK: Final = 1 << 14
"""Vectors that are compared at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeds:
    """What a person chose."""

    texts: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    source: str = "the caller"
    """Name and digest of the file, for provenance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedGroup:
    """The accounts and prompts that seeds lead to."""

    group: AccountGroup | None
    """None where they lead to too few accounts."""
    sentence: str
    """What was found, or why there is no candidate."""


def load_seeds(file: Path) -> Seeds:
    """Reads a file of seeds: ``{"text": ...}`` or ``{"account": ...}`` on each line, or a plain text on each.

    Raises:
        InputError: it cannot be read, has nothing or too much, or a line is malformed.
    """
    name = f"the file of seeds {file}"
    raw = small_bytes(file, name=name, most=MAX_BYTES, advice="give fewer seeds", error=InputError)
    advice = "write a text or a JSON object on each line"
    lines = small_text(raw, name=name, advice=advice, error=InputError).splitlines()
    texts: dict[str, None] = {}
    accounts: dict[str, None] = {}
    for number, line in enumerate(lines, start=1):
        if line.strip():
            name, value = _seed(line, f"{file}, line {number}")
            (texts if name == "text" else accounts)[value] = None
    count = len(texts) + len(accounts)
    if not count:
        raise InputError(f"the seeds {file} are empty; write a text or an account on each line")
    if count > MAX_SEEDS:
        raise InputError(f"the seeds {file} are {count:,}, more than {MAX_SEEDS:,}; give fewer")
    digest = hashlib.sha256(raw).hexdigest()
    return Seeds(texts=tuple(texts), accounts=tuple(accounts), source=f"{file} (SHA-256 {digest[:16]})")


def _seed(line: str, where: str) -> tuple[str, str]:
    """What a line of the file names, ``text`` or ``account``, and its value."""
    name, value = "text", line.strip()
    if value.startswith("{"):
        try:
            row = json.loads(value)
        except (ValueError, RecursionError):
            raise InputError(f'{where}: not a JSON object such as {{"text": "..."}} or {{"account": "..."}}') from None
        if not isinstance(row, dict) or len(row) != 1 or next(iter(row)) not in ("text", "account"):
            raise InputError(f"{where}: an object with one key is needed, text or account")
        name, value = next(iter(row.items()))
        if not isinstance(value, str):
            raise InputError(f"{where}: {name} must be a text")
    if "\0" in value or value.encode("utf-8", "ignore").decode() != value:
        raise InputError(f"{where}: NUL characters and lone surrogates are no text")
    if not (normalize(value) if name == "text" else value):
        raise InputError(f"{where}: the {name} is empty")
    return name, value


# ---------------------------------------------------------------- the group


def seed_group(
    seeds: Seeds, source: ClusterSource, vectors_of_texts: Floats32, *, neighbors: Neighbors, kin: Kin
) -> SeedGroup:
    """The accounts and prompts that seeds lead to.

    Args:
        seeds: what a person chose.
        source: of the texts.
        vectors_of_texts: float32[t, d], unit rows: the texts of the seeds in the wording view.
        neighbors: of all segments in the wording view.
        kin: which accounts are near each other.
    """
    prompts = source.corpus.prompts
    counts = first_rows(prompts)
    known = {name: number for number, name in enumerate(prompts.accounts.to_pylist())} if seeds.accounts else {}
    given = np.array(sorted(known[one] for one in seeds.accounts if one in known), np.int32)
    found = counts & (_near_texts(source, vectors_of_texts) | _in_common(given, source, neighbors, kin))
    rows = np.flatnonzero(found).astype(np.int32)
    accounts = unique(prompts.account[rows])
    lost = len(seeds.accounts) - len(given)
    about = f"seeds of {seeds.source}, texts: {len(seeds.texts):,}, accounts: {len(seeds.accounts):,}"
    if lost:
        about += f" ({lost:,} of them sent nothing)"
    if not len(rows):
        return SeedGroup(group=None, sentence=f"{about}; no prompt is near them, so there is no candidate")
    about += f"; prompts near them: {len(rows):,}, of accounts: {len(accounts):,}"
    if len(accounts) < source.min_accounts:
        few = f"too few for a candidate, which has {source.min_accounts:,} accounts or more (--min-accounts)"
        return SeedGroup(group=None, sentence=f"{about}, {few}")
    return SeedGroup(group=AccountGroup(way="seed", accounts=accounts, prompts=rows), sentence=about)


def _near_texts(source: ClusterSource, wanted: Floats32) -> Bools:
    """Which prompts have a segment near one of some vectors: bool[p]."""
    corpus = source.corpus
    near = np.zeros(len(corpus.digest), bool)
    for start in range(0, len(near) if len(wanted) else 0, _BLOCK):
        cosine = unit(source.vectors[start : start + _BLOCK]) @ wanted.T
        near[start : start + _BLOCK] = cosine.max(axis=1) >= SEED_MIN_COSINE
    found = np.zeros(len(corpus.prompts.account), bool)
    found[corpus.posting_prompt[near[corpus.posting_segment]]] = True
    return found


def _in_common(given: Ints32, source: ClusterSource, neighbors: Neighbors, kin: Kin) -> Bools:
    """Which prompts some accounts and those most alike have in common: bool[p].

    A prompt counts if another one of these accounts sent the same segment or a near one. Where the given accounts have
    nothing in common, all their prompts count.
    """
    corpus = source.corpus
    account = corpus.prompts.account
    found = np.zeros(len(account), bool)
    if not len(given):
        return found
    members = np.zeros(len(corpus.prompts.accounts), bool)
    members[_with_most_alike(given, kin)] = True
    mine = members[account[corpus.posting_prompt]]
    segment, prompt = corpus.posting_segment[mine], corpus.posting_prompt[mine]
    sender = account[prompt]
    low, high = np.full(len(corpus.digest), len(members)), np.full(len(corpus.digest), -1)
    np.minimum.at(low, segment, sender)
    np.maximum.at(high, segment, sender)
    own = unique(segment)
    index, distance = neighbors.index[own], neighbors.distance[own]
    close = (
        (index >= 0) & (distance <= np.float32(np.sqrt(2 - 2 * SEED_MIN_COSINE))) & (high[np.maximum(index, 0)] >= 0)
    )
    other = np.maximum(index, 0)
    differs = close & ((low[other] != low[own][:, None]) | (high[other] != high[own][:, None]))
    common = np.zeros(len(corpus.digest), bool)
    common[own] = differs.any(axis=1) | (low[own] != high[own])
    found[prompt[common[segment]]] = True
    if not found[np.isin(account, given)].any():
        found |= np.isin(account, given)
    return found


def _with_most_alike(given: Ints32, kin: Kin) -> Ints32:
    """Some accounts, and those that are among the nearest of one of them and have it among their own nearest."""
    near = kin.whole
    if near is None or not len(near.account):
        return given
    row = np.searchsorted(near.account, given)
    row = row[row < len(near.account)]
    row = row[np.isin(near.account[row], given)]
    index = near.neighbors.index
    listed: Ints = np.repeat(row, index.shape[1])
    other = index[row].ravel()
    listed, other = listed[other >= 0], other[other >= 0]
    back = (index[other] == listed[:, None]).any(axis=1)
    return unique(np.concatenate([given, near.account[other[back]]]).astype(np.int32))


def compared_texts(seeds: Seeds) -> list[str]:
    """The texts of seeds in the form in which they are compared."""
    return [normalize(text) for text in seeds.texts]

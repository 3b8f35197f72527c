"""Small dumps for groups of alike accounts: features without texts, and texts with made vectors."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import sparse

from harvestdetect.accounts.groups import AccountGroup
from harvestdetect.accounts.profiles import PromptFeatures, prompt_features
from harvestdetect.corpus.build import build_corpus
from harvestdetect.corpus.by_prompt import PromptSegments, parts_by_prompt
from harvestdetect.data import Corpus, Prompt, Way
from harvestdetect.dump import batches_of
from harvestdetect.template.clusters import ClusterSource
from harvestdetect.template.tokens import tokens
from harvestdetect.util.arrays import Floats, Floats32, Ints32

LEAST = 10
SUBJECTS = 120
"""Features that people use."""

Requests = Sequence[Sequence[int]]
"""The features of each request of one account."""


def people(rng: np.random.Generator, count: int, *, each: int = 8) -> list[list[list[int]]]:
    """Accounts with two favourite subjects each, and a feature that everybody uses."""
    found = []
    for _ in range(count):
        own = rng.choice(SUBJECTS, 2, replace=False)
        found.append([[int(rng.choice(own) if rng.random() < 0.6 else rng.integers(SUBJECTS)), SUBJECTS]
                      for _ in range(each)])  # fmt: skip
    return found


def harvesters(
    rng: np.random.Generator, count: int, *, each: int = 8, share: float = 0.5, first: int = SUBJECTS + 1, own: int = 6
) -> list[list[list[int]]]:
    """Accounts that use ``own`` features, from ``first`` on, in a share of their requests, and else are like people."""
    found = people(rng, count, each=each)
    for requests in found:
        for number in range(round(share * each)):
            requests[number] = [int(first + rng.integers(own)), SUBJECTS]
    return found


def features_from(accounts: Sequence[Requests], *, topics: Sequence[Sequence[int]] | None = None) -> PromptFeatures:
    """The features of the requests of some accounts.

    Args:
        accounts: what each account sent.
        topics: the topic of each request; None means one for all.
    """
    rows = [request for requests in accounts for request in requests]
    account = np.repeat(np.arange(len(accounts), dtype=np.int32), [len(requests) for requests in accounts])
    wide = max(feature for request in rows for feature in request) + 1
    matrix = sparse.lil_matrix((len(rows), wide), dtype=np.float32)
    users: list[set[int]] = [set() for _ in range(wide)]
    for row, request in enumerate(rows):
        for feature in request:
            matrix[row, feature] = 1
            users[feature].add(int(account[row]))
    topic = [t for own in topics for t in own] if topics is not None else [0] * len(rows)
    return PromptFeatures(
        matrix=matrix.tocsr(),
        topic=np.array(topic, np.int32),
        account=account,
        users=np.array([len(one) for one in users], np.int64),
        accounts=len(accounts),
    )


# ---------------------------------------------------------------- texts


@cache
def _direction(word: str) -> Floats:
    return np.random.default_rng(list(word.encode())).standard_normal(64)


def _bag(text: str) -> Floats:
    row = np.sum([_direction(t) for t, _, _ in tokens(text)], axis=0)
    return np.asarray(row / np.linalg.norm(row), np.float64)


def invented(rng: random.Random, count: int) -> str:
    """Words that nobody else uses."""
    return " ".join("".join(rng.choices("bcdfghjklmnpqrstvwxz", k=7)) for _ in range(count))


def filled(name: str, template: str, accounts: int, *, each: int = 3, first: int = 0) -> list[tuple[str, str]]:
    """(account, prompt) of fillings of a template, with two slots, that share no word."""
    rng = random.Random(f"{name} {template}")
    return [
        (f"{name} {a:03}", template.format(invented(rng, rng.randrange(1, 4)), invented(rng, rng.randrange(1, 4))))
        for a in range(first, first + accounts)
        for _ in range(each)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """A corpus with made vectors."""

    corpus: Corpus
    parts: PromptSegments
    vectors: Floats32

    @property
    def source(self) -> ClusterSource:
        """What templates are read from; texts are aligned in this process."""
        return ClusterSource(corpus=self.corpus, parts=self.parts, vectors=self.vectors, min_accounts=LEAST)

    @property
    def volume(self) -> Ints32:
        """The prompts of every account."""
        return np.bincount(self.corpus.prompts.account, minlength=len(self.corpus.prompts.accounts)).astype(np.int32)

    @property
    def features(self) -> PromptFeatures:
        return prompt_features(self.corpus, self.parts, self.vectors, min_accounts=LEAST, threads=1, seed=0)

    def accounts(self, *names: str) -> Ints32:
        """The accounts whose id begins with one of some words."""
        ids = self.corpus.prompts.accounts.to_pylist()
        return np.array([i for i, one in enumerate(ids) if one.split()[0] in names], np.int32)

    def prompts(self, *names: str, containing: str = "") -> Ints32:
        """Their prompts; only those with some words, where any are given."""
        mine = np.flatnonzero(np.isin(self.corpus.prompts.account, self.accounts(*names)))
        texts = list(self.corpus.text)
        part, start = self.parts.segment, self.parts.start
        return np.array([p for p in mine.tolist() if containing in texts[part[start[p]]]], np.int32)

    def group(self, *names: str, way: Way = "accounts", containing: str = "") -> AccountGroup:
        """The prompts of some accounts as a group."""
        prompts = self.prompts(*names, containing=containing)
        return AccountGroup(way=way, accounts=np.unique(self.corpus.prompts.account[prompts]), prompts=prompts)


def texts_of(sent: Sequence[Prompt | tuple[str, str]], *, min_senders: int = 99) -> Texts:
    """A corpus of prompts, or of pairs of account and prompt; sentences of enough senders are segments."""
    rows = [one if isinstance(one, Prompt) else Prompt(account=one[0], prompt=one[1]) for one in sent]
    corpus = build_corpus(batches_of(rows), min_senders=min_senders)
    vectors = np.array([_bag(text) for text in list(corpus.text)], np.float32)
    return Texts(corpus=corpus, parts=parts_by_prompt(corpus), vectors=vectors)

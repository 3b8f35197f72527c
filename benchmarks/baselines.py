"""Published and plain detectors, adapted to name accounts, for comparison on the same dumps with the same scorer.

Every baseline takes parsed rows (``account``, ``timestamp``, ``prompt``, optional metadata) and returns findings, all
of them at the tier ``review``, ranked by their score. They see a prompt as our own detector does: what the assistant
said is left out, the other messages are joined, and the text is normalised
(:func:`harvestdetect.corpus.normalize.normalize`), so none of them loses to invisible characters or letter case alone.
None reads metadata. What had to be changed to make a method name accounts stands in its docstring.

    from benchmarks.baselines import BASELINES
    found = BASELINES["minhash"](rows, seed=1)
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from harvestdetect.corpus.normalize import normalize
from harvestdetect.data import NO_TIME, View
from harvestdetect.dump.times import seconds
from harvestdetect.embed.encoders import encode_texts, load_encoder, open_cache
from harvestdetect.errors import UsageError
from harvestdetect.neighbors.search import chord_distance
from harvestdetect.settings import Settings
from harvestdetect.simulate.evaluate import Found
from harvestdetect.util.arrays import AnyInts, Floats, Floats32, Ints, pairs, ranges, unit
from harvestdetect.util.texts import write_texts

__all__ = [
    "BASELINES",
    "Baseline",
    "Row",
    "WindowRates",
    "by_group",
    "components",
    "traffic_of",
    "window_detection_rate",
]

Row: TypeAlias = Mapping[str, Any]

DAY: Final = 86_400
MIN_ACCOUNTS: Final = 10
"""A group of fewer accounts is nobody's campaign; clusters of vectors need :data:`CLUSTER_ACCOUNTS`."""
CLUSTER_ACCOUNTS: Final = 15

VOLUME_PERCENTILE: Final = 99.0

SHINGLE_WORDS: Final = 3
PERMUTATIONS: Final = 64
BANDS: Final = 16
"""Of four values each: a pair at Jaccard 0.7 shares one with probability 0.99, at 0.3 with 0.12."""
JACCARD: Final = 0.7
BUCKET_NEIGHBOURS: Final = 4
"""In a bucket a text is compared with the first and with so many that follow it, not with all."""

HDBSCAN_TEXTS: Final = 40_000
HDBSCAN_DIMENSIONS: Final = 20
HDBSCAN_CLUSTER: Final = 15
BERTOPIC_CLUSTER: Final = 10
BERTOPIC_NEIGHBOURS: Final = 15
BERTOPIC_DIMENSIONS: Final = 5

WINDOWS: Final = (1_500, 100)
"""Prompts per window: the published size, and one that a day's traffic of a small provider fills."""
FALSE_ALARMS: Final = 0.003
NULL_WINDOWS: Final = 2_000
REFERENCE: Final = 10_000
"""Prompts that stand for ordinary traffic."""
FEATURES: Final = 256
"""Random Fourier features of the kernel, cosine and sine in equal parts."""

PAIR_RATE: Final = 0.001
"""Share of random pairs of texts that counts as similar."""
PAIR_DRAWS: Final = 200_000
PAIR_BUDGET: Final = 50
PAIR_SHARE: Final = 0.1
PAIR_LEAST: Final = 3
ACCOUNT_PROMPTS: Final = 2_000
"""Of a busier account the first so many prompts are compared."""
LINK_SHARE: Final = 0.25
"""Of the pairs between two accounts that must be similar to link them."""
LINK_PROMPTS: Final = 50
LINK_BLOCK: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """The r prompts of a dump sorted by account, time and text: the order of rows never matters."""

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
    """A set of accounts that a baseline holds to be one campaign."""

    accounts: Ints
    """Distinct positions in :attr:`Traffic.accounts`."""
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """A detector in the box; calling it gives its findings."""

    name: str
    what: str
    """One line in plain words."""
    find: Callable[[Traffic, int], list[Suspects]]
    """From traffic and a seed."""
    needs: tuple[str, ...] = ()
    """Modules beyond what the package itself requires."""

    def available(self) -> bool:
        """Whether every module it needs is installed."""
        return not self._missing()

    def _missing(self) -> list[str]:
        return [name for name in self.needs if importlib.util.find_spec(name) is None]

    def __call__(self, rows: Sequence[Row], *, seed: int = 0) -> list[Found]:
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
        found: dict[str, Found] = {}
        for suspects in self.find(traffic, seed) if traffic.texts else ():
            ids = sorted(traffic.accounts[a] for a in suspects.accounts.tolist())
            key = f"{self.name}-{_digest(chr(0).join(ids))[:6].hex()}"
            if key not in found or found[key].score < suspects.score:
                members = frozenset(ids)
                found[key] = Found(
                    campaign_id=key, tier="review", score=suspects.score, accounts=members, recommended=members
                )
        return sorted(found.values(), key=lambda f: (-f.score, f.campaign_id))


# ---------------------------------------------------------------- rows


def traffic_of(rows: Sequence[Row]) -> Traffic:
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
    """Of a text, as the corpus makes it, so that kept vectors are found again."""
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).digest()


@lru_cache(maxsize=1)
def _vectors(texts: tuple[str, ...], view: View) -> Floats32:
    """Unit rows, float32[t, d]; those of the last call are kept, because several baselines need the same."""
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


def components(points: int, first: AnyInts, second: AnyInts) -> npt.NDArray[np.int32]:
    """The connected component of each of so many points, by a list of edges."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(points, points))
    return np.asarray(connected_components(edges, directed=False)[1], dtype=np.int32)


# ---------------------------------------------------------------- volume


def _volume(traffic: Traffic, seed: int) -> list[Suspects]:
    """Accounts whose volume is above the 99th percentile of all accounts.

    One finding for the busiest day of an account and one for all its prompts; a rule has no idea of several
    campaigns. Prompts without a time count as sent on one day.
    """
    total = np.bincount(traffic.account, minlength=len(traffic.accounts))
    day = traffic.time // DAY - (traffic.time.min() // DAY if len(traffic.time) else 0)
    starts = np.flatnonzero((np.diff(traffic.account, prepend=-1) != 0) | (np.diff(day, prepend=-1) != 0))
    busiest = np.zeros_like(total)
    np.maximum.at(busiest, traffic.account[starts], np.diff(starts, append=len(day)))
    found = []
    for counts in (busiest, total):
        limit = float(np.percentile(counts, VOLUME_PERCENTILE))
        over = np.flatnonzero(counts > limit)
        if len(over):
            found.append(Suspects(accounts=over, score=len(over) * float(counts[over].mean()) / limit))
    return found


# ---------------------------------------------------------------- duplicates


def _exact(traffic: Traffic, seed: int) -> list[Suspects]:
    """Each text that ten accounts or more sent word for word is a finding; more accounts rank higher."""
    return by_group(traffic, np.arange(len(traffic.texts)), np.ones(len(traffic.texts)), least=MIN_ACCOUNTS)


def _minhash(traffic: Traffic, seed: int) -> list[Suspects]:
    """Near-duplicates: components of texts at Jaccard 0.7 or more over word 3-shingles, with ten accounts or more.

    MinHash with banding (Broder 1997; Indyk and Motwani 1998): pairs that share a band are candidates, their exact
    Jaccard similarity decides. In a bucket each text is compared with the first and a few that follow, which keeps
    large buckets linear and rarely splits a component. The score is accounts times the component's mean similarity.
    """
    from scipy.sparse import csr_array

    texts = len(traffic.texts)
    bounds, shingle = _shingles(traffic.texts)
    signature = _signatures(bounds, shingle, seed)
    first, second = _candidates(signature)
    likely = np.zeros(len(first), dtype=bool)
    for start in range(0, len(first), 100_000):
        block = slice(start, start + 100_000)
        likely[block] = (signature[first[block]] == signature[second[block]]).mean(axis=1) >= JACCARD - 0.2
    first, second = first[likely], second[likely]
    distinct, column = np.unique(shingle, return_inverse=True)
    holds = csr_array((np.ones(len(shingle), np.int32), column, bounds), shape=(texts, len(distinct)))
    sizes = np.diff(bounds)
    shared = np.zeros(len(first))
    for start in range(0, len(first), 10_000):
        block = slice(start, start + 10_000)
        shared[block] = holds[first[block]].multiply(holds[second[block]]).sum(axis=1)
    similarity = shared / (sizes[first] + sizes[second] - shared)
    alike = similarity >= JACCARD
    group = components(texts, first[alike], second[alike])
    edges = np.bincount(group[first[alike]], minlength=texts)
    mean = np.bincount(group[first[alike]], weights=similarity[alike], minlength=texts) / np.maximum(edges, 1)
    return by_group(traffic, group, np.where(edges > 0, mean, 1.0), least=MIN_ACCOUNTS)


def _shingles(texts: Sequence[str]) -> tuple[Ints, npt.NDArray[np.uint64]]:
    """Hashes of the distinct word 3-shingles of each text: bounds int64[t + 1], and the hashes text by text.

    A text of fewer words is one shingle.
    """
    number: dict[str, int] = {}
    words: list[int] = []
    counts = []
    for text in texts:
        split = text.split()
        split += [""] * (SHINGLE_WORDS - len(split))
        counts.append(len(split))
        words.extend(number.setdefault(word, len(number)) for word in split)
    word = np.array(words, dtype=np.uint64)
    count = np.array(counts, dtype=np.int64)
    start = ranges(np.cumsum(count) - count, count - SHINGLE_WORDS + 1)
    owner = np.repeat(np.arange(len(count)), count - SHINGLE_WORDS + 1)
    multiplier = np.random.default_rng(0).integers(1, 2**63, SHINGLE_WORDS, dtype=np.uint64) * 2 + 1
    hashed = np.zeros(len(start), dtype=np.uint64)
    for offset in range(SHINGLE_WORDS):
        hashed += word[start + offset] * multiplier[offset]
    hashed = _mixed(hashed)
    order = np.lexsort((hashed, owner))
    hashed, owner = hashed[order], owner[order]
    new = np.ones(len(hashed), dtype=bool)
    new[1:] = (hashed[1:] != hashed[:-1]) | (owner[1:] != owner[:-1])
    bounds = np.zeros(len(count) + 1, dtype=np.int64)
    np.cumsum(np.bincount(owner[new], minlength=len(count)), out=bounds[1:])
    return bounds, hashed[new]


def _mixed(value: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Every bit of a number spread over all (the finaliser of splitmix64)."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def _signatures(bounds: Ints, shingle: npt.NDArray[np.uint64], seed: int) -> npt.NDArray[np.uint32]:
    """uint32[t, permutations]: the least hash of each text's shingles under each permutation."""
    rng = np.random.default_rng(seed)
    factor = rng.integers(1, 2**63, PERMUTATIONS, dtype=np.uint64) * 2 + 1
    shift = rng.integers(0, 2**63, PERMUTATIONS, dtype=np.uint64)
    least = np.empty((len(bounds) - 1, PERMUTATIONS), dtype=np.uint32)
    for p in range(PERMUTATIONS):
        permuted = ((shingle * factor[p] + shift[p]) >> np.uint64(32)).astype(np.uint32)
        least[:, p] = np.minimum.reduceat(permuted, bounds[:-1])
    return least


def _candidates(signature: npt.NDArray[np.uint32]) -> tuple[Ints, Ints]:
    """Pairs of texts that agree in a whole band, the smaller number first."""
    rows = PERMUTATIONS // BANDS
    first: list[Ints] = []
    second: list[Ints] = []
    for band in range(BANDS):
        key = np.zeros(len(signature), dtype=np.uint64)
        for p in range(band * rows, (band + 1) * rows):
            key = _mixed(key + signature[:, p] + np.uint64(1))
        order = np.argsort(key, kind="stable")
        key = key[order]
        begins = np.ones(len(key), dtype=bool)
        begins[1:] = key[1:] != key[:-1]
        opener = np.flatnonzero(begins)[np.cumsum(begins) - 1]
        first.append(order[opener[~begins]])
        second.append(order[~begins])
        for offset in range(1, BUCKET_NEIGHBOURS + 1):
            same = opener[offset:] == opener[:-offset]
            first.append(order[:-offset][same])
            second.append(order[offset:][same])
    return pairs(np.concatenate(first), np.concatenate(second))


# ---------------------------------------------------------------- clusters of vectors


def _hdbscan(traffic: Traffic, seed: int) -> list[Suspects]:
    """HDBSCAN over the distinct texts, in the wording view reduced to 20 dimensions.

    Campello, Moulavi and Sander (2013), by the ``hdbscan`` package with its defaults and clusters of 15 texts or
    more; a cluster sent by 15 accounts or more is a finding, ranked by accounts times the cluster's persistence. At
    most 40,000 texts, a sample where there are more: the others belong to nothing. Distinct texts, because
    repetitions break the tree, and 20 principal components, because its time grows with the square of the texts in
    256: both in the method's favour.
    """
    every = np.arange(len(traffic.texts))
    rng = np.random.default_rng(seed)
    chosen = every if len(every) <= HDBSCAN_TEXTS else np.sort(rng.choice(every, HDBSCAN_TEXTS, replace=False))
    reduced = _principal(_vectors(traffic.texts, "wording")[chosen], HDBSCAN_DIMENSIONS)
    label, persistence = _clusters(reduced, HDBSCAN_CLUSTER)
    group = np.full(len(every), -1, dtype=np.int64)
    group[chosen] = label
    return by_group(traffic, group, persistence, least=CLUSTER_ACCOUNTS)


def _bertopic(traffic: Traffic, seed: int) -> list[Suspects]:
    """The pipeline of BERTopic (arXiv 2203.05794) with its default settings: MiniLM, UMAP to 5 dimensions, HDBSCAN.

    A topic sent by 15 accounts or more is a finding, ranked by accounts times persistence. Distinct texts instead of
    all prompts, which spares it the duplicates; words that describe topics are not computed.
    """
    vectors = _vectors(traffic.texts, "meaning")
    if len(vectors) <= BERTOPIC_NEIGHBOURS + BERTOPIC_DIMENSIONS:
        return []
    with _quiet():
        umap = importlib.import_module("umap")
        reduced = umap.UMAP(
            n_neighbors=BERTOPIC_NEIGHBOURS,
            n_components=BERTOPIC_DIMENSIONS,
            min_dist=0.0,
            metric="cosine",
            random_state=seed,
            n_jobs=1,
        ).fit_transform(vectors)
    label, persistence = _clusters(np.asarray(reduced), BERTOPIC_CLUSTER)
    return by_group(traffic, label, persistence, least=CLUSTER_ACCOUNTS)


@contextmanager
def _quiet() -> Iterator[None]:
    """No third-party warnings."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def _principal(vectors: Floats32, dimensions: int) -> Floats:
    """float64[n, dimensions]: the coordinates along the directions of largest variance."""
    centred = vectors - vectors.mean(axis=0)
    largest = np.linalg.eigh(centred.T @ centred)[1][:, : -dimensions - 1 : -1]
    return np.asarray(centred @ largest, dtype=np.float64)


def _clusters(points: npt.NDArray[Any], size: int) -> tuple[Ints, Floats]:
    """HDBSCAN's label of each point, -1 for none, and the persistence of each cluster."""
    import hdbscan

    if len(points) <= size:
        return np.full(len(points), -1, dtype=np.int64), np.empty(0)
    with _quiet():
        model = hdbscan.HDBSCAN(min_cluster_size=size, core_dist_n_jobs=1).fit(points.astype(np.float64))
    return np.asarray(model.labels_, dtype=np.int64), np.asarray(model.cluster_persistence_, dtype=np.float64)


# ---------------------------------------------------------------- MMD


def _mmd(traffic: Traffic, seed: int) -> list[Suspects]:
    """Maximum mean discrepancy between windows of traffic and ordinary traffic, after arXiv 2606.05725.

    The original tests windows of all traffic against a benign history and names no accounts. Adapted: accounts are
    put in the order of their first prompts and their prompts, account by account, cut into windows of 1,500 and of
    100, so that accounts with enough prompts have windows of their own and others share one with those that began
    with them. Flagged windows in a row are a finding; its accounts are those with half of their prompts in it, ten
    or more. A dump has no clean history: a random sample of the dump itself stands for it, campaigns included.
    The limit is the 99.7th percentile over windows cut in the same way from accounts in random order; drawing single
    prompts instead would flag nearly every window, because each account keeps to its subjects. Kernel: RBF with the
    median distance, by random Fourier features (Rahimi and Recht 2007), on the wording view. The score is the mean
    discrepancy over its limit.
    """
    rng = np.random.default_rng(seed)
    feature = _features(_vectors(traffic.texts, "wording"), rng)
    rows = len(traffic.text)
    reference = feature[traffic.text[rng.permutation(rows)[:REFERENCE]]].mean(axis=0, dtype=np.float64)
    total = np.bincount(traffic.account)
    begins = np.cumsum(total) - total
    order = np.lexsort((np.arange(len(total)), traffic.time[begins]))
    found = []
    for size in WINDOWS:
        if rows < 2 * size:
            continue
        rounds = -(-NULL_WINDOWS // (rows // size))
        null = np.concatenate(
            [
                _discrepancy(feature[traffic.text[_account_by_account(begins, total, rng.permutation(len(total)))]],
                             reference, size)
                for _ in range(rounds)
            ]
        )  # fmt: skip
        limit = float(np.quantile(null, 1 - FALSE_ALARMS, method="higher"))
        chosen = _account_by_account(begins, total, order)
        measured = _discrepancy(feature[traffic.text[chosen]], reference, size)
        flagged = np.flatnonzero(measured > limit)
        for run in np.split(flagged, np.flatnonzero(np.diff(flagged) > 1) + 1) if len(flagged) else ():
            inside = np.bincount(traffic.account[chosen[run[0] * size : (run[-1] + 1) * size]], minlength=len(total))
            members = np.flatnonzero(2 * inside >= total)
            if len(members) >= MIN_ACCOUNTS:
                found.append(Suspects(accounts=members, score=float(measured[run].mean()) / limit))
    return found


def _account_by_account(begins: Ints, total: Ints, order: Ints) -> Ints:
    """Positions of all prompts, accounts in the given order."""
    return ranges(begins[order], total[order])


def _features(vectors: Floats32, rng: np.random.Generator) -> Floats32:
    """float32[n, features]: inner products approximate the RBF kernel with the median distance as its width."""
    some = rng.permutation(len(vectors))[:1_000]
    a, b = np.triu_indices(len(some), 1)
    distance = chord_distance(np.einsum("ij,ij->i", vectors[some[a[:PAIR_DRAWS]]], vectors[some[b[:PAIR_DRAWS]]]))
    width = float(np.median(distance)) if len(distance) else 1.0
    directions = rng.standard_normal((vectors.shape[1], FEATURES // 2)).astype(np.float32) / np.float32(width or 1.0)
    angle = vectors @ directions
    return np.concatenate((np.cos(angle), np.sin(angle)), axis=1) * np.float32(np.sqrt(2.0 / FEATURES))


def _discrepancy(feature: Floats32, reference: Floats, size: int) -> Floats:
    """The squared discrepancy of each whole window of ``size`` rows."""
    windows = len(feature) // size
    means = feature[: windows * size].reshape(windows, size, -1).mean(axis=1, dtype=np.float64)
    squared: Floats = np.square(means - reference).sum(axis=1)
    return squared


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRates:
    """How often windows of traffic are flagged, by the original protocol."""

    window: int
    share: float
    """Of the window that the attacker sent."""
    detected: float
    """Share of windows with attacker traffic that are flagged."""
    false_alarms: float
    """Share of windows without it that are flagged."""
    windows: int
    """Of each kind."""


def window_detection_rate(
    benign: Sequence[str],
    attack: Sequence[str],
    *,
    share: float,
    window: int = 1_500,
    windows: int = 400,
    seed: int = 0,
) -> WindowRates:
    """The protocol of arXiv 2606.05725: windows drawn at random, judged against a clean benign history.

    A third of the benign texts is the reference, windows drawn from another set the limit (their 99.7th percentile),
    and the last third is the benign traffic of the tested windows.

    Args:
        benign: prompts of ordinary traffic, at least three windows full.
        attack: prompts of the campaign, drawn again where there are too few.
        share: of each attacked window.
        window: prompts per window.
        windows: tested, of each kind.
        seed: of all draws.

    Raises:
        UsageError: too few texts, or a share outside 0 to 1.
    """
    if not 0 <= share <= 1 or len(benign) < 3 * window or not attack:
        raise UsageError(f"needs a share from 0 to 1, {3 * window} benign texts and an attack")
    rng = np.random.default_rng(seed)
    plain, hostile = [normalize(text) for text in benign], [normalize(text) for text in attack]
    feature = _features(_vectors((*plain, *hostile), "wording"), rng)
    known, calibration, fresh = np.array_split(rng.permutation(len(plain)), 3)
    foreign = np.arange(len(plain), len(feature))
    reference = feature[known].mean(axis=0, dtype=np.float64)
    attacked = round(share * window)

    def measured(pool: Ints, hostile: int, draws: int) -> Floats:
        kept = [
            _discrepancy(
                feature[
                    np.concatenate(
                        (
                            rng.choice(pool, window - hostile, replace=False),
                            rng.choice(foreign, hostile, replace=hostile > len(foreign)),
                        )
                    )
                ],
                reference,
                window,
            )
            for _ in range(draws)
        ]
        return np.concatenate(kept)

    limit = float(np.quantile(measured(calibration, 0, NULL_WINDOWS), 1 - FALSE_ALARMS, method="higher"))
    return WindowRates(
        window=window,
        share=share,
        detected=float((measured(fresh, attacked, windows) > limit).mean()),
        false_alarms=float((measured(fresh, 0, windows) > limit).mean()),
        windows=windows,
    )


# ---------------------------------------------------------------- SEAT


def _seat(traffic: Traffic, seed: int) -> list[Suspects]:
    """Accounts with too many pairs of similar prompts, after SEAT (Zhang, Chen and Wagner, AISec 2021).

    The original trains an encoder for images, sets its distance on benign queries and cancels an account at 50
    similar pairs. Adapted: the wording view instead of a trained encoder; similar are pairs as near as the nearest
    0.1 % of random pairs of texts of the dump, for want of clean ones (a campaign that is more than 3 % of the texts
    moves this limit into itself); and because an account with ten prompts has only 45 pairs, the budget is 50 pairs
    or a tenth of the account's pairs, whichever is less, but at least 3. One finding holds all flagged accounts.
    Further ones, which SEAT does not know, are the components, of ten or more, of flagged accounts between which a
    quarter of the pairs, three at least, are similar. The score is accounts times the median share of an account's
    pairs that are similar.
    """
    vectors = _vectors(traffic.texts, "wording")
    if len(vectors) < 2:
        return []
    rng = np.random.default_rng(seed)
    first = rng.integers(0, len(vectors), PAIR_DRAWS)
    second = (first + rng.integers(1, len(vectors), PAIR_DRAWS)) % len(vectors)
    least = float(np.quantile(np.einsum("ij,ij->i", vectors[first], vectors[second]), 1 - PAIR_RATE))
    total = np.bincount(traffic.account)
    ends = np.cumsum(total)
    similar = np.zeros(len(total))
    for a in np.flatnonzero(total > 1).tolist():
        own = vectors[traffic.text[ends[a] - total[a] : ends[a]][:ACCOUNT_PROMPTS]]
        similar[a] = (np.count_nonzero(own @ own.T >= least) - len(own)) / 2
    compared = np.minimum(total, ACCOUNT_PROMPTS)
    possible = np.maximum(compared * (compared - 1) / 2, 1)
    budget = np.clip(PAIR_SHARE * possible, PAIR_LEAST, PAIR_BUDGET)
    flagged = np.flatnonzero(similar >= budget)
    if not len(flagged):
        return []
    component = _linked(traffic, vectors, flagged, least)
    share = similar / possible
    groups = [flagged, *(flagged[component == c] for c in np.flatnonzero(np.bincount(component) >= MIN_ACCOUNTS))]
    return [Suspects(accounts=group, score=len(group) * float(np.median(share[group]))) for group in groups]


def _linked(traffic: Traffic, vectors: Floats32, accounts: Ints, least: float) -> npt.NDArray[np.int32]:
    """The component of each of some accounts, two of them linked when enough pairs between them are similar.

    Args:
        traffic: the prompts.
        vectors: float32[t, d], of all texts.
        accounts: positions; of each its first 50 prompts are compared.
        least: the cosine from which two texts are similar.
    """
    total = np.bincount(traffic.account)
    begins = (np.cumsum(total) - total)[accounts]
    counts = np.minimum(total[accounts], LINK_PROMPTS)
    own = vectors[traffic.text[ranges(begins, counts)]]
    starts = np.cumsum(counts) - counts
    step = LINK_BLOCK // LINK_PROMPTS
    first: list[Ints] = []
    second: list[Ints] = []
    for a in range(0, len(accounts), step):
        stop = min(a + step, len(accounts))
        rows = own[starts[a] : starts[a] + counts[a:stop].sum()]
        similar = np.add.reduceat(rows @ own.T >= least, starts, axis=1, dtype=np.int32)
        between = np.add.reduceat(similar, starts[a:stop] - starts[a], axis=0)
        possible = counts[a:stop, None] * counts[None, :]
        row, column = np.nonzero(between >= np.maximum(LINK_SHARE * possible, PAIR_LEAST))
        first.append(row + a)
        second.append(column)
    return components(len(accounts), np.concatenate(first), np.concatenate(second))


# ---------------------------------------------------------------- the box

BASELINES: Final[Mapping[str, Baseline]] = {
    baseline.name: baseline
    for baseline in (
        Baseline(name="volume", what="accounts above the 99th percentile of prompts", find=_volume),
        Baseline(name="exact", what="texts that ten accounts or more sent word for word", find=_exact),
        Baseline(name="minhash", what="near-duplicates by MinHash at Jaccard 0.7", find=_minhash),
        Baseline(name="hdbscan", what="HDBSCAN over static vectors of the texts", find=_hdbscan),
        Baseline(
            name="bertopic", what="MiniLM, UMAP and HDBSCAN, as BERTopic has them", find=_bertopic, needs=("umap",)
        ),
        Baseline(name="mmd", what="MMD of windows of account by account traffic", find=_mmd),
        Baseline(name="seat", what="SEAT: similar pairs of prompts within an account", find=_seat),
    )
}
"""By name, the plainest first."""

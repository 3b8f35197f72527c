"""Compares the signatures of other providers with a scan: which accounts send what they describe, and how far it fits.

Words of templates are looked for in every text, whatever was clustered. A prompt fits if it contains enough of a
template's shingles, each weighted by its rarity in this dump. The accounts that sent such prompts are then compared
with the findings.

Innocent people may send the same words, such as a prompt that is public. So accounts in no finding count only if the
form of their prompts, their tempo and their list are like the campaign's as well.

Without its words, a signature fits by subjects, form, tempo and list together
(:mod:`harvestdetect.signatures.by_profile`). If it has no words and fits no group, it is compared with single prompts
(:mod:`harvestdetect.signatures.by_prompt`).

Nothing here changes a finding, a tier or an order.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from harvestdetect.corpus.by_prompt import PromptSegments, first_rows
from harvestdetect.data import NO_TIME, Corpus, SignatureBy, SignatureFit
from harvestdetect.errors import SignatureError
from harvestdetect.signatures.by_profile import ProfileCandidate, fitting, likenesses, stands_alone, together
from harvestdetect.signatures.by_prompt import Ground, groups_of, open_ground
from harvestdetect.signatures.cells import Cells, cell_matrix, fits, shares_of, similarity
from harvestdetect.signatures.envelope import Opened
from harvestdetect.signatures.keys import fingerprint
from harvestdetect.signatures.shingles import ShingleHits, find_shingles, hasher, senders_of
from harvestdetect.signatures.traits import Traits, shape_fit, traits_of
from harvestdetect.signatures.values import LEAST_ACCOUNTS, Cell, Hashing, SignedCampaign
from harvestdetect.util.arrays import AnyInts, Bools, Floats, Ints, packed_pairs, unique
from harvestdetect.util.vectors import Rows

if TYPE_CHECKING:
    from scipy import sparse

__all__ = ["Scanned", "ScannedCandidate", "Shared", "check_secret", "match_signatures", "rising"]

FITS: Final = 0.5
"""Weighted share of a template's shingles that a prompt must contain. Chosen."""
LEAST_FOUND: Final = 4
"""Fewest shingles of a template that a prompt must contain. Chosen."""
HALF: Final = 0.5
"""Share of a finding's members, or of the accounts that a signature fits, from which the two are the same. Chosen."""
SHAPE_FITS: Final = 0.6
"""Likeness of form, tempo and list together from which accounts in no finding that send the words count. Chosen."""
ORDERED_PARTS: Final = 200
"""Parts, evenly chosen, in which the order of shingles is measured."""
LEAST_WEIGHT: Final = 0.1
"""Weight of a shingle that all accounts send; the rarest have the logarithm of the number of accounts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannedCandidate(ProfileCandidate):
    """One candidate of the scan."""

    prompts: AnyInts
    """Its prompts, ascending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """What signatures are compared with."""

    corpus: Corpus
    parts: PromptSegments
    """Of every prompt."""
    vectors: Rows
    """float16[n, d], of all segments in the wording view."""
    cells: Cells
    candidates: Sequence[ScannedCandidate]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What partners shared."""

    files: tuple[Opened, ...]
    """Signature files of issuers that the user trusts."""
    secret: bytes | None = None
    """The secret with which they hash, if the user has it."""


def check_secret(shared: Shared) -> None:
    """Checks that the hashes of all files can be computed.

    Raises:
        SignatureError: a file needs another secret than the one that is given.
    """
    own = "" if shared.secret is None else fingerprint(shared.secret)
    for file in shared.files:
        needed = file.content.hashing.secret
        if file.content.hashing.method == "hmac-sha256" and needed != own:
            what = f"the secret in use is {own}" if own else "none is given"
            raise SignatureError(
                f"{file.name} was hashed with the shared secret {needed}, and {what}; give --signature-secret with "
                "the file that you share with the issuer"
            )


def match_signatures(shared: Shared, scanned: Scanned) -> tuple[SignatureFit, ...]:
    """Every signature and group that fit.

    Args:
        shared: the files, and the secret.
        scanned: the scan.

    Returns:
        by issuer and signature; those with findings first, the most accounts first.

    Raises:
        SignatureError: see :func:`check_secret`.
    """
    files, secret = shared.files, shared.secret
    check_secret(shared)
    dump = _Dump.of(scanned, any(fits(f.content.codebook, scanned.cells.codebook) for f in files))
    by_hashing: dict[Hashing, list[Opened]] = {}
    for file in files:
        by_hashing.setdefault(file.content.hashing, []).append(file)
    found: list[SignatureFit] = []
    signatures: list[_One] = []
    for hashing, own in by_hashing.items():
        texts = _Texts.of(dump, own, hashing, secret)
        for file in own:
            comparable = fits(file.content.codebook, scanned.cells.codebook)
            for campaign in file.content.campaigns:
                signatures.append(
                    _One(
                        issuer=file.issuer, campaign=campaign, comparable=comparable,
                        least_accounts=file.content.least_accounts,
                    )
                )  # fmt: skip
                found += _by_words(signatures[-1], texts, dump)
    taken = frozenset(fit.campaign_id for fit in found if fit.campaign_id is not None)
    sure = {(fit.issuer, fit.signature) for fit in found if fit.campaign_id is not None}
    for one in signatures:
        if (one.issuer, one.campaign.id) not in sure:
            found += _by_profile(one, dump, taken)
    place = {one: i for i, one in enumerate(sorted({(f.issuer, f.signature) for f in found}))}
    return tuple(sorted(found, key=lambda f: (place[f.issuer, f.signature], f.campaign_id is None, -f.accounts)))


# ---------------------------------------------------------------- what is searched


@dataclass(frozen=True, slots=True, kw_only=True)
class _Dump:
    """The scan, with what all signatures need of it."""

    scanned: Scanned
    once: Bools
    """bool[p]: which rows count."""
    matrix: sparse.csr_matrix | None
    """Cells of every prompt; None if no profile can be compared."""
    usual: Floats
    shares: dict[int, tuple[Floats, ...]] = field(default_factory=dict)
    """Fewest accounts of a cell that counts -> the shares of each candidate; see :meth:`alike`."""
    known: dict[int, Traits] = field(default_factory=dict)
    """Candidate -> its traits, of those that were asked for."""
    opened: list[Ground] = field(default_factory=list)
    """See :meth:`ground`; empty until it is asked for."""

    def traits(self, number: int) -> Traits:
        """Form, tempo and list of a candidate."""
        if number not in self.known:
            prompts = self.scanned.candidates[number].prompts
            self.known[number] = traits_of(self.scanned.corpus, self.scanned.parts, prompts[self.once[prompts]])
        return self.known[number]

    def shares_in(self, prompts: AnyInts, least_accounts: int) -> Floats:
        """The shares of some prompts, without cells of fewer accounts, as in an export."""
        assert self.matrix is not None, "profiles are compared only where both models are the same"
        account = self.scanned.corpus.prompts.account[prompts]
        return shares_of(self.matrix[prompts], account, least_accounts=least_accounts)

    def alike(self, profile: Sequence[Cell], least_accounts: int) -> Floats:
        """How alike the profile of a file and each candidate are: float64[candidates]."""
        if least_accounts not in self.shares:
            every = [one.prompts[self.once[one.prompts]] for one in self.scanned.candidates]
            self.shares[least_accounts] = tuple(self.shares_in(prompts, least_accounts) for prompts in every)
        return np.array([similarity(profile, own, self.usual) for own in self.shares[least_accounts]])

    def ground(self) -> Ground:
        """The requests with their cells and style, for signatures that are compared with single prompts."""
        if not self.opened:
            assert self.matrix is not None, "profiles are compared only where both models are the same"
            corpus, parts = self.scanned.corpus, self.scanned.parts
            self.opened.append(open_ground(corpus, parts, self.matrix, self.usual, once=self.once))
        return self.opened[0]

    @classmethod
    def of(cls, scanned: Scanned, comparable: bool) -> _Dump:
        once = first_rows(scanned.corpus.prompts)
        matrix, usual = None, np.empty(0)
        if comparable:
            matrix = cell_matrix(scanned.parts, np.arange(len(once)), scanned.vectors, scanned.cells)
            usual = shares_of(matrix[np.flatnonzero(once)])
        return cls(scanned=scanned, once=once, matrix=matrix, usual=usual)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Texts:
    """Where the shingles of all signatures with one kind of hash occur."""

    number: Mapping[str, int]
    """Hash of a shingle -> its number."""
    found: ShingleHits
    prompt: Ints
    """int64[m]: a prompt with a shingle; one entry for each pair, by shingle and prompt."""
    shingle: Ints
    """int64[m]: the shingle."""
    weight: Floats
    """float64[shingles]: the rarity of each shingle in the dump."""

    @classmethod
    def of(cls, dump: _Dump, files: Sequence[Opened], hashing: Hashing, secret: bytes | None) -> _Texts:
        number: dict[str, int] = {}
        for file in files:
            for campaign in file.content.campaigns:
                for template in campaign.templates:
                    for run in template.runs:
                        for one in run.shingles:
                            number.setdefault(one, len(number))
        corpus = dump.scanned.corpus
        found = find_shingles(corpus, number, size=hashing.words, name_of=hasher(hashing, secret))
        sent = senders_of(corpus, found)
        users = np.bincount(unique(packed_pairs(sent.shingle, sent.account)) >> 32, minlength=len(number))
        accounts = max(len(corpus.prompts.accounts), 1)
        weight = np.maximum(np.log(accounts / np.maximum(users, 1)), LEAST_WEIGHT)
        return cls(number=number, found=found, prompt=sent.prompt, shingle=sent.shingle, weight=weight)


@dataclass(frozen=True, slots=True, kw_only=True)
class _One:
    """One signature."""

    issuer: str
    campaign: SignedCampaign
    comparable: bool
    """Whether its profile can be compared."""
    least_accounts: int
    """Fewest accounts that sent anything that is in its file."""


# ---------------------------------------------------------------- words


@dataclass(frozen=True, slots=True, kw_only=True)
class _Filled:
    """The prompts that fit the templates of a signature."""

    prompts: Ints
    """int64[q], ascending."""
    words: Floats
    """float64[q]: the weighted share of the shingles of the template that each fits best."""
    every: Floats
    """float64[p]: the same for every prompt."""
    order: float
    """See :attr:`SignatureFit.order`."""
    numbers: Ints
    """All shingles of the signature, ascending."""


def _filled(campaign: SignedCampaign, texts: _Texts, dump: _Dump) -> _Filled:
    count = len(dump.once)
    every, best = np.zeros(count), np.zeros(count, bool)
    ordered, all_numbers = [], [np.empty(0, np.int64)]
    for template in campaign.templates:
        hashes = dict.fromkeys(one for run in template.runs for one in run.shingles)
        if len(hashes) < LEAST_FOUND:
            continue
        numbers = np.array([texts.number[one] for one in hashes], np.int64)
        mine = np.isin(texts.shingle, numbers)
        weight = texts.weight[texts.shingle[mine]]
        share = np.bincount(texts.prompt[mine], weight, minlength=count) / texts.weight[numbers].sum()
        several = np.bincount(texts.prompt[mine], minlength=count) >= LEAST_FOUND
        best |= several & (share >= FITS)
        every = np.maximum(every, np.where(several, share, 0))
        ordered.append(_order(numbers, texts.found))
        all_numbers.append(numbers)
    known = [one for one in ordered if not math.isnan(one)]
    prompts = np.flatnonzero(best)
    return _Filled(
        prompts=prompts, words=every[prompts], every=every, order=float(np.mean(known)) if known else math.nan,
        numbers=np.unique(np.concatenate(all_numbers)),
    )  # fmt: skip


def _order(numbers: Ints, found: ShingleHits) -> float:
    """The share of a template's shingles that are in its order, in the parts that contain some; NaN if none does."""
    rank = {int(number): i for i, number in enumerate(numbers)}
    mine = np.isin(found.shingle, numbers)
    segment, shingle, place = found.segment[mine], found.shingle[mine], found.place[mine]
    edge = np.flatnonzero(np.diff(segment, prepend=-1, append=-1)) if len(segment) else np.zeros(1, np.int64)
    longest = total = 0
    steps = max(1, (len(edge) - 1) // ORDERED_PARTS)
    for start, stop in list(zip(edge[:-1].tolist(), edge[1:].tolist(), strict=True))[::steps]:
        if stop - start >= LEAST_FOUND:
            by_place = np.argsort(place[start:stop], kind="stable")
            longest += rising([rank[int(one)] for one in shingle[start:stop][by_place]])
            total += stop - start
    return longest / total if total else math.nan


def rising(values: Sequence[int]) -> int:
    """The length of the longest rising subsequence."""
    ends: list[int] = []
    for value in values:
        place = bisect_left(ends, value)
        ends[place : place + 1] = [value]
    return len(ends)


# ---------------------------------------------------------------- groups


def _by_words(one: _One, texts: _Texts, dump: _Dump) -> list[SignatureFit]:
    """What the words of one signature fit."""
    filled = _filled(one.campaign, texts, dump)
    account = dump.scanned.corpus.prompts.account.astype(np.int64)
    reached = np.zeros(len(dump.scanned.corpus.prompts.accounts))
    np.maximum.at(reached, account, filled.every)
    fitting = np.unique(account[filled.prompts])
    rest = np.sort(np.delete(reached, fitting))[::-1]
    others = float(rest[LEAST_ACCOUNTS - 1]) if len(rest) >= LEAST_ACCOUNTS else 0.0
    found = []
    for candidate in dump.scanned.candidates:
        if candidate.campaign_id is None:
            continue
        both = np.intersect1d(fitting, candidate.accounts).astype(np.int64)
        enough = len(both) >= HALF * min(len(candidate.accounts), max(len(fitting), 1))
        if len(both) >= LEAST_ACCOUNTS and enough:
            found.append(_fit(one, filled, texts, dump, accounts=both, candidate=candidate, rest=others))
    if found or len(fitting) < LEAST_ACCOUNTS:
        return found
    alone = _fit(one, filled, texts, dump, accounts=fitting, candidate=None, rest=others)
    return [alone] if _shape(alone) >= SHAPE_FITS else []


def _shape(fit: SignatureFit) -> float:
    """The likeness of form, tempo and list together, as far as they are known."""
    return together(1.0, (fit.form, fit.tempo, fit.list_shape))


def _fit(
    one: _One,
    filled: _Filled,
    texts: _Texts,
    dump: _Dump,
    *,
    accounts: Ints,
    candidate: ScannedCandidate | None,
    rest: float,
) -> SignatureFit:
    """A fit of words, with the other likenesses of the same prompts."""
    corpus = dump.scanned.corpus
    mine = np.isin(corpus.prompts.account[filled.prompts], accounts)
    prompts = filled.prompts[mine]
    here = np.isin(texts.prompt, prompts) & np.isin(texts.shingle, filled.numbers)
    members: tuple[str, ...] = ()
    if candidate is None:
        members = _names(corpus, accounts)
    return _measured(
        one, dump, prompts, by="template", candidate=candidate, accounts=len(accounts), rest=rest,
        words=float(filled.words[mine].mean()), order=filled.order, shingles=len(filled.numbers),
        found=len(np.unique(texts.shingle[here])), members=members,
    )  # fmt: skip


def _by_profile(one: _One, dump: _Dump, taken: frozenset[str]) -> list[SignatureFit]:
    """The groups that the signature fits without its words.

    Args:
        one: the signature.
        dump: the scan.
        taken: findings that the words of some signature fit.
    """
    campaign = one.campaign
    if not one.comparable or dump.matrix is None or not campaign.profile:
        return []
    candidates = dump.scanned.candidates
    alike = dump.alike(campaign.profile, one.least_accounts)
    like = likenesses(candidates, alike, lambda number: shape_fit(campaign, dump.traits(number)))
    found = fitting(candidates, like, taken=taken, worded=bool(campaign.templates))
    if found is None:
        return [] if campaign.templates else _by_prompts(one, dump, like)
    return [_profiled(one, dump, dump.scanned.candidates[i], found.rest) for i in found.chosen]


def _profiled(one: _One, dump: _Dump, candidate: ScannedCandidate, rest: float) -> SignatureFit:
    """A fit of the profile alone."""
    members = _names(dump.scanned.corpus, candidate.accounts) if candidate.campaign_id is None else ()
    prompts = candidate.prompts[dump.once[candidate.prompts]]
    return _measured(
        one, dump, prompts, by="profile", candidate=candidate, accounts=len(candidate.accounts), rest=rest,
        words=math.nan, order=math.nan, shingles=_shingles(one.campaign), found=0, members=members,
    )  # fmt: skip


def _by_prompts(one: _One, dump: _Dump, like: Floats) -> list[SignatureFit]:
    """The accounts in no finding that send what a signature without words describes, whatever groups there are.

    Args:
        one: the signature.
        dump: the scan.
        like: float64[candidates], likenesses.
    """
    corpus, candidates = dump.scanned.corpus, dump.scanned.candidates
    best: tuple[float, SignatureFit] | None = None
    for prompts in groups_of(one.campaign, dump.ground()):
        accounts = np.unique(corpus.prompts.account[prompts]).astype(np.int64)
        if len(accounts) < LEAST_ACCOUNTS:
            continue
        fit = _measured(
            one, dump, prompts, by="prompts", candidate=None, accounts=len(accounts), rest=0.0, words=math.nan,
            order=math.nan, shingles=0, found=0, members=_names(corpus, accounts),
        )  # fmt: skip
        own = together(fit.profile, (fit.form, fit.tempo, fit.list_shape))
        rest = stands_alone(accounts, own, candidates, like)
        if rest is not None and (best is None or own > best[0]):
            best = own, replace(fit, rest=rest)
    return [] if best is None else [best[1]]


def _names(corpus: Corpus, accounts: AnyInts) -> tuple[str, ...]:
    return tuple(corpus.prompts.accounts[int(i)].as_py() for i in accounts)


def _shingles(campaign: SignedCampaign) -> int:
    """The number of different shingles of a signature."""
    return len({one for template in campaign.templates for run in template.runs for one in run.shingles})


def _measured(
    one: _One, dump: _Dump, prompts: AnyInts, *, by: SignatureBy, candidate: ScannedCandidate | None, accounts: int,
    rest: float, words: float, order: float, shingles: int, found: int, members: tuple[str, ...],
) -> SignatureFit:  # fmt: skip
    """A fit with the likeness of profile, form, tempo and list.

    Many parameters because each is a field of the result that only the caller knows.
    """
    corpus, campaign = dump.scanned.corpus, one.campaign
    time = corpus.prompts.time[prompts]
    time = time[time != NO_TIME]
    profile = math.nan
    if one.comparable and dump.matrix is not None and campaign.profile:
        profile = similarity(campaign.profile, dump.shares_in(prompts, one.least_accounts), dump.usual)
    form, tempo, list_shape = shape_fit(campaign, traits_of(corpus, dump.scanned.parts, prompts))
    return SignatureFit(
        signature=campaign.id, issuer=one.issuer, by=by,
        campaign_id=None if candidate is None else candidate.campaign_id,
        tier=None if candidate is None else candidate.tier,
        accounts=accounts, prompts=len(prompts), shingles=shingles, found=found, words=words, order=order,
        profile=profile,
        form=form, tempo=tempo, list_shape=list_shape, rest=rest,
        first_seen=int(time.min()) if len(time) else None,
        last_seen=int(time.max()) if len(time) else None,
        members=members,
    )  # fmt: skip

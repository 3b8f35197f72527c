"""Makes the shareable description of campaigns from a corpus: what may leave, and what may not, is decided here.

Only fixed words of templates are hashed, never a word of a slot. A shingle is kept if it passes three tests on the
texts themselves, whatever the scan took for fixed:

* At least ``least_accounts`` accounts of the campaign sent it.
* At least half of the prompts of its template contain it.
* Of all accounts in the dump that sent it and are in no finding, there are no more than a fifth of those of the
  campaign. What everybody sends, such as the default prompt of a framework, is not the campaign's, and would accuse
  others.

A template is exported if it makes a tenth of the prompts, and if enough of its words are left.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from harvestdetect.corpus.by_prompt import PromptSegments
from harvestdetect.data import Corpus
from harvestdetect.signatures.cells import Cells, cell_matrix, profile_of
from harvestdetect.signatures.shingles import Senders, find_shingles, senders_of, shingles_of, words_of
from harvestdetect.signatures.traits import sizes_of, traits_of
from harvestdetect.signatures.values import Run, SignedCampaign, TemplateShape
from harvestdetect.template.description import SHARED_WORDS
from harvestdetect.util.arrays import AnyInts, Bools
from harvestdetect.util.vectors import Rows

__all__ = ["GroupTemplate", "Naming", "Seen", "SignatureGroup", "describe_groups"]

KEPT_BY: Final = 0.5
"""Share of the prompts of a template that must contain a shingle. Chosen."""
OUTSIDERS: Final = 0.2
"""Most accounts outside all findings that sent a shingle, for each account of the campaign that did. Chosen."""
LEAST_SHARE: Final = 0.1
"""Share of the campaign's prompts that a template must have. Chosen."""
SHARE_PARTS: Final = 20
"""Parts of the whole to which the share of a template is rounded."""

End = Literal["slot", "words"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupTemplate:
    """A template of a campaign that is to be described."""

    words: tuple[str | None, ...]
    """Runs of fixed words as the scan wrote them; None is a slot."""
    prompts: AnyInts
    """The prompts that fill it, ascending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureGroup:
    """A campaign that is to be described."""

    id: str
    """The id that is exported."""
    targets: tuple[str, ...]
    templates: tuple[GroupTemplate, ...]
    prompts: AnyInts
    """All its prompts, ascending, without repeated rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The corpus in which the campaigns were found."""

    corpus: Corpus
    parts: PromptSegments
    """Of every prompt."""
    vectors: Rows
    """float16[n, d], of all segments in the wording view."""
    cells: Cells
    outside: Bools
    """bool[a]: which accounts are in no finding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """How shingles are exported."""

    size: int
    """Words of a shingle."""
    hash_of: Callable[[str], str]
    """The hash of a shingle."""
    least_accounts: int
    """Fewest accounts that must have sent what is exported."""
    reveal: bool = False
    """Whether the fixed words are exported as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    """The fixed words of a template."""

    runs: tuple[tuple[str, ...], ...]
    begins: End
    ends: End


def describe_groups(groups: Sequence[SignatureGroup], seen: Seen, naming: Naming) -> tuple[SignedCampaign, ...]:
    """Describes campaigns.

    Args:
        groups: the campaigns.
        seen: where they were found.
        naming: how shingles are exported.
    """
    read = [[_fixed(template.words) for template in group.templates] for group in groups]
    number: dict[str, int] = {}
    for one in itertools.chain.from_iterable(read):
        for shingle in itertools.chain.from_iterable(shingles_of(run, naming.size) for run in one.runs):
            number.setdefault(shingle, len(number))
    sent = senders_of(seen.corpus, find_shingles(seen.corpus, number, size=naming.size))
    return tuple(
        _described(group, words, seen, naming, lambda wanted: _kept(wanted, number, sent, seen, naming))
        for group, words in zip(groups, read, strict=True)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """Shingles of one template, and the prompts and accounts that must have sent them."""

    shingles: Sequence[str]
    template: AnyInts
    """Prompts of the template."""
    campaign: AnyInts
    """Prompts of the campaign."""


def _described(
    group: SignatureGroup,
    read: Sequence[_Words],
    seen: Seen,
    naming: Naming,
    kept: Callable[[_Wanted], frozenset[str]],
) -> SignedCampaign:
    corpus, parts, prompts = seen.corpus, seen.parts, group.prompts
    traits = traits_of(corpus, parts, prompts, least_accounts=naming.least_accounts)
    templates = []
    for template, words in zip(group.templates, read, strict=True):
        shingles = [s for run in words.runs for s in shingles_of(run, naming.size)]
        chosen = kept(_Wanted(shingles=shingles, template=template.prompts, campaign=prompts))
        share = len(template.prompts) / max(len(prompts), 1)
        if (shape := _shape(words, chosen, share, naming)) is not None:
            templates.append(shape)
    return SignedCampaign(
        id=group.id,
        targets=group.targets,
        templates=tuple(templates),
        profile=profile_of(
            cell_matrix(parts, prompts, seen.vectors, seen.cells), corpus.prompts.account[prompts],
            least_accounts=naming.least_accounts,
        ),
        form=traits.form,
        tempo=traits.tempo,
        list=traits.list,
        sizes=sizes_of(corpus, prompts),
    )  # fmt: skip


def _kept(wanted: _Wanted, number: Mapping[str, int], sent: Senders, seen: Seen, naming: Naming) -> frozenset[str]:
    """The shingles that pass the three tests of this module."""
    found = set()
    for shingle in set(wanted.shingles):
        first, last = np.searchsorted(sent.shingle, [number[shingle], number[shingle] + 1])
        prompt, account = sent.prompt[first:last], sent.account[first:last]
        own = np.unique(account[np.isin(prompt, wanted.campaign)])
        others = np.setdiff1d(account[seen.outside[account]], own)
        common = np.isin(prompt, wanted.template).sum() >= KEPT_BY * len(wanted.template)
        if len(own) >= naming.least_accounts and common and len(others) <= OUTSIDERS * len(own):
            found.add(shingle)
    return frozenset(found)


def _shape(words: _Words, kept: frozenset[str], share: float, naming: Naming) -> TemplateShape | None:
    """The exported form of a template; None if too few of its words may be exported to recognise it."""
    runs, covered = [], 0
    for run in words.runs:
        chosen = [s in kept for s in shingles_of(run, naming.size)]
        shown = [any(chosen[max(i - naming.size + 1, 0) : i + 1]) for i in range(len(run))]
        covered += sum(shown)
        runs.append(
            Run(
                words=len(run),
                shingles=tuple(naming.hash_of(s) for s in shingles_of(run, naming.size) if s in kept),
                text=" ".join(w if s else "?" for w, s in zip(run, shown, strict=True)) if naming.reveal else None,
            )
        )
    if covered < SHARED_WORDS or share < LEAST_SHARE:
        return None
    rounded = 1_000 // SHARE_PARTS * round(SHARE_PARTS * share)
    return TemplateShape(share=rounded, begins=words.begins, ends=words.ends, runs=tuple(runs))


def _fixed(template: tuple[str | None, ...]) -> _Words:
    """The words of a template. Runs without a word are dropped, so the slots around them become one."""
    read = [None if run is None else tuple(words_of(run)) for run in template]
    read = [run for run in read if run != ()]
    return _Words(
        runs=tuple(run for run in read if run is not None),
        begins="slot" if read and read[0] is None else "words",
        ends="slot" if read and read[-1] is None else "words",
    )

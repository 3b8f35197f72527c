"""What a search finds, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["AccountHits", "By", "CampaignHits", "Found", "Hit", "Searched", "Value"]

By: TypeAlias = Literal["wording", "meaning", "exact"]
"""How texts are compared: by their wording, by their meaning, or as the same text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A prompt that was found, with everybody who sent it. Prompts whose texts are equal are one hit."""

    text: str
    """The prompt: redacted and cut, or whole if the search was asked to reveal texts."""
    similarity: float
    """Cosine of the nearest piece of the prompt, up to 1; 1 where nothing was compared."""
    exact: bool
    """Whether the prompt has a part that equals the text asked for, but for case, blanks and look-alike letters."""
    passage: str
    """The piece of the prompt that was nearest, shown like ``text``; empty if that is a whole part."""
    prompts: int
    """How often it was sent. A request that is repeated at once counts once."""
    accounts: int
    """Number of accounts that sent it."""
    senders: tuple[str, ...]
    """Some of these accounts, those that sent it most often first."""
    campaigns: tuple[str, ...]
    """Campaigns that it belongs to."""
    first_seen: int | None
    """Unix seconds; None without times."""
    last_seen: int | None
    """Unix seconds; None without times."""
    file: str
    """Name of the file of one of these prompts."""
    line: int
    """Its line or row in the file, from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountHits:
    """An account among the prompts that were found."""

    account: str
    prompts: int
    """Its prompts among those found."""
    volume: int
    """All its prompts in the window."""
    similarity: float
    """The largest of these prompts."""
    exact: bool
    """Whether one of them is exact."""
    campaigns: tuple[str, ...]
    first_seen: int | None
    """Unix seconds of the first of them; None without times."""
    last_seen: int | None
    """Unix seconds of the last of them; None without times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignHits:
    """A campaign among the prompts that were found."""

    campaign_id: str
    tier: str
    prompts: int
    accounts: int
    similarity: float
    """The largest of these prompts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A value of a field that accounts share, such as an address or a card."""

    field: str
    tag: str
    """A name for it that says nothing of it, such as ``card#a3f1``; it is the same in every window."""
    shown: str
    """Masked, as in the report."""
    accounts: int
    """Accounts of the window that have it."""
    prompts: int
    """Prompts of the window that have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """What was searched."""

    kind: Literal["scan", "state", "work"]
    texts: int
    """Texts that were compared: parts of prompts and pieces of them."""
    all_texts: int
    """All texts of the window. Fewer are compared by meaning if some have no vector."""
    prompts: int
    accounts: int
    files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The answer to one question."""

    searched: Searched
    prompts: int
    """Prompts that are near; see :data:`harvestdetect.search.opened.NEAR`."""
    account_count: int
    """Accounts that sent them, of which ``accounts`` shows some."""
    hits: tuple[Hit, ...]
    """The nearest prompts, exact ones before all others. Some may be too far to be near."""
    accounts: tuple[AccountHits, ...]
    """The nearest first."""
    campaigns: tuple[CampaignHits, ...]
    """Those with the most of the prompts first."""
    values: tuple[Value, ...] = ()
    """Of :meth:`~harvestdetect.search.Search.of_account`: the values that the account shares with others. Of
    :meth:`~harvestdetect.search.Search.sharing`: the values asked for."""
    notes: tuple[str, ...] = ()
    """What a reader should know of the answer, a sentence each."""

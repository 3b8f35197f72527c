"""What a signature file contains: campaigns as they look from outside, without a prompt, an account or an address.

All numbers are whole, so that a file has one canonical form on any machine. Shares are thousandths. Sizes are powers of
two. ``docs/signatures.md`` describes the format for other programs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Meta

__all__ = [
    *("FORMAT", "HASH_LETTERS", "HOUR_PARTS", "LEAST_ACCOUNTS", "LENGTHS", "PLAIN_WORDS", "SIGNS", "VERSION"),
    *("Codebook", "Cell", "Content", "Form", "Hashing", "Issuer", "ListShape", "Method", "Run", "SignedCampaign"),
    *("Sizes", "TemplateShape", "Tempo"),
]

FORMAT: Final = "harvestdetect-signatures"
"""Names the format in the file and in the bytes that are signed."""
VERSION: Final = 1
"""Version of the format."""
LEAST_ACCOUNTS: Final = 5
"""Fewest accounts that must have sent something for it to be exported: words of a template, or prompts in a cell. No
option goes below it. Chosen."""
PLAIN_WORDS: Final = 5
"""Fewest words of a shingle whose hash has no key: all sequences of fewer words can be tried out. Chosen."""
HASH_LETTERS: Final = 24
"""Hexadecimal digits of a hash of a shingle: 96 bits."""
HOUR_PARTS: Final = 8
"""Parts of a day, in UTC, for which the share of prompts is given: three hours each."""
LENGTHS: Final = 12
"""Classes of the lengths of prompts: 1 word, 2 to 3, 4 to 7 and so on; the last has 2,048 words and more."""
SIGNS: Final = (
    *("?", "!", ".", ",", ":", ";", "'", '"`', "()", "[]{}", "/\\", "-_", "+=*^%<>|~", "#@&$", "0123456789"),
)
"""All punctuation, symbols and digits of ASCII in groups, in the order in which their shares are given."""

Method: TypeAlias = Literal["hmac-sha256", "sha256"]
"""How shingles are hashed: with a secret that partners share, or without one."""

Count = Annotated[int, Meta(ge=0, le=2**40)]
Share = Annotated[int, Meta(ge=0, le=1_000)]
Hash = Annotated[str, Meta(pattern=r"^[0-9a-f]{24}\Z")]
Day = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")]
Name = Annotated[str, Meta(max_length=80)]
Words = Annotated[str, Meta(max_length=20_000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """Who signed."""

    name: Name
    """As the issuer writes it; nobody has checked it. It may be empty."""
    key: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    """The public key (Ed25519), 32 bytes as hexadecimal digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hashing:
    """How shingles were hashed."""

    method: Method
    words: Annotated[int, Meta(ge=2, le=20)]
    """Words of a shingle."""
    salt: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
    """Mixed into every hash, so that tables of hashes for one issuer do not serve for another."""
    secret: Annotated[str, Meta(pattern=r"^([0-9a-f]{16})?\Z")]
    """Fingerprint of the shared secret; empty without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Codebook:
    """Which cells the profiles refer to, see :mod:`harvestdetect.signatures.cells`."""

    version: Annotated[int, Meta(ge=1, le=1_000)]
    cells: Annotated[int, Meta(ge=1, le=65_536)]
    tokenizer: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    """SHA-256 of the tokenizer of the model."""
    probe: Annotated[tuple[Annotated[int, Meta(ge=-100, le=100)], ...], Meta(max_length=1_000)]
    """Cosines between some tokens in hundredths. Codebooks of different models differ in them by more than rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Fixed words of a template that follow one another."""

    words: Annotated[int, Meta(ge=1, le=100_000)]
    """The number of these words."""
    shingles: Annotated[tuple[Hash, ...], Meta(max_length=20_000)]
    """Hashes of the shingles of these words, in order, without those that too few accounts sent."""
    text: Words | None = None
    """The words; None unless the issuer revealed them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateShape:
    """One template: runs of fixed words with a slot between any two of them."""

    share: Share
    """Share of the campaign's prompts, rounded to twentieths."""
    begins: Literal["slot", "words"]
    ends: Literal["slot", "words"]
    runs: Annotated[tuple[Run, ...], Meta(max_length=2_000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A cell of the wording space in which prompts of the campaign lie."""

    cell: Annotated[int, Meta(ge=0, le=65_535)]
    share: Share
    """Share of the prompts that lie in it. A prompt lies in several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The form of the prompts."""

    words: Count
    """Median number of words of a prompt, rounded to a power of two."""
    parts: Count
    """Median number of parts of a prompt, at most 8."""
    system: Share
    """Share of the prompts with a system prompt, rounded to twentieths."""
    lengths: Annotated[tuple[Share, ...], Meta(min_length=LENGTHS, max_length=LENGTHS)]
    """Share of the prompts of each class of :data:`LENGTHS`, without system prompts, rounded to twentieths."""
    signs: Annotated[tuple[Share, ...], Meta(min_length=len(SIGNS), max_length=len(SIGNS))]
    """Share of the prompts with each group of :data:`SIGNS`, without system prompts, rounded to twentieths."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tempo:
    """When the campaign sends."""

    days: Count
    """Days from the first prompt to the last, rounded to a power of two."""
    per_day: Count
    """Mean number of prompts of an account on a day on which it sends any, in tenths, rounded to a power of two."""
    hours: Annotated[tuple[Share, ...], Meta(min_length=8, max_length=8)]
    """Share of the prompts in each part of the day, in UTC, rounded to fortieths."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListShape:
    """How the list of work is dealt."""

    each: Count
    """Mean number of prompts of an account, in tenths, rounded to a power of two."""
    spread: Count
    """Coefficient of variation of this number, in thousandths, rounded to tenths."""
    repeated: Share
    """Share of the prompts that another account of the campaign sent as well, rounded to twentieths. A dealt list has
    few."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How large the campaign is, each number rounded to a power of two."""

    accounts: Count
    prompts: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedCampaign:
    """What one campaign looks like."""

    id: Annotated[str, Meta(pattern=r"^s-[0-9a-f]{12}\Z")]
    """Stable for one issuer and campaign; only the issuer can tell which campaign it is."""
    targets: Annotated[tuple[Annotated[str, Meta(max_length=60)], ...], Meta(max_length=40)]
    """What it is after: capability targets of this program."""
    templates: Annotated[tuple[TemplateShape, ...], Meta(max_length=200)]
    profile: Annotated[tuple[Cell, ...], Meta(max_length=65_536)]
    """By cell, ascending."""
    form: Form
    tempo: Tempo | None
    """None without times."""
    list: ListShape
    sizes: Sizes


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What is signed."""

    format: Literal["harvestdetect-signatures"]
    version: Literal[1]
    issuer: Issuer
    created: Day
    expires: Day
    """The last day on which the file is used."""
    least_accounts: Annotated[int, Meta(ge=5, le=2**31)]
    """Fewest accounts that sent anything that is in the file."""
    hashing: Hashing
    codebook: Codebook
    campaigns: Annotated[tuple[SignedCampaign, ...], Meta(max_length=1_000)]

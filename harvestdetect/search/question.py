"""The text that is searched for, cut and compared like a prompt of a scan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from harvestdetect.corpus.normalize import normalize
from harvestdetect.corpus.preamble_candidates import kept_entry, preamble_registry
from harvestdetect.corpus.registry import Registry, strip
from harvestdetect.corpus.segments import LONGEST, digests, pieces_of
from harvestdetect.errors import InputError
from harvestdetect.settings import Settings
from harvestdetect.util.arrays import Digests

__all__ = ["MOST_CHARACTERS", "Question", "question_of"]

MOST_CHARACTERS: Final = LONGEST
"""Most characters of a text that is searched for: those that a scan keeps of a text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A text in the forms in which it is compared."""

    texts: tuple[str, ...]
    """Normalised: the whole text, then the pieces of a long one."""
    whole: Digests
    """V16[w]: digests of the text as a whole, with and without what a scan takes out of prompts."""


def question_of(text: str, *, settings: Settings, registry: Registry | None, preambles: tuple[str, ...]) -> Question:
    """Cuts a text like a prompt: known scaffolds and preambles are taken out, and a long text has pieces as well.

    Args:
        text: what is searched for.
        settings: of the scan.
        registry: of the scan.
        preambles: of the window.

    Raises:
        InputError: the text is empty, or too long.
    """
    if len(text) > MOST_CHARACTERS:
        raise InputError(
            f"the text to search for has {len(text):,} characters, more than {MOST_CHARACTERS:,}; give a part of it"
        )
    plain = normalize(text)
    if not plain:
        raise InputError("the text to search for is empty; give some words of it")
    original, compared = text, plain
    known = preamble_registry(entry for one in preambles if (entry := kept_entry(one)) is not None)
    for one in (registry, known):
        if one is not None and one.entries:
            stripped = strip(one, [original])
            if stripped.compared[0]:
                original, compared = stripped.texts[0], stripped.compared[0]
    cut = pieces_of(
        pa.array([compared], pa.large_string()), pa.array([original], pa.large_string()),
        size=settings.segment_characters, max_windows=settings.max_windows,
    )  # fmt: skip
    wholes = list(dict.fromkeys((compared, plain)))
    found = digests([one.encode("utf-8", "surrogatepass") for one in wholes])
    return Question(
        texts=tuple(dict.fromkeys((compared, *cut.text.to_pylist()))), whole=found.astype(">u8").view("V16").reshape(-1)
    )

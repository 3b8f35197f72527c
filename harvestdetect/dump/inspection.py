"""What a dump seems to be, told in seconds: how its files are read, who sent how much, and what looks suspicious."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from harvestdetect.data import NO_TIME, Batch, Reject, SourceFile
from harvestdetect.dump.columns.names import NOTHING
from harvestdetect.dump.reader import DumpFile, read_dumps
from harvestdetect.dump.reading_warnings import dump_warnings
from harvestdetect.dump.storage.folders import LeftOut
from harvestdetect.dump.storage.sources import Names
from harvestdetect.settings import Settings
from harvestdetect.util.escape import cut
from harvestdetect.util.redact import redact

__all__ = ["Inspection", "inspect_dumps", "languages_of"]

ROWS: Final = 50_000
"""Rows that are read, over all files."""
LEAST_ROWS: Final = 500
"""Fewest rows that are read of each file."""
FILES: Final = 100
"""Files that are read, spread over the list of all."""
EXAMPLES: Final = 2
"""Prompts that are shown."""
EXAMPLE_CHARACTERS: Final = 160
"""Most characters of a prompt that is shown."""
LANGUAGE_TEXTS: Final = 1_000
"""Prompts whose language is identified."""
LANGUAGE_CHARACTERS: Final = 500
"""Characters of a prompt by which its language is identified."""
SURE: Final = 0.5
"""Least probability of the likeliest language at which it is named."""
UNCLEAR: Final = "unclear"
"""In place of a language: of code, names and very short texts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What a dump seems to be."""

    files: tuple[SourceFile, ...]
    """The files that were read, with how each was read. Of a file that was read in part, the numbers are of that
    part."""
    unread: int
    """Further files, of which nothing was read."""
    complete: bool
    """Whether every row of every file was read."""
    prompts: int
    rejects: Mapping[str, int] = field(default_factory=dict)
    """Reason -> rejects, the most frequent first."""
    first_rejects: Mapping[str, str] = field(default_factory=dict)
    """Reason -> file and line of its first reject."""
    left_out: tuple[str, ...] = ()
    """Files, members of archives and tables that were found and are no dumps, one sentence for each kind."""
    accounts: int = 0
    prompts_per_account: tuple[int, int, int] = (0, 0, 0)
    """The least, the median and the most."""
    first: int | None = None
    """Earliest time in seconds since 1970; None if no prompt has a time."""
    last: int | None = None
    """Latest time in seconds since 1970."""
    without_time: int = 0
    """Prompts without a time."""
    languages: tuple[tuple[str, float], ...] = ()
    """ISO 639-1 code, or :data:`UNCLEAR`, and its share of the prompts, the most frequent first."""
    examples: tuple[str, ...] = ()
    """Prompts, shortened; addresses, long numbers and keys are replaced. Control characters are not escaped."""
    warnings: tuple[str, ...] = ()
    """What a user should check, one sentence each."""


def inspect_dumps(
    sources: Iterable[str | Path],
    *,
    settings: Settings = Settings(),  # noqa: B008 - frozen
    rows: int = ROWS,
    seed: int = 0,
) -> Inspection:
    """Reads the beginnings of dumps, and tells what they seem to be.

    Args:
        sources: as for :func:`~harvestdetect.dump.read_dumps`.
        settings: as for :func:`~harvestdetect.dump.read_dumps`.
        rows: rows to read, over all files; at least :data:`LEAST_ROWS` of each.
        seed: chooses the examples.

    Raises:
        InputError: a source is missing or cannot be read.
        ColumnsError: a file that was named has no column for account or prompt.
        UsageError: no source was named.
    """
    named = read_dumps(sources, settings=settings)
    step = -(-len(named.names) // FILES)
    chosen = Names(named.names[::step], named.left_out)
    each = max(LEAST_ROWS, rows // len(chosen))
    dumps = read_dumps(chosen, settings=settings, batch_rows=min(each, 20_000), most_rows=each)
    taken = _Taken(random.Random(seed))
    for file in dumps.files():
        taken.take(file)
    return taken.inspection(
        unread=len(named.names) - len(chosen),
        left_out=dumps.left_out,
        times_wanted=settings.mapping.get("timestamp") != NOTHING,
    )


class _Taken:
    """What was read so far."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._files: list[SourceFile] = []
        self._rejects: Counter[str] = Counter()
        self._first_rejects: dict[str, str] = {}
        self._accounts: Counter[str] = Counter()
        self._times: list[tuple[int, int]] = []
        self._without_time = 0
        self._texts: list[str] = []
        self._seen = 0
        self._complete = True

    def take(self, file: DumpFile) -> None:
        """Reads a file."""
        for batch in file.batches:
            self._files.extend(batch.files)
            for reject in batch.rejects:
                self._rejects[reject.reason] += 1
                self._first_rejects.setdefault(reject.reason, _place(reject))
            if batch.unlisted:
                self._rejects["further rejects"] += batch.unlisted
            self._complete = self._complete and not batch.cut
            self._take(batch)

    def _take(self, batch: Batch) -> None:
        counts = pc.value_counts(batch.prompts.column("account"))
        for one in counts.to_pylist():
            self._accounts[one["values"]] += one["counts"]
        times = np.asarray(batch.prompts.column("time"))
        known = times[times != NO_TIME]
        self._without_time += len(times) - len(known)
        if len(known):
            self._times.append((int(known.min()), int(known.max())))
        for position in range(batch.prompts.num_rows):
            self._keep(batch.prompts, position)

    def _keep(self, prompts: pa.RecordBatch, position: int) -> None:
        """Keeps a uniform sample of the texts of users (reservoir sampling)."""
        self._seen += 1
        place = len(self._texts) if len(self._texts) < LANGUAGE_TEXTS else self._rng.randrange(self._seen)
        if place >= LANGUAGE_TEXTS:
            return
        roles, parts = (prompts.column(name)[position].as_py() for name in ("roles", "parts"))
        text = next((part for role, part in zip(roles[::-1], parts[::-1], strict=True) if role == "user"), parts[-1])
        self._texts[place : place + 1] = [text]

    def inspection(self, *, unread: int, left_out: LeftOut, times_wanted: bool) -> Inspection:
        """What was read, in numbers."""
        counts = sorted(self._accounts.values())
        prompts = sum(counts)
        spans = list(zip(*self._times, strict=True))
        examples = self._rng.sample(self._texts, min(EXAMPLES, len(self._texts)))
        return Inspection(
            files=tuple(self._files),
            unread=unread,
            complete=self._complete and not unread,
            prompts=prompts,
            rejects=dict(self._rejects.most_common()),
            first_rejects=self._first_rejects,
            left_out=tuple(left_out.sentences()),
            accounts=len(counts),
            prompts_per_account=(counts[0], counts[len(counts) // 2], counts[-1]) if counts else (0, 0, 0),
            first=min(spans[0]) if spans else None,
            last=max(spans[1]) if spans else None,
            without_time=self._without_time,
            languages=languages_of(self._texts),
            examples=tuple(_example(text) for text in examples),
            warnings=dump_warnings(
                self._files,
                prompts=prompts,
                accounts=len(counts),
                without_time=self._without_time,
                times_wanted=times_wanted,
            ),
        )


def _place(reject: Reject) -> str:
    """Where a reject is."""
    return reject.file if reject.line is None else f"{reject.file}, line {reject.line:,}"


def _example(text: str) -> str:
    # Enough for every replacement, and bounded: the patterns need not see a book.
    shown, more = cut(" ".join(redact(text[: 20 * EXAMPLE_CHARACTERS]).split()), EXAMPLE_CHARACTERS)
    return shown + ("…" if more or len(text) > 20 * EXAMPLE_CHARACTERS else "")


def languages_of(texts: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """The languages of texts by falling share, each as its ISO 639-1 code; what is not sure is :data:`UNCLEAR`.

    They are identified by frequent sequences of bytes: Lui and Baldwin 2012, langid.py.
    """
    found: Counter[str] = Counter()
    for text in islice(texts, LANGUAGE_TEXTS):
        language, probability = _identifier().classify(text[:LANGUAGE_CHARACTERS])
        found[language if probability >= SURE else UNCLEAR] += 1
    return tuple((language, count / found.total()) for language, count in found.most_common())


@cache
def _identifier() -> Any:
    """What names the language of a text. To read its model takes longer than to inspect a small dump."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)

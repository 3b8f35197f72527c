"""What a scan carries from stage to stage beside its values: settings, progress, notes, costs, memory, folders."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np

from harvestdetect.arguments import check_function
from harvestdetect.data import Batch, Corpus, StageCost
from harvestdetect.embed.encoders import spare_cache
from harvestdetect.engines.choose import open_engine
from harvestdetect.engines.engine import Engine
from harvestdetect.engines.loop import Loop
from harvestdetect.settings import Settings
from harvestdetect.util.blas import limit_blas
from harvestdetect.util.disk import SpareFolder
from harvestdetect.util.files import make_folder
from harvestdetect.util.machine import peak_memory_mb
from harvestdetect.util.memory_estimate import Counts, available_gb, check_memory, estimate_gb, reading_gb
from harvestdetect.util.progress import bar_for

__all__ = [
    *("NOMINAL_SPEED", "Context", "MemoryBudget", "Progress", "bars", "open_context", "seconds_by_meaning"),
    "silent",
]

Progress: TypeAlias = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""``progress(what, total)`` opens a bar and yields the function that advances it by a number of items. The total is 0
if it is not known."""

NOMINAL_SPEED: Final = 20_000.0
"""Assumed speed of the meaning view, in UTF-8 bytes per second. It is not measured, so that findings do not depend on
the machine."""
SHORTEST: Final = 5.0
"""Seconds of the meaning view that ``auto`` may spend on any dump, if its own budget is not smaller."""
TEXTS_A_SECOND: Final = 15_000.0
"""Texts for which ``auto`` may spend another second. The rest of a scan takes a second for some 3,500 of them."""


def seconds_by_meaning(settings: Settings, texts: int) -> float:
    """Seconds that ``auto`` may spend on embedding by meaning, at :data:`NOMINAL_SPEED`.

    A large dump gets ``auto_budget_seconds``. A smaller one gets less, so that the scan takes about half as long again
    as with ``fast``.

    Args:
        settings: of the scan.
        texts: number of texts of the dump.
    """
    return min(settings.auto_budget_seconds, max(SHORTEST, texts / TEXTS_A_SECOND))


@contextmanager
def silent(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar that nobody sees."""
    yield lambda count: None


def bars(progress: Progress | bool | None) -> Progress | None:
    """What opens progress bars, see :func:`harvestdetect.detect`. Raises a UsageError for another value."""
    if progress is not None and not isinstance(progress, bool):
        check_function(progress, "progress", "True, or a function that opens a bar")
    return progress if callable(progress) else bar_for if progress else None


@dataclass(slots=True, kw_only=True)
class MemoryBudget:
    """The memory of a scan: how much it may use, is estimated to need, and has used."""

    settings: Settings
    allowed: float
    """Memory that the scan may use, in 10**9 bytes."""
    before: float = field(default_factory=peak_memory_mb)
    """Peak memory of the process when the scan began, in MB. The process may have done other work before."""
    largest_batch: int = 0
    """Size of the largest block of prompts read so far, in bytes."""
    estimated: float | None = None
    """Estimated need in 10**9 bytes; None before :meth:`estimate`."""

    def check_reading(self, prompts: int, batch: Batch) -> None:
        """Ends a scan that has already read more than it can process.

        Args:
            prompts: read so far.
            batch: the last block read.

        Raises:
            NeedsMemoryError: these prompts alone need more memory than the scan may use, or reading has used more.
        """
        self.largest_batch = max(self.largest_batch, batch.prompts.nbytes)
        need, peak = reading_gb(prompts), peak_memory_mb()
        if self.settings.memory_gb is not None and peak > self.before:
            need = max(need, peak / 1e3)
        check_memory(need, self.allowed, self.settings, what=f"the first {prompts:,} prompts")

    def estimate(self, corpus: Corpus, *, check: bool = True) -> None:
        """Estimates the memory that the stages after reading need.

        Args:
            corpus: all that was read.
            check: whether to raise an error if the estimate is too high.

        Raises:
            NeedsMemoryError: the scan needs more than it may take, and ``check`` is set.
        """
        settings, prompts = self.settings, corpus.prompts
        counts = Counts(
            prompts=len(prompts.account),
            segments=len(corpus.text),
            pairs=len(corpus.posting_segment),
            value_bytes=prompts.accounts.nbytes + sum(column.values.nbytes for column in prompts.fields.values()),
            text_bytes=int(corpus.text.size.sum(dtype=np.int64)),
            batch_bytes=self.largest_batch,
        )
        size, meaning = corpus.text.size, len(corpus.text)
        budget = seconds_by_meaning(settings, len(size)) * NOMINAL_SPEED
        if settings.encoder == "auto" and float(size.sum()) > budget:
            # The budget covers the most segments if these are the shortest.
            meaning = int((np.cumsum(np.sort(size), dtype=np.int64) <= budget).sum())
        need = estimate_gb(counts, settings, meaning=meaning)
        self.estimated = round(need, 3)
        if check:
            what = f"{counts.prompts:,} prompts and {counts.segments:,} texts"
            check_memory(need, self.allowed, settings, what=what)

    def warning(self) -> str | None:
        """A note if the scan used more memory than ``--memory`` allows, otherwise None."""
        peak, bound = peak_memory_mb(), self.settings.memory_gb
        if bound is None or not self.before < peak or peak <= bound * 1e3:
            return None
        return (
            f"the scan used {peak / 1e3:.3g} GB of memory, more than the {bound:g} GB of --memory; the estimate was "
            f"{self.estimated or 0.0:.3g} GB"
        )

    def used(self) -> dict[str, float]:
        """``allowed``, ``estimated`` and ``peak`` in 10**9 bytes, as far as they are known."""
        known = {"allowed": round(self.allowed, 3), "estimated": self.estimated, "peak": peak_memory_mb() / 1e3}
        return {name: round(value, 3) for name, value in sorted(known.items()) if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One scan's settings and the collectors that every stage may write to.

    Stages take values and return values; what they put here (notes, costs) is shown to people and decides nothing.
    """

    settings: Settings
    memory: MemoryBudget
    engine: Engine = field(default_factory=Loop)
    """Runs what can run elsewhere."""
    progress: Progress = silent
    tell: Callable[[str], None] | None = None
    """Called with each note at once; None only collects the notes for the result."""
    cache: SpareFolder | None = None
    """Folder that caches vectors of the meaning view and models."""
    scratch: SpareFolder | None = None
    """The work folder, which also takes temporary files; None leaves them to the system's temporary folder."""
    notes: list[str] = field(default_factory=list)
    costs: list[StageCost] = field(default_factory=list)

    def note(self, sentence: str) -> None:
        """Keeps a note for the result and passes it on."""
        self.notes.append(sentence)
        if self.tell is not None:
            self.tell(sentence)

    @contextmanager
    def measured(self, name: str, *, blas_threads: int | None = None) -> Iterator[None]:
        """Measures the time and the peak memory of stages, and shows that they are going on.

        Args:
            name: of the stages in ``run.json``. One name may cover several stages of a phase.
            blas_threads: threads for matrix products; None leaves the choice to the library. One is best for many
                small products: next to another busy process, sharing them out costs more time than it saves.
        """
        start = time.perf_counter()
        with limit_blas(blas_threads), self.progress(name, 0):
            yield
        seconds = round(time.perf_counter() - start, 3)
        self.costs.append(StageCost(stage=name, seconds=seconds, peak_memory_mb=peak_memory_mb()))


def open_context(
    settings: Settings,
    *,
    progress: Progress | None = None,
    notes: Callable[[str], None] | None = None,
    in_state: bool = False,
) -> Context:
    """The context of a new scan, with its folders made.

    Args:
        settings: of the scan.
        progress: opens progress bars; None shows none.
        notes: receives each note.
        in_state: whether the work folder belongs to a state, which changes only how a failure is described.

    Raises:
        EngineError: Ray cannot be used.
    """
    collected: list[str] = []

    def note(sentence: str) -> None:
        collected.append(sentence)
        if notes is not None:
            notes(sentence)

    scratch = None
    if settings.work is not None:
        what, instead = "work folder", "nothing more is kept for the next scan, and temporary files go to TMPDIR"
        if in_state:
            what, instead = "vectors and neighbours in the state", "the next run makes them again"
        scratch = SpareFolder(settings.work, what=what, instead=instead, notes=note)
        try:
            make_folder(scratch.path)
        except OSError as error:
            scratch.give_up(error)
    return Context(
        settings=settings,
        engine=open_engine(settings, scratch=scratch),
        memory=MemoryBudget(
            settings=settings, allowed=available_gb() if settings.memory_gb is None else settings.memory_gb
        ),
        progress=progress or silent,
        tell=notes,
        cache=spare_cache(settings, notes=note),
        scratch=scratch,
        notes=collected,
    )

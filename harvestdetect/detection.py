"""Scans for programs: :func:`detect` takes prompts of any kind and finds campaigns, :func:`estimated` only reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing

from harvestdetect.accounts.seeds import Seeds
from harvestdetect.arguments import check_function, check_kinds, items_of
from harvestdetect.assemble import StageResults, assemble
from harvestdetect.context import Progress, bars, open_context
from harvestdetect.corpus.shards import Window
from harvestdetect.data import Detection, Family
from harvestdetect.dump import given
from harvestdetect.dump.given import Given
from harvestdetect.judge.attribute import Signature
from harvestdetect.pipeline import run_scan
from harvestdetect.settings import Settings, settings_of
from harvestdetect.signatures.matching import Shared
from harvestdetect.stages.plan import load_registry_and_calibration
from harvestdetect.stages.reading import read_corpus
from harvestdetect.stages.values import DumpSource

__all__ = ["detect", "estimated"]


def detect(
    source: DumpSource | Given,
    *,
    settings: Settings | None = None,
    progress: Progress | bool | None = None,
    notes: Callable[[str], None] | None = None,
    leave_out: Sequence[Family] = (),
    signatures: Sequence[Signature] = (),
    new_since: int | None = None,
    seeds: Seeds | None = None,
    shared: Shared | None = None,
) -> Detection:
    """Finds campaigns in prompts.

    Many parameters because all but the first are independent options.

    Args:
        source: where the prompts come from:

            * what :func:`harvestdetect.read_dumps` yields;
            * the path of a dump, or a list of paths, globs and folders;
            * a table: of Arrow, or a DataFrame of pandas or polars, or anything else with ``__arrow_c_stream__``;
            * rows: an iterable of dicts, whose values may be ``datetime``;
            * an iterable of :class:`~harvestdetect.data.Prompt`;
            * the window of a state.

            Columns of tables and rows are recognised and mapped as those of files.
        settings: None takes the defaults.
        progress: True shows bars, in a terminal or below the cell of a notebook; a function opens bars of its own;
            None and False show none.
        notes: receives a sentence for each decision that a reader should know; ``Detection.notes`` has them too.
        leave_out: families of evidence that do not count, for ablations. Their readings are left out too, so a benign
            explanation with no other reading is unknown.
        signatures: templates of known campaigns; accounts that fill them are attributed to these campaigns.
        new_since: attribute only prompts from this time on (Unix seconds); None attributes all.
        seeds: texts or accounts that a person chose; the candidate around them is judged beside the others.
        shared: signatures of other providers, see :func:`harvestdetect.signatures.open_signatures`. How they fit is in
            ``Detection.signatures``; they change no finding.

    Raises:
        CalibrationError: ``settings.calibration`` cannot be read, or was made with other settings or models.
        ColumnsError: a table, or the rows, have no column for the account or the prompt.
        InputError: a dump or a table cannot be read.
        UsageError: the source, a value of a row or another argument is of another type.
        SettingsError: ``settings.registry`` cannot be read, or ``leave_out`` names no family.
        EncoderError: a model cannot be found, loaded or trusted.
        NeedsMemoryError: the scan needs more memory than ``settings.memory_gb``, or than there is.
        ScratchError: temporary files cannot be written.
        SignatureError: ``shared`` needs another secret than the one that is given.
    """
    settings = settings_of(settings)
    check_function(notes, "notes", "a function that takes a sentence")
    check_kinds((("seeds", seeds, Seeds), ("shared", shared, Shared), ("new_since", new_since, int)))
    leave_out = items_of(leave_out, "leave_out", 'a list of families, such as ("time",)', str)
    signatures = items_of(signatures, "signatures", "a list of Signature", Signature)
    context = open_context(settings, progress=bars(progress), notes=notes, in_state=isinstance(source, Window))
    read = source if isinstance(source, Window) else given(source, settings)
    return run_scan(
        read, context, leave_out=leave_out, signatures=signatures, new_since=new_since, seeds=seeds, shared=shared
    ).detection


def estimated(source: DumpSource | Given, *, settings: Settings | None = None) -> Detection:
    """Reads prompts and estimates the memory that :func:`detect` would need; nothing is compared.

    Args:
        source: as for :func:`detect`.
        settings: None takes the defaults.

    Returns:
        A detection without findings: ``memory`` has the estimate, ``counts`` what was read.
    """
    settings = settings_of(settings)
    prompts = source if isinstance(source, Window) else given(source, settings)
    context = open_context(settings)
    registry, _ = load_registry_and_calibration(context)
    with context.measured("read"), closing(context.engine):
        read = read_corpus(prompts, context, registry)
    context.memory.estimate(read.corpus, check=False)
    return assemble(read, context, StageResults(counts={"segments": len(read.corpus.text)}))

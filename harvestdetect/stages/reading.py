"""Reads prompts into a corpus."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from harvestdetect.context import Context
from harvestdetect.corpus.build import CorpusBuilder
from harvestdetect.corpus.by_prompt import first_rows
from harvestdetect.corpus.copies import copies_of, copy_sentences
from harvestdetect.corpus.left_out import preamble_sentence, scaffold_sentence
from harvestdetect.corpus.prepare_files import prepare_files
from harvestdetect.corpus.registry import Registry
from harvestdetect.corpus.repeats import repeat_sentences
from harvestdetect.corpus.shards import ShardFolder, Window
from harvestdetect.data import Batch, Reject, SourceFile
from harvestdetect.dump import Dumps, WholeFiles, batches_of
from harvestdetect.dump.values.pseudonyms import Pseudonyms
from harvestdetect.errors import CacheError
from harvestdetect.stages.values import DumpSource, Read

__all__ = ["MAX_REJECTS_KEPT", "read_corpus"]

MAX_REJECTS_KEPT: Final = 100_000
"""Number of rejects that are listed one by one; further ones are only counted."""


def read_corpus(
    source: DumpSource, context: Context, registry: Registry | None, *, shards: ShardFolder | None = None
) -> Read:
    """Reads all prompts into a corpus.

    Args:
        source: where the prompts come from.
        context: of the scan.
        registry: known scaffolds, whose words are left out of comparisons; None for no registry.
        shards: folder of prepared files. A file that is there is not parsed again, and a new file is added.
    """
    settings = context.settings
    window = source if isinstance(source, Window) else None
    files: list[SourceFile] = []
    rejects: list[Reject] = []
    reject_count, whole = 0, WholeFiles()
    if context.engine.elsewhere and shards is not None and isinstance(source, Dumps) and len(source.names) > 1:
        prepare_files(source.names, shards, settings, context.engine)
    with CorpusBuilder(
        segment_characters=settings.segment_characters, max_windows=settings.max_windows, registry=registry,
        min_senders=settings.min_accounts, engine=context.engine,
        shards=window.shards if window else shards, folder=context.scratch, since=window.since if window else None,
        find_preambles=settings.find_preambles, kept_preambles=window.preambles if window else (),
    ) as builder:  # fmt: skip
        for batch in _batches(source, builder, prepared=shards is not None, context=context):
            context.memory.check_reading(len(builder), batch)
            reject_count += len(batch.rejects) + batch.unlisted
            whole.add(batch.rejects)
            rejects.extend(batch.rejects[: MAX_REJECTS_KEPT - len(rejects)])
            files.extend(batch.files)
        if isinstance(source, Dumps):
            for sentence in source.left_out.sentences():
                context.note(sentence)
        if (scaffolds := scaffold_sentence(builder.known, registry)) is not None:
            context.note(scaffolds)
        if reject_count > len(rejects):
            context.note(f"the first {len(rejects):,} of {reject_count:,} rejects are listed")
        corpus = builder.finish()
        preambles = builder.preambles
    for one in preambles:
        context.note(preamble_sentence(one))
    copies = copies_of(corpus.prompts)
    if copies.copied is not None:
        corpus = replace(corpus, prompts=replace(corpus.prompts, copied=copies.copied))
    rows = len(corpus.prompts.account) - copies.repeated
    again = rows - int(first_rows(corpus.prompts).sum())
    for sentence in (*copy_sentences(copies, [file.name for file in files]), *repeat_sentences(again, builder.resent)):
        context.note(sentence)
    return Read(
        corpus=corpus, files=tuple(files), rejects=tuple(rejects), reject_count=reject_count,
        whole_files=whole.counts(), repeated=copies.repeated, preambles=preambles, again=again, resent=builder.resent,
    )  # fmt: skip


def _batches(source: DumpSource, builder: CorpusBuilder, *, prepared: bool, context: Context) -> Iterator[Batch]:
    """Adds each batch of a source to the builder and yields it.

    If ``prepared`` is set, files of dumps are read through the builder's shards. Prompts that the caller has in memory
    get pseudonyms as the settings of the context say.
    """
    if isinstance(source, Window):
        for position, (name, sha256) in enumerate(source.files):
            yield from builder.add_file(_missing(name), file=position, name=name, sha256=sha256)
    elif prepared and isinstance(source, Dumps):
        for file in source.files():
            yield from builder.add_file(file.batches, file=file.position, name=file.name, sha256=file.sha256())
    else:
        key = context.settings.pseudonyms
        pseudonyms = None if key is None else Pseudonyms.of_file(key)
        for batch in batches_of(source, pseudonyms=pseudonyms, notes=context.note):
            builder.add(batch.prompts)
            yield batch


def _missing(name: str) -> Iterator[Batch]:
    """The batches of a file whose prepared form is gone: reading them fails."""
    raise CacheError(f"the prepared file of {name} is missing or damaged")
    yield

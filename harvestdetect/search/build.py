"""Makes the index of a window from its prepared files: the same texts, cut and compared as a scan cuts and compares."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from io import BufferedReader
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from harvestdetect.context import Context, Progress, open_context
from harvestdetect.corpus.account_fields import network_of
from harvestdetect.corpus.block import Cutting, PreparedBlock
from harvestdetect.corpus.by_prompt import first_rows, parts_by_prompt, segment_starts
from harvestdetect.corpus.registry import Registry, load_registry
from harvestdetect.corpus.shard_file import Shard
from harvestdetect.corpus.shards import ShardFolder, Window
from harvestdetect.data import Corpus, FieldColumn, Prompts
from harvestdetect.embed.encoders import Encoder, open_cache
from harvestdetect.errors import CacheError, InputError, SettingsError
from harvestdetect.search.index import ABOUT, Strings, write_array, write_vectors
from harvestdetect.search.place import Place, Prepared, prepared_in
from harvestdetect.search.tags import WORDS, tag_digests
from harvestdetect.settings import Settings
from harvestdetect.stages.comparing import embed
from harvestdetect.stages.reading import read_corpus
from harvestdetect.store.models import publish_folder
from harvestdetect.store.trust import verified
from harvestdetect.util.arrays import Digests
from harvestdetect.util.texts import Texts
from harvestdetect.util.vectors import Rows

__all__ = ["build_index", "build_meaning", "known_meanings", "registry_of", "write_index"]

_TEXTS: Final = 1 << 15
"""Texts that are written at a time."""


def registry_of(settings: Settings, notes: Callable[[str], None] = lambda note: None) -> Registry | None:
    """The registry of the scan; the shipped one, with a note, if that of the user cannot be read any more."""
    if not settings.use_registry:
        return None
    try:
        return load_registry(settings.registry)
    except SettingsError as error:
        notes(f"texts are compared with the shipped registry alone: {error}")
        return load_registry()


def build_index(place: Place, target: Path, *, progress: Progress | None, notes: Callable[[str], None]) -> None:
    """Makes the index of a window, with the vectors of wording.

    Args:
        place: what to index.
        target: folder of the index; it appears when it is complete.
        progress: opens progress bars; None shows none.
        notes: called with a sentence if something is done in another way than the scan did it.

    Raises:
        InputError: prepared files are missing, or no prompt is left in the window.
        CacheError: a prepared file is damaged or cannot be read, or the index cannot be written.
        EncoderError: the model of wording cannot be made.
    """
    prepared = prepared_in(place)
    context = open_context(place.settings.replace(work=place.folder), progress=progress, in_state=place.in_state)
    with closing(context.engine):
        registry = registry_of(place.settings, notes)
        read = read_corpus(_window(place, prepared, registry), context, registry)
        corpus = read.corpus
        if not len(corpus.prompts.account):
            raise InputError(f"the window of {place.folder} has no prompt to search")
        embedded = embed("wording", corpus, np.arange(len(corpus.text), dtype=np.int32), context)

        preambles = [one.text for one in read.preambles]
        files = [one.name for one in prepared]
        publish_folder(
            target, lambda folder: write_index(folder, corpus, embedded.vectors, files=files, preambles=preambles)
        )


def write_index(folder: Path, corpus: Corpus, vectors: Rows, *, files: Sequence[str], preambles: Sequence[str]) -> None:
    """Writes the files of an index.

    Args:
        folder: an empty folder.
        corpus: of n texts.
        vectors: float16[n, d], in the wording view.
        files: names of the files of the window.
        preambles: texts of the preambles that were taken out.
    """
    _write_texts(folder, corpus)
    fields = _write_prompts(folder, corpus)
    write_vectors(folder, "wording", vectors)
    about = {"files": list(files), "preambles": list(preambles), "fields": fields}
    (folder / ABOUT).write_text(json.dumps(about), encoding="utf-8")


def known_meanings(digests: Digests, encoder: Encoder, context: Context) -> int:
    """How many of some texts have a vector of meaning in the cache.

    Args:
        digests: V16[n], of the texts.
        encoder: of the view.
        context: with the settings of the search.

    Raises:
        CacheError: the cache cannot be read.
    """
    cache = open_cache("meaning", encoder, settings=context.settings, spare=context.cache)
    return 0 if cache is None else int(cache.contains(np.asarray(digests)).sum())


def build_meaning(target: Path, digests: Digests, encoder: Encoder, context: Context) -> None:
    """Makes an index of the vectors of meaning that scans have cached.

    Args:
        target: folder of the index.
        digests: V16[n], of all texts of the window, some of which have a vector.
        encoder: of the view.
        context: with the settings of the search.

    Raises:
        CacheError: the cache cannot be read, or the index cannot be written.
    """
    cache = open_cache("meaning", encoder, settings=context.settings, spare=context.cache)
    if cache is None:
        raise CacheError("the cache of vectors cannot be used; search by wording")
    found, vectors = cache.get(np.asarray(digests))

    def write(folder: Path) -> None:
        write_array(folder, "rows", np.flatnonzero(found).astype(np.int32))
        write_vectors(folder, "meaning", vectors)

    publish_folder(target, write)


# ---------------------------------------------------------------- reading


class _Blocks(Shard):
    """An open prepared file whose blocks do not say which entries of a registry they had, which a search never asks."""

    entries = 0
    """Number of entries of the registry of the search."""

    def __iter__(self) -> Iterator[PreparedBlock]:
        for block in super().__iter__():
            yield replace(block, known=np.zeros(self.entries, np.int64))


class _PreparedFiles(ShardFolder):
    """Prepared files by the path at which they were found, whatever settings their names are made of."""

    def open(self, name: str, sha256: str) -> Shard | None:
        """The prepared file at a path.

        Args:
            name: of the file of the dump.
            sha256: the path, because a window names files by two texts.
        """
        path, registry = Path(sha256), self.cutting.registry

        def once() -> Shard:
            stream: BufferedReader = path.open("rb")
            try:
                shard = _Blocks(stream, name=name)
            except BaseException:
                stream.close()
                raise
            shard.entries = len(registry.entries) if registry is not None else 0
            return shard

        with suppress(FileNotFoundError, NotADirectoryError):
            return verified(once, path)
        return None


def _window(place: Place, prepared: list[Prepared], registry: Registry | None) -> Window:
    settings = place.settings
    cutting = Cutting(
        segment_characters=settings.segment_characters, max_windows=settings.max_windows, registry=registry
    )
    shards = _PreparedFiles(place.folder, settings=settings, cutting=cutting, in_state=True, change=False)
    files = tuple((one.name, str(one.path)) for one in prepared)
    return Window(shards=shards, files=files, since=place.since, preambles=place.preambles)


# ---------------------------------------------------------------- writing


def _write_texts(folder: Path, corpus: Corpus) -> None:
    write_array(folder, "digest", corpus.digest)
    write_array(folder, "kind", corpus.kind)
    write_array(folder, "posting_start", segment_starts(corpus))
    write_array(folder, "posting_prompt", corpus.posting_prompt)
    _write_long(folder, "text", corpus.display)


def _write_long(folder: Path, name: str, texts: Texts) -> None:
    """Writes many texts, of which only some are in memory at a time."""
    start = np.zeros(len(texts) + 1, np.int64)
    np.cumsum(texts.size, out=start[1:])
    write_array(folder, f"{name}_start", start)
    if not start[-1]:
        write_array(folder, f"{name}_data", np.empty(0, np.uint8))
        return
    data = np.lib.format.open_memmap(folder / f"{name}_data.npy", mode="w+", dtype=np.uint8, shape=(int(start[-1]),))
    for first in range(0, len(texts), _TEXTS):
        last = min(first + _TEXTS, len(texts))
        raw = b"".join(texts.column(np.arange(first, last)).to_pylist())
        data[start[first] : start[last]] = np.frombuffer(raw, np.uint8)
    data.flush()


def _write_prompts(folder: Path, corpus: Corpus) -> list[str]:
    """Writes the prompts; returns the names of the fields that have values."""
    prompts, parts = corpus.prompts, parts_by_prompt(corpus)
    write_array(folder, "part_start", parts.start)
    write_array(folder, "part", parts.segment)
    for name in ("account", "time", "file", "line", "content"):
        write_array(folder, name, getattr(prompts, name))
    write_array(folder, "counts", first_rows(prompts))
    Strings.write(folder, "accounts", prompts.accounts)
    fields = _shareable(prompts)
    for name, column in fields.items():
        write_array(folder, f"{name}_code", column.code)
        write_array(folder, f"{name}_tag", tag_digests(name, column.values.to_pylist()))
        Strings.write(folder, f"{name}_values", column.values)
    return list(fields)


def _shareable(prompts: Prompts) -> Mapping[str, FieldColumn]:
    """The fields whose values accounts may share, with the networks of addresses."""
    found = {name: prompts.fields[name] for name in WORDS if name in prompts.fields}
    if "ip" in found:
        of = [network_of(address) for address in found["ip"].values.to_pylist()]
        values = sorted({network for network in of if network is not None})
        place = {network: number for number, network in enumerate(values)}
        code = np.array([*(-1 if network is None else place[network] for network in of), -1], np.int32)
        found["network"] = FieldColumn(code=code[found["ip"].code], values=pa.array(values, pa.string()))
    return {name: column for name, column in found.items() if (column.code >= 0).any()}

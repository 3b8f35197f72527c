"""Texts to unit vectors, in two views.

*wording* is a static embedding, distilled once from the packaged model (:mod:`harvestdetect.embed.distill`) and run
without torch (:mod:`harvestdetect.embed.static`). *meaning* is a sentence-transformers model. It is run by torch
(:mod:`harvestdetect.embed.transformer`), or by ONNX Runtime in float32 (:mod:`harvestdetect.embed.onnx`) if the
``onnx`` extra is installed and the CPU does the work.

The vector of a text is a function of the text alone. Static vectors are the same to the bit in any batch. Batches for
a transformer contain texts of exactly the same number of tokens, so that nothing is padded, and have a minimum size.
Vectors from different batches differ by less than 1e-6; on the CPU no difference was measured, with torch and with
ONNX Runtime. :func:`encode_texts` rounds every vector to float16, so that a vector from the cache equals the vector
that was computed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from harvestdetect.data import View
from harvestdetect.embed.distill import static_model
from harvestdetect.embed.model_files import (
    check_model_folder,
    folder_digest,
    load_transformer,
    model_folder,
    packaged_folder,
)
from harvestdetect.embed.onnx import OnnxError, onnx_encoder, onnx_is_installed
from harvestdetect.embed.static import StaticEncoder
from harvestdetect.embed.transformer import TransformerEncoder, runs_on_cpu
from harvestdetect.errors import CacheError
from harvestdetect.settings import Settings
from harvestdetect.store.folder import Notes, cache_folder
from harvestdetect.store.vectors import VectorCache
from harvestdetect.util.arrays import Digests, Floats16, Floats32
from harvestdetect.util.disk import SpareFolder
from harvestdetect.util.texts import Texts
from harvestdetect.util.vectors import Rows

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

__all__ = [
    "CACHED_VIEWS",
    "Blocks",
    "EncodeBlocks",
    "Encoder",
    "encode_texts",
    "in_turn",
    "load_encoder",
    "open_cache",
    "spare_cache",
]

CACHED_VIEWS: Final[tuple[View, ...]] = ("meaning",)
"""Views whose vectors go to the cache. Static vectors are cheap, so they are kept only in a work folder."""
BATCHES_PER_BLOCK: Final = 64
"""Number of batches whose texts are read and encoded together."""
SHARD_ROWS: Final = 50_000
"""Number of vectors after which they are written to the cache."""
SHARD_SECONDS: Final = 30.0
"""Seconds after which the vectors made so far are written to the cache."""


class Encoder(Protocol):
    """Anything that turns texts into unit vectors, each a function of its text alone."""

    @property
    def name(self) -> str:
        """For people."""
        ...

    @property
    def digest(self) -> str:
        """Hex digest over everything a vector depends on besides its text."""
        ...

    @property
    def dimensions(self) -> int:
        """The length of a vector."""
        ...

    def encode(self, texts: Sequence[str]) -> Floats32:
        """Unit rows, float32[n, d], in the order of the texts."""
        ...


Blocks: TypeAlias = Sequence[npt.NDArray[np.intp]]
"""Blocks of row numbers."""
EncodeBlocks: TypeAlias = Callable[[Encoder, Texts, Blocks], Iterable[Floats32 | Floats16]]
"""Makes the vectors of each block of some texts, in order."""


# ---------------------------------------------------------------- choosing an encoder


def load_encoder(
    view: View, *, settings: Settings, notes: Notes | None = None, spare: SpareFolder | None = None
) -> Encoder:
    """The encoder of a view, chosen by the settings.

    Args:
        view: ``wording`` or ``meaning``. The first time, ``wording`` is distilled, which takes some 20 s.
        settings: ``model``, ``allow_download``, ``cache``, ``device``, ``batch_size``, ``threads`` are read.
        notes: called with a sentence if something is done in another way than the settings ask.
        spare: the cache folder, see :func:`spare_cache`; None opens it.

    Raises:
        EncoderError: the model cannot be found, loaded or trusted.
    """
    notes = notes or (lambda note: None)
    spare = spare or spare_cache(settings, notes=notes)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    if settings.threads:
        os.environ.setdefault("RAYON_NUM_THREADS", str(settings.threads))
    made = spare.path / "models"
    if view == "wording":
        source = packaged_folder()
        digest = folder_digest(source)

        def load() -> SentenceTransformer:
            return load_transformer(source, settings=settings)

        return StaticEncoder(static_model(made, digest, load, notes=notes, spare=spare))

    folder = model_folder(settings)
    check_model_folder(folder)
    if runs_on_cpu(settings.device) and onnx_is_installed():
        try:
            return onnx_encoder(folder, made, settings=settings, spare=spare)
        except OnnxError as error:
            if spare.writable:
                notes(f"ONNX Runtime is not used: {error}")
    return TransformerEncoder(load_transformer(folder, settings=settings), folder, batch_size=settings.batch_size)


# ---------------------------------------------------------------- encoding with a cache


def spare_cache(settings: Settings, *, notes: Notes | None = None) -> SpareFolder:
    """The cache folder. A scan continues without it if it cannot be used. Never raises."""
    instead = "no vectors and models are kept there, and the next scan makes them again"
    try:
        return SpareFolder(cache_folder(settings.cache), what="cache folder", instead=instead, notes=notes)
    except CacheError as error:
        nowhere = SpareFolder(Path(os.devnull, "harvestdetect"), what="cache folder", instead=instead, notes=notes)
        nowhere.give_up(error)
        return nowhere


def open_cache(
    view: View,
    encoder: Encoder,
    *,
    settings: Settings,
    notes: Notes | None = None,
    spare: SpareFolder | None = None,
) -> VectorCache | None:
    """The cache for the vectors of an encoder; None if the settings turn it off or it cannot be used.

    Vectors of the wording view are kept only in the work folder.

    Never raises, because a scan without a cache is only slower. A failure is reported to ``notes``, or to ``spare``,
    the folder of the view, which is then given up. A folder that was given up before is not tried again.
    """
    try:
        folder = cache_folder(settings.cache) if view in CACHED_VIEWS else settings.work
        if not settings.use_cache or folder is None or (spare is not None and not spare.writable):
            return None
        return VectorCache(folder, encoder.digest, notes=notes, spare=spare)
    except CacheError as error:
        _give_up(error, notes, spare)
        return None


def encode_texts(
    encoder: Encoder,
    digests: Digests,
    texts: Texts,
    *,
    cache: VectorCache | None = None,
    batch_size: int = 64,
    by_length: bool = True,
    out: Rows | None = None,
    progress: Callable[[int], object] = lambda count: None,
    notes: Notes | None = None,
    encode_blocks: EncodeBlocks | None = None,
) -> Rows:
    """The vectors of all texts, taken from the cache if they are there.

    The vectors made so far are in the cache even if this ends with an exception, Ctrl-C included. If the cache fails,
    that is reported once and the cache is no longer used.

    Many parameters because all but the first three are independent options with defaults.

    Args:
        encoder: of the view.
        digests: V16[n], digests of the texts.
        texts: n texts.
        cache: vectors of this encoder; None encodes everything.
        batch_size: texts per batch. Blocks of 64 batches are encoded at a time.
        by_length: whether a block contains texts of about the same length. Otherwise it contains consecutive texts.
        out: float16[n, d] that is filled, in memory or in a file; None makes an array.
        progress: called with the number of texts done since the last call.
        notes: called with a sentence if the cache fails and has no folder that reports it.
        encode_blocks: encodes the blocks, None: ``encoder`` does, in this process.

    Returns:
        ``out``, float16[n, d]. Its rows have length 1 up to rounding, which :func:`harvestdetect.util.arrays.unit`
        corrects. Each row depends only on the encoder and its text.
    """
    if len(digests) != len(texts):
        raise ValueError(f"as many digests as texts are needed, got {len(digests)} and {len(texts)}")
    if out is None:
        out = np.empty((len(texts), encoder.dimensions), dtype=np.float16)
    cache, missing = _fill(cache, digests, out, notes)
    if len(missing) < len(texts):
        progress(len(texts) - len(missing))
    waiting: list[npt.NDArray[np.intp]] = []
    last = time.monotonic()
    try:
        blocks = list(_blocks(texts, missing, batch_size * BATCHES_PER_BLOCK, by_length=by_length))
        made = (encode_blocks or in_turn)(encoder, texts, blocks)
        for block, vectors in zip(blocks, made, strict=True):
            out[block] = vectors
            waiting.append(block)
            progress(len(block))
            if cache is not None and (sum(map(len, waiting)) >= SHARD_ROWS or time.monotonic() - last >= SHARD_SECONDS):
                cache = _keep(cache, digests, out, waiting, notes)
                last = time.monotonic()
    finally:
        if cache is not None:
            _keep(cache, digests, out, waiting, notes)
    return out


def in_turn(encoder: Encoder, texts: Texts, blocks: Blocks) -> Iterator[Floats32]:
    """The vectors of each block, made in this process."""
    for block in blocks:
        yield encoder.encode(texts.take(block))


def _fill(
    cache: VectorCache | None, digests: Digests, out: Rows, notes: Notes | None
) -> tuple[VectorCache | None, npt.NDArray[np.intp]]:
    """Fills ``out`` from the cache. Returns the cache, or None if it failed, and the rows that are missing."""
    missing = np.arange(len(digests))
    if cache is None or not len(digests):
        return cache, missing
    try:
        return cache, np.flatnonzero(~cache.fill(digests, out))
    except CacheError as error:
        _give_up(error, notes, cache.spare)
        return None, missing


def _blocks(
    texts: Texts, chosen: npt.NDArray[np.intp], size: int, *, by_length: bool
) -> Iterator[npt.NDArray[np.intp]]:
    """Blocks of row numbers: consecutive texts, or texts of about the same length, in random order of length so that
    progress is even."""
    if not by_length:
        for start in range(0, len(chosen), size):
            yield chosen[start : start + size]
        return
    ordered = chosen[np.argsort(texts.size[chosen], kind="stable")]
    starts = range(0, len(ordered), size)
    turn = np.random.default_rng(0).permutation(len(starts))
    for i in turn:
        yield ordered[starts[i] : starts[i] + size]


def _keep(
    cache: VectorCache,
    digests: Digests,
    vectors: Rows,
    waiting: list[npt.NDArray[np.intp]],
    notes: Notes | None,
) -> VectorCache | None:
    """Writes the waiting vectors to the cache. Returns the cache, or None if it failed."""
    if not waiting:
        return cache
    rows = np.concatenate(waiting)
    waiting.clear()
    try:
        cache.put(digests[rows], vectors[rows])
    except CacheError as error:
        _give_up(error, notes, cache.spare)
        return None
    return cache


def _give_up(error: CacheError, notes: Notes | None, spare: SpareFolder | None) -> None:
    if spare is not None:
        spare.give_up(error)
    elif notes is not None:
        notes(f"going on without the vector cache: {error}")

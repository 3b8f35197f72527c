"""The meaning view, run by torch: a sentence-transformers model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from harvestdetect.embed.model_files import encoder_digest, model_name
from harvestdetect.util.arrays import Floats32, Ints, unit

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

__all__ = ["MIN_BATCH_ROWS", "MIN_BATCH_TOKENS", "TransformerEncoder", "equal_length_batches", "runs_on_cpu"]

MIN_BATCH_TOKENS: Final = 64
"""Fewest tokens of a batch. The arithmetic of smaller matrix products differs in the last bit."""
MIN_BATCH_ROWS: Final = 2
"""Fewest rows of a batch. The arithmetic of a single row differs in the last bit."""
TOKENS_PER_ROW: Final = 64
"""Most tokens of a batch, for each row of the batch size. Batches of longer texts have fewer rows."""


class TransformerEncoder:
    """Encodes texts with a sentence-transformers model.

    Args:
        model: the model.
        folder: of its files, for the name and the digest.
        batch_size: most texts of a batch.
    """

    def __init__(self, model: SentenceTransformer, folder: Path, *, batch_size: int) -> None:
        self._model = model
        self._batch_size = batch_size
        device = model.device.type
        self.name = model_name(folder)
        self.digest = encoder_digest(folder, f"torch {device} {model.max_seq_length}")
        self.dimensions = int(self._encode(["a"]).shape[1])

    def encode(self, texts: Sequence[str]) -> Floats32:
        """Unit rows, float32[n, d], in the order of the texts."""
        out = np.empty((len(texts), self.dimensions), dtype=np.float32)
        for rows, repeats in equal_length_batches(self._token_counts(texts), self._batch_size):
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

    def _token_counts(self, texts: Sequence[str]) -> Ints:
        tokenizer = self._model.tokenizer
        if not len(texts) or not callable(tokenizer):  # a bare ``tokenizers`` model pads nothing
            return np.ones(len(texts), dtype=np.int64)
        ids = tokenizer(list(texts), truncation=True, max_length=self._model.max_seq_length)["input_ids"]
        return np.array([len(row) for row in ids], dtype=np.int64)


def equal_length_batches(counts: Ints, batch_size: int) -> Iterator[tuple[npt.NDArray[np.intp], int]]:
    """Splits texts into batches of equal token length, so that nothing is padded.

    Args:
        counts: int64[n], tokens of each text.
        batch_size: most rows of a batch.

    Yields:
        The rows of a batch, and how often to repeat them so that the batch has :data:`MIN_BATCH_ROWS` rows and
        :data:`MIN_BATCH_TOKENS` tokens.
    """
    order = np.argsort(counts, kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(counts[order])) + 1):
        if not len(group):
            continue
        length = max(1, int(counts[group[0]]))
        size = max(1, min(batch_size, batch_size * TOKENS_PER_ROW // length))
        for start in range(0, len(group), size):
            rows = group[start : start + size]
            yield rows, max(-(-MIN_BATCH_TOKENS // (length * len(rows))), -(-MIN_BATCH_ROWS // len(rows)))


def runs_on_cpu(device: str) -> bool:
    """Whether the CPU does the work. Asks torch only if it could have found another device."""
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

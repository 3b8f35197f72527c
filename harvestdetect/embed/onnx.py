"""The meaning view, run by ONNX Runtime: the same model, exported once and checked against the original."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from harvestdetect.embed.model_files import encoder_digest, first_line, load_transformer, model_name
from harvestdetect.embed.transformer import equal_length_batches
from harvestdetect.errors import CacheError
from harvestdetect.settings import Settings
from harvestdetect.store.models import is_whole, publish_folder
from harvestdetect.util.arrays import Floats32, unit
from harvestdetect.util.disk import SpareFolder, check_room, reason_of

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

__all__ = ["OnnxEncoder", "OnnxError", "onnx_encoder", "onnx_is_installed"]

EXPORT_BYTES: Final = 120_000_000
"""Bytes of free disk space that are required before a model is exported. An exported MiniLM takes 91 MB."""
MIN_COSINE: Final = 0.9999
"""Least cosine between the vectors of the exported model and of the original. Below it the export is refused."""
_EXAMPLES: Final = ("", "a", "Explain step by step why the sky is blue.", "one two three " * 40, "long " * 3_000)
"""Texts on which an exported model is compared with the original: empty, short and longer than the model reads."""


class OnnxError(Exception):
    """ONNX Runtime cannot run this model."""


class OnnxEncoder:
    """Encodes texts with an exported sentence-transformers model, from tokens to vectors.

    Args:
        made: the folder of the exported model.
        name: for people.
        digest: see :class:`~harvestdetect.embed.encoders.Encoder`.
        settings: ``batch_size`` and ``threads`` are read.
    """

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
        """Unit rows, float32[n, d], in the order of the texts."""
        prompted = [self._prompt + text for text in texts] if self._prompt else list(texts)
        ids = [tokens.ids for tokens in self._tokenizer.encode_batch_fast(prompted)]
        out = np.empty((len(texts), self.dimensions), dtype=np.float32)
        counts = np.array([len(row) for row in ids], dtype=np.int64)
        for rows, repeats in equal_length_batches(counts, self._batch_size):
            tokens = np.array([ids[i] for i in rows] * repeats, dtype=np.int64)
            feed = {"input_ids": tokens, "attention_mask": np.ones_like(tokens)}
            out[rows] = self._session.run(None, feed)[0][: len(rows)]
        return unit(out)


def onnx_is_installed() -> bool:
    """Whether the packages of the ``onnx`` extra are installed."""
    from importlib.util import find_spec

    return all(find_spec(module) is not None for module in ("onnxruntime", "onnx", "onnxscript"))


def onnx_encoder(folder: Path, made: Path, *, settings: Settings, spare: SpareFolder) -> OnnxEncoder:
    """The encoder of an exported model. The first time, the model is exported and checked, which takes some 10 s.

    Args:
        folder: of the original model.
        made: where exported models are kept.
        settings: as for :func:`~harvestdetect.embed.encoders.load_encoder`.
        spare: the cache folder, which is given up if the export cannot be written.

    Raises:
        OnnxError: the model cannot be exported, the export differs, or there is no place to keep it.
    """
    digest = encoder_digest(folder, "onnx cpu")
    name = f"{model_name(folder)} (ONNX)"
    place = made / f"onnx-{digest[:16]}"
    try:
        whole = is_whole(place)
    except CacheError as error:
        raise OnnxError(str(error)) from None
    if not whole:
        try:
            check_room(made, EXPORT_BYTES)
            model = load_transformer(folder, settings=settings.replace(device="cpu"))
            publish_folder(place, lambda temporary: _export(model, temporary, settings=settings))
        except (OSError, CacheError) as error:
            spare.give_up(error)
            raise OnnxError(reason_of(error)) from None
    try:
        return OnnxEncoder(place, name=name, digest=digest, settings=settings)
    except Exception as error:
        raise OnnxError(f"{place} cannot be loaded: {first_line(error)}") from None


def _export(model: SentenceTransformer, folder: Path, *, settings: Settings) -> None:
    """Writes a model to a folder in the ONNX format, with its tokenizer, and checks it.

    Raises:
        OnnxError: the model cannot be exported, or the exported model gives other vectors.
    """
    import torch

    try:
        tokenizer = model.tokenizer.backend_tokenizer
        tokenizer.no_padding()
        tokenizer.enable_truncation(int(model.max_seq_length))
        tokenizer.save(str(folder / "tokenizer.json"))
        tokens = torch.tensor([tokenizer.encode("an example to trace").ids] * 3)
        _export_graph(model, tokens, folder / "model.onnx")
        theirs = model.encode(list(_EXAMPLES), normalize_embeddings=True, show_progress_bar=False)
        prompt = (model.prompts or {}).get(model.default_prompt_name or "")
        about = {"prompt": prompt or "", "dimensions": int(theirs.shape[1])}
        (folder / "encoder.json").write_text(json.dumps(about), encoding="utf-8")
        ours = OnnxEncoder(folder, name="", digest="", settings=settings).encode(_EXAMPLES)
    except Exception as error:
        raise OnnxError(f"the model cannot be exported: {first_line(error)}") from None
    least = float(np.einsum("ij,ij->i", ours, theirs).min())
    if not least >= MIN_COSINE:
        raise OnnxError(f"the exported model gives other vectors (cosine {least:.4f})")


def _export_graph(model: SentenceTransformer, tokens: torch.Tensor, file: Path) -> None:
    """Writes the graph from tokens to sentence vectors, without the messages that torch prints meanwhile."""
    import contextlib
    import io
    import logging
    import warnings

    import torch

    class SentenceVectors(torch.nn.Module):  # type: ignore[misc]
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
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                SentenceVectors().eval(),
                (tokens, torch.ones_like(tokens)),
                str(file),
                dynamo=True,
                external_data=False,
                verbose=False,
                input_names=["input_ids", "attention_mask"],
                output_names=["vectors"],
                dynamic_shapes=(shape, shape),
            )
    finally:
        logger.setLevel(level)

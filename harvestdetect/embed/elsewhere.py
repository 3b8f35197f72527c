"""Embeds texts in other processes or on other machines: each task encodes a block of texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from harvestdetect.data import View
from harvestdetect.embed.encoders import Blocks, EncodeBlocks, Encoder, in_turn, load_encoder
from harvestdetect.embed.static import StaticEncoder
from harvestdetect.embed.transformer import runs_on_cpu
from harvestdetect.engines.engine import Engine, map_in_order
from harvestdetect.engines.sharing import Shared
from harvestdetect.errors import EncoderError
from harvestdetect.settings import Settings
from harvestdetect.util.arrays import Floats16, Floats32
from harvestdetect.util.texts import Texts

__all__ = ["elsewhere", "encode_on"]

PARALLEL_TEXTS: Final = 20_000
"""Number of texts from which other machines encode them."""
TEXTS_BESIDE: Final = 100_000
"""Number of texts from which other processes of this machine encode them by wording. Of fewer, two save no time."""


def elsewhere(view: View, count: int, settings: Settings, engine: Engine) -> EncodeBlocks | None:
    """What encodes blocks of texts on an engine.

    Args:
        view: to embed in.
        count: number of texts.
        settings: of the scan. Workers load the encoder of the meaning view by these.
        engine: of the scan.

    Returns:
        None if this process is to encode them, because there are few texts, or no other process. It also encodes by
        meaning itself if it has a GPU, or if there are no other machines: then it uses all cores.
    """
    least = PARALLEL_TEXTS if engine.elsewhere else TEXTS_BESIDE
    alone = engine.workers == 1 or view == "meaning"
    if count < least or (alone and not engine.elsewhere) or (view == "meaning" and not runs_on_cpu(settings.device)):
        return None

    def vectors(encoder: Encoder, texts: Texts, blocks: Blocks) -> Iterable[Floats32 | Floats16]:
        if sum(map(len, blocks)) < least:  # an earlier scan has embedded the others
            return in_turn(encoder, texts, blocks)
        return encode_on(engine, encoder, texts, blocks, view=view, settings=settings)

    return vectors


def encode_on(
    engine: Engine, encoder: Encoder, texts: Texts, blocks: Blocks, *, view: View, settings: Settings
) -> Iterator[Floats16]:
    """The vectors of each block of texts, float16[len(block), d], made on an engine.

    The encoder of the wording view is sent to the workers. They load that of the meaning view by the settings.
    """
    sent = encoder if isinstance(encoder, StaticEncoder) else _Named(view, settings, encoder.digest)
    inputs = _EncodeInputs(encoder=sent, texts=texts)
    yield from map_in_order(engine, partial(_encode_block, engine.share(inputs)), blocks)
    engine.forget(inputs)


class _Named(NamedTuple):
    """An encoder that each worker loads."""

    view: View
    settings: Settings
    digest: str
    """Of the encoder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _EncodeInputs:
    """What the tasks of an engine have in common."""

    encoder: StaticEncoder | _Named
    texts: Texts


_encoders: dict[str, Encoder] = {}
"""By digest, what this process has loaded for tasks."""


def _encode_block(work: Shared[_EncodeInputs], rows: npt.NDArray[np.intp]) -> Floats16:
    """The vectors of some texts; it runs on an engine.

    Raises:
        EncoderError: the encoder of this machine gives other vectors.
    """
    encoder: Encoder | _Named = (known := work.value()).encoder
    if isinstance(encoder, _Named):
        if encoder.digest not in _encoders:
            loaded = load_encoder(encoder.view, settings=encoder.settings)
            if loaded.digest != encoder.digest:
                raise EncoderError(
                    f"the {encoder.view} model {loaded.name} of a worker gives other vectors than the one here; "
                    "install the same version, with the same extras, and the same model on all machines"
                )
            _encoders[encoder.digest] = loaded
        encoder = _encoders[encoder.digest]
    return encoder.encode(known.texts.take(rows)).astype(np.float16)

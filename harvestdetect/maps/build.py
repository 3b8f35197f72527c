"""The table of a map: a place, an account and a location for each of its prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from harvestdetect.corpus.by_prompt import PromptSegments
from harvestdetect.data import MAP_COLUMNS, Corpus
from harvestdetect.maps.layout import layout
from harvestdetect.maps.sample import sample_prompts
from harvestdetect.util.arrays import Floats32, Ints32, unit
from harvestdetect.util.vectors import Rows

__all__ = ["map_table"]


def map_table(
    corpus: Corpus,
    parts: PromptSegments,
    vectors: Rows,
    found: Mapping[str, Ints32],
    *,
    files: Sequence[str],
    seed: int,
) -> pa.Table:
    """The map of a dump.

    Args:
        corpus: of the scan.
        parts: the parts of every prompt.
        vectors: float16[n, d], vectors of all segments.
        found: campaign id of each finding -> int32[q], its prompts, the strongest finding first.
        files: names of the files read.
        seed: of the layout.

    Returns:
        The columns of :data:`~harvestdetect.data.MAP_COLUMNS`, sorted by a key of the content of a prompt. No column
        has its text.
    """
    chosen = sample_prompts(corpus, parts, found)
    places = layout(_vectors(parts, vectors, chosen.prompts), seed=seed)
    prompts = corpus.prompts
    file = prompts.file[chosen.prompts]
    names, ids = pa.array([*files, ""], pa.string()), pa.array([*found], pa.string())
    return pa.table(
        [
            pa.array(places[:, 0], pa.float32()),
            pa.array(places[:, 1], pa.float32()),
            ids.take(pa.array(chosen.campaign, mask=chosen.campaign < 0)),
            prompts.accounts.take(pa.array(prompts.account[chosen.prompts])).cast(pa.string()),
            names.take(pa.array(np.where((file >= 0) & (file < len(files)), file, len(files)))),
            pa.array(prompts.line[chosen.prompts], pa.int64()),
        ],
        schema=MAP_COLUMNS,
    )


def _vectors(parts: PromptSegments, vectors: Rows, prompts: Ints32) -> Floats32:
    """A vector of length 1 for each prompt: the mean of the vectors of its parts, float32[n, d]."""
    start, stop = parts.start[prompts], parts.start[prompts + 1]
    found = np.zeros((len(prompts), vectors.shape[1]), np.float32)
    if not len(prompts):
        return found
    segment = np.concatenate([parts.segment[a:b] for a, b in zip(start.tolist(), stop.tolist(), strict=True)])
    which, back = np.unique(segment, return_inverse=True)
    np.add.at(found, np.repeat(np.arange(len(prompts)), stop - start), unit(vectors[which])[back.reshape(-1)])
    return unit(found)

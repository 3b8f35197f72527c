"""Published and plain detectors, adapted to name accounts, for comparison on the same dumps with the same scorer.

Every baseline takes parsed rows (``account``, ``timestamp``, ``prompt``, optional metadata) and returns findings, all
of them at the tier ``review``, ranked by their score. They see a prompt as our own detector does: messages
of the assistant are left out, the others are joined, and the text is normalised
(:func:`harvestdetect.corpus.normalize.normalize`), so that invisible characters or letter case alone mislead none.
None reads metadata. The docstring of each says what had to be changed to make the method name accounts.

    from benchmarks.baselines import BASELINES
    found = BASELINES["minhash"](rows, seed=1)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from benchmarks.baselines.accounts import seat
from benchmarks.baselines.clusters import bertopic, hdbscan
from benchmarks.baselines.duplicates import exact, minhash, volume
from benchmarks.baselines.traffic import Baseline
from benchmarks.baselines.windows import mmd

__all__ = ["BASELINES"]

BASELINES: Final[Mapping[str, Baseline]] = {
    baseline.name: baseline
    for baseline in (
        Baseline(name="volume", what="accounts above the 99th percentile of prompts", find=volume),
        Baseline(name="exact", what="texts that ten accounts or more sent word for word", find=exact),
        Baseline(name="minhash", what="near-duplicates by MinHash at Jaccard 0.7", find=minhash),
        Baseline(name="hdbscan", what="HDBSCAN over static vectors of the texts", find=hdbscan),
        Baseline(
            name="bertopic", what="MiniLM, UMAP and HDBSCAN, as BERTopic has them", find=bertopic, needs=("umap",)
        ),
        Baseline(name="mmd", what="MMD of windows of account by account traffic", find=mmd),
        Baseline(name="seat", what="SEAT: similar pairs of prompts within an account", find=seat),
    )
}
"""All baselines by name, the simplest first."""

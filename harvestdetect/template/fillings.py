"""Which prompts of a cluster fill a template."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harvestdetect.cluster.assign import Assigned
from harvestdetect.corpus.by_prompt import TEXTS_PER_READ, PromptSegments, read_representatives, representative_texts
from harvestdetect.template.alignment import kept_shares
from harvestdetect.template.clusters import ClusterSource
from harvestdetect.template.description import Description
from harvestdetect.util.amounts import MOST
from harvestdetect.util.arrays import Bools, Floats, Ints, ranges
from harvestdetect.util.redact import redact

__all__ = ["all_true", "best_filled", "fills_template", "segments_in_prompts"]


def best_filled(templates: Sequence[Description], item: Assigned, source: ClusterSource) -> Ints:
    """The template that each prompt of a cluster fills best: int64[q]; the number of templates where it fills none."""
    if not templates:
        return np.zeros(len(item.prompts), np.int64)
    share, _ = _shares([one.kept for one in templates], item, source, redacted=False)
    return np.where(share.max(axis=0) >= MOST, share.argmax(axis=0), len(templates))


def fills_template(template: Description, item: Assigned, source: ClusterSource) -> Bools:
    """Whether each prompt of a cluster fills its template: bool[q]; a prompt without a part does, for want of a text.

    Texts are redacted first, as they were when the template was made.
    """
    share, has_text = _shares([template.kept], item, source, redacted=True)
    return np.asarray((share[0] >= MOST) | ~has_text)


def _shares(
    templates: Sequence[Sequence[str]], item: Assigned, source: ClusterSource, *, redacted: bool
) -> tuple[Floats, Bools]:
    """The share of each template's fixed words that each prompt of a cluster keeps; each text is read once.

    Args:
        templates: the fixed tokens of each.
        item: the cluster.
        source: the corpus.
        redacted: whether the texts are redacted first.

    Returns:
        float64[len(templates), q], 0 where a prompt has no part; and bool[q], whether it has one.
    """
    shown = representative_texts(source.corpus, source.parts, item.prompts, item.cluster.segments)
    count = len(shown.start) - 1
    share = np.zeros((len(templates), count + 1))
    for first in range(0, count, TEXTS_PER_READ):
        last = min(first + TEXTS_PER_READ, count)
        texts = read_representatives(source.corpus, shown, first, last)
        share[:, first:last] = kept_shares(templates, [redact(text) for text in texts] if redacted else texts)
    return share[:, shown.back], shown.back >= 0


# ---------------------------------------------------------------- segments in prompts


def segments_in_prompts(item: Assigned, segments: PromptSegments) -> tuple[Ints, Ints]:
    """Which of a cluster's segments are in which of its prompts: positions in both, row by row.

    Args:
        item: the cluster.
        segments: all segments of every prompt.
    """
    start = segments.start[item.prompts]
    size = segments.start[item.prompts + 1] - start
    segment = segments.segment[ranges(start, size)]
    own = item.cluster.segments
    place = np.minimum(np.searchsorted(own, segment), len(own) - 1)
    inside = own[place] == segment
    return place[inside], np.repeat(np.arange(len(size)), size)[inside]


def all_true(values: Bools, group: Ints, count: int) -> Bools:
    """Whether all values of each group are true: bool[count]; false for a group without values.

    Args:
        values: bool[r].
        group: int64[r], the group of each value.
        count: the number of groups.
    """
    size = np.bincount(group, minlength=count)
    return np.asarray((size > 0) & (np.bincount(group, values, minlength=count) == size))

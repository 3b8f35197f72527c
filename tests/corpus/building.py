"""Rows, blocks and corpora from a few values."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from harvestdetect.corpus.build import build_corpus
from harvestdetect.data import FIELDS, NO_TIME, PROMPT_SCHEMA, Batch, Corpus

Row = dict[str, Any]
"""A row of ``PROMPT_SCHEMA``."""


def row(account: str, prompt: str | list[tuple[str, str]], **values: Any) -> Row:
    messages = [("user", prompt)] if isinstance(prompt, str) else prompt
    made: Row = {"file": 0, "line": 1, "account": account, "time": NO_TIME, "created_at": NO_TIME}
    made |= {name: None for name in FIELDS if name != "created_at"}
    return made | {"roles": [r for r, _ in messages], "parts": [t for _, t in messages]} | values


def block(rows: Sequence[Row]) -> pa.RecordBatch:
    arrays = [pa.array([r[f.name] for r in rows], f.type) for f in PROMPT_SCHEMA]
    return pa.RecordBatch.from_arrays(arrays, schema=PROMPT_SCHEMA)


def build(rows: Sequence[Row], *, cuts: Sequence[int] = (), **settings: Any) -> Corpus:
    borders = [0, *sorted(cuts), len(rows)]
    return build_corpus((Batch(prompts=block(rows[a:b])) for a, b in itertools.pairwise(borders)), **settings)

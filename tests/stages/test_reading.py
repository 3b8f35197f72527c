"""What a scan reads, and what it rejects."""

from __future__ import annotations

import pyarrow as pa
import pytest

from harvestdetect import Prompt, Settings, detect
from harvestdetect.data import PROMPT_SCHEMA, Batch, Reject
from harvestdetect.errors import InputError, UsageError
from tests.stages.making import people


def test_anything_but_prompts_is_an_error(fast: Settings) -> None:
    with pytest.raises(UsageError, match=r"^source must be paths, a table, rows .* its first item is the number 3"):
        detect([3], settings=fast)  # type: ignore[list-item]
    with pytest.raises(InputError, match="no such file: a text"):
        detect(["a text"], settings=fast)


def test_rejects_are_counted_and_kept(fast: Settings) -> None:
    reject = Reject(file="dump.jsonl", line=3, byte=40, reason="not JSON")
    empty = pa.RecordBatch.from_pylist([], PROMPT_SCHEMA)
    found = detect([Batch(prompts=empty, rejects=(reject,) * 3), Batch(prompts=empty)], settings=fast)
    assert found.counts["rejects"] == 3
    assert found.rejects == (reject,) * 3


def test_prompts_in_memory_without_account_are_rejects(fast: Settings) -> None:
    found = detect([*people(30), Prompt(account="", prompt="lost")], settings=fast)
    assert found.counts["rejects"] == 1
    assert found.rejects[0].line == 121
    assert found.counts["prompts"] == 120

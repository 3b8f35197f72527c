"""The benchmark of the search."""

from __future__ import annotations

from pathlib import Path

from benchmarks.search import made_corpus, measure


def test_what_is_measured(tmp_path: Path) -> None:
    found = dict(measure(600, tmp_path, seed=3))
    assert len(found) == 8
    assert all(float(figure) >= 0 for figure in found.values())
    assert "nearest by wording, seconds" in found


def test_the_corpus_is_sorted_by_digest() -> None:
    corpus = made_corpus(200, seed=1)
    digests = [digest.tobytes() for digest in corpus.digest]
    assert digests == sorted(set(digests))
    assert len(corpus.prompts.accounts) == 10

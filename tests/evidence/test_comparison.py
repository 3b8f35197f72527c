"""Which accounts a candidate is compared with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harvestdetect import Settings, detect
from harvestdetect.data import Prompt
from harvestdetect.evidence.candidate import Comparison
from harvestdetect.evidence.starts import active_days
from harvestdetect.stages import measuring

HOUR, DAY = 3_600, 86_400
T0 = 1_700_000_000


def test_accounts_of_a_candidate_are_not_among_those_it_is_compared_with() -> None:
    account = np.repeat(np.arange(6, dtype=np.int32), 3)
    time = T0 + np.tile(np.arange(3) * DAY, 6) + account * HOUR
    everyone = np.ones(6, bool)
    active = active_days(account, time, everyone, candidates=True).without(np.array([1, 4], np.int32))
    assert active.number.tolist() == [0, 2, 3, 5]
    assert active.others.tolist() == [3, 3, 3, 3]
    assert active.begun[active.place[active.number]].tolist() == [T0 + n * HOUR for n in (0, 2, 3, 5)]
    shared = active_days(account, time, everyone)
    assert shared.without(np.array([1], np.int32)) is shared


def prompts(*, alone: int) -> list[Prompt]:
    """Twelve groups of fifteen accounts with a template each, and accounts whose texts have nothing in common."""
    rng = np.random.default_rng(3)
    words = [f"{a}{b}" for a in ("mar", "tol", "ver", "sil", "pon", "gar") for b in ("ik", "os", "une", "ad", "el")]
    found = []
    for group in range(12):
        head = " ".join(rng.choice(words, 9))
        for member in range(15):
            for _ in range(4):
                text = f"{head} {' '.join(rng.choice(words, 2))}"
                found.append(Prompt(account=f"g{group}-{member}", prompt=text, time=T0 + int(rng.integers(9 * DAY))))
    for n in range(alone):
        for _ in range(4):
            text = " ".join(rng.choice(words, 14))
            found.append(Prompt(account=f"alone-{n}", prompt=text, time=T0 + int(rng.integers(9 * DAY))))
    return found


@pytest.mark.parametrize(("alone", "everyone"), [(40, True), (400, False)])
def test_all_accounts_are_compared_with_where_most_are_in_candidates(
    alone: int, everyone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, Comparison]] = []
    comparison_of = measuring.comparison_of

    def observed(campaigns: Any, scan: Any, **named: Any) -> Comparison:
        inside = np.zeros(len(scan.corpus.prompts.accounts), bool)
        for campaign in campaigns:
            inside[campaign.accounts] = True
        seen.append((int((~inside).sum()), comparison_of(campaigns, scan, **named)))
        return seen[-1][1]

    monkeypatch.setattr(measuring, "comparison_of", observed)
    detect(prompts(alone=alone), settings=Settings(encoder="fast", use_cache=False))
    ((outside, comparison),) = seen
    accounts = 180 + alone
    assert (outside < accounts / 2) == everyone
    assert len(comparison.pool.volume) == len(comparison.active.others) == (accounts if everyone else outside)
    assert (comparison.pool.place is not None) == comparison.active.candidates == everyone

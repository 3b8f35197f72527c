"""Campaigns in languages without blanks between words are found like their twins in English."""

from __future__ import annotations

import pytest

from benchmarks import languages
from benchmarks.languages import BOTS, EACH, FORMS, LANGUAGES, Judged, judge, lay, table
from harvestdetect import Settings
from harvestdetect.util.words import count_words, has_runs

MANY = 40
"""Accounts of a campaign that leaves enough evidence in a dump of this size."""

pytestmark = pytest.mark.usefixtures("loaded_once")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_campaign_is_found_and_other_traffic_gives_nothing(language: str) -> None:
    form = "template" if language == "zh+en" else "prose"
    judged = judge(lay(language, seed=1, form=form, bots=MANY), Settings(encoder="fast", use_cache=False))
    assert judged.tier  # a dump this small has little evidence, so watch is enough
    assert judged.members >= 0.8 * MANY
    assert not judged.others
    assert not judged.benign


@pytest.mark.parametrize("form", FORMS)
def test_dumps_of_a_seed_differ_in_their_texts_alone(form: str) -> None:
    english = lay("en", seed=3, form=form)
    assert sum(prompt.account in english.bots for prompt in english.prompts) == BOTS * EACH
    for language in LANGUAGES[1:]:
        other = lay(language, seed=3, form=form)
        assert other.bots == english.bots
        assert [(p.account, p.time) for p in other.prompts] == [(p.account, p.time) for p in english.prompts]
        texts = [str(p.prompt) for p in other.prompts if p.account in other.bots]
        assert all(has_runs(text) for text in texts)
        twins = [str(p.prompt) for p in english.prompts if p.account in english.bots]
        ratio = sum(map(count_words, texts)) / sum(map(count_words, twins))
        assert 0.5 < ratio < 2
        assert not any("{" in text for text in texts)


def test_the_table_has_a_line_for_each_dump(capsys: pytest.CaptureFixture[str]) -> None:
    one = Judged(tier="", members=0, others=0, benign=2)
    assert table([("zh", "prose", 5, one)]).splitlines()[-1] == f"| zh | prose | 5 | none | 0 of {BOTS} | 0 | 2 |"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(languages, "judge", lambda laid, settings: one)
        languages.main(["--languages", "zh", "--seeds", "1"])
    assert len(capsys.readouterr().out.splitlines()) == 2 + len(FORMS)

"""Measures that explain: slots swept, kinds of duplicates, focus, density of a block, coverage of a cohort."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvestdetect.corpus.normalize import normalize
from harvestdetect.data import NO_TIME
from harvestdetect.evidence import duplicates
from harvestdetect.evidence.block_density import block_density
from harvestdetect.evidence.cohort import cohort_coverage, first_seen_of
from harvestdetect.evidence.duplicates import PAIRS, duplicate_types, paired
from harvestdetect.evidence.measures import MEASURES
from harvestdetect.evidence.nulls import HEAVY, Groups, draw_groups, pool_of
from harvestdetect.evidence.observation import Observation
from harvestdetect.evidence.wording import READ_CHARACTERS, slot_sweep
from harvestdetect.evidence.work_list import focus
from harvestdetect.template.alignment import align
from harvestdetect.template.tokens import tokens
from harvestdetect.util.amounts import MIN_SAMPLE
from harvestdetect.util.arrays import Floats32, Ints
from harvestdetect.util.words import words

DAY = 86_400
T0 = 1_772_323_200
NEW = ("slot_sweep", "duplicate_types", "focus", "block_density", "cohort_coverage")
SUBJECTS = [
    *("gravity", "osmosis", "inflation", "glaciers", "enzymes", "tariffs", "sonnets", "fractals", "volcanoes"),
    *("magnets", "antibodies", "eclipses", "monsoons", "proteins", "treaties", "quarks", "estuaries", "syntax"),
    *("comets", "ligaments", "railways", "isotopes", "dialects", "orchids", "pensions", "lenses", "harmonics"),
]


def test_they_are_taken_on_a_closer_look() -> None:
    assert {m.id for m in MEASURES if m.closer_look} >= set(NEW)


# ---------------------------------------------------------------- slots


def swept(texts: list[str], kept: str, copied: list[bool] | None = None) -> Observation | None:
    cut = [[t for t, _, _ in tokens(x)] for x in texts]
    fixed = [t for t, _, _ in tokens(kept)]
    again = np.array(copied if copied is not None else [x in texts[:i] for i, x in enumerate(texts)])
    return slot_sweep(cut, [align(fixed, c) for c in cut], copied=again)


def test_a_new_filling_every_time_is_a_sweep() -> None:
    found = swept([f"Explain {s} to a child in four steps." for s in SUBJECTS], "Explain to a child in four steps.")
    assert found is not None
    assert (found.value, found.expected) == (1.0, 0.5)
    assert found.p_value < 1e-7
    assert f"a new filling in {len(SUBJECTS)} of {len(SUBJECTS)}" in found.sentence


def test_rewording_the_fixed_words_makes_no_filling_new() -> None:
    # every text is different, and yet all ask the same
    texts = [f"Explain gravity {w} to a child in four steps." for w in ("", ".", "!", ",", "?")] * 5
    ends = [x + y for x, y in zip(texts, ["", ".", "!", "?", ";"] * 5, strict=True)]
    found = swept(ends, "Explain to a child in four steps.", copied=[False] * len(ends))
    assert found is not None
    assert found.value == 1 / len(ends)
    assert found.p_value == 1.0


def test_the_most_varied_slot_decides_and_is_paid_for() -> None:
    texts = [f"Explain {s} to a {w} in four steps." for s, w in zip(SUBJECTS, ["child", "nurse", "cook"] * 9)]  # noqa: B905
    found = swept(texts, "Explain to a in four steps.")
    one = swept([f"Explain {s} to a child in four steps." for s in SUBJECTS], "Explain to a child in four steps.")
    assert found is not None
    assert one is not None
    assert found.value == 1.0
    assert found.p_value == pytest.approx(2 * one.p_value)
    assert "The most varied of 2 slots" in found.sentence


def test_a_prompt_that_repeats_one_that_was_not_read_is_no_new_filling() -> None:
    texts = [f"Explain {s} to a child in four steps." for s in SUBJECTS]
    found = swept(texts, "Explain to a child in four steps.", copied=[True] * len(texts))
    assert found is not None
    assert found.value == 0.0
    assert found.p_value == 1.0


def test_a_text_without_slots_sweeps_nothing() -> None:
    assert swept(["Explain gravity to a child."] * 9, "Explain gravity to a child.") is None
    assert (
        swept(["Explain gravity to a child."] * 9 + ["Explain it, please, to a child."], "Explain to a child")
        is not None
    )
    assert slot_sweep([], [], copied=np.zeros(0, bool)) is None


@pytest.mark.parametrize("repeat", [0.5, 0.7])
def test_fillings_that_are_passed_on_look_no_more_like_a_sweep_than_chance_allows(repeat: float) -> None:
    rng = np.random.default_rng(1)
    few = 0
    for _ in range(200):
        fillings = ["w0"]
        for i in range(1, 40):
            fillings.append(f"w{i}" if rng.random() > repeat else fillings[int(rng.integers(0, i))])
        found = swept([f"Explain {f} to a child." for f in fillings], "Explain to a child.")
        assert found is not None
        few += found.p_value <= 0.05
    assert few <= 18


# ---------------------------------------------------------------- pairs


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 3)), max_size=120),
    st.integers(0, 3),
)
def test_pairs_are_of_one_cluster_and_two_accounts_and_share_no_prompt(rows: list[tuple[int, int]], seed: int) -> None:
    account, cluster = (np.array([r[i] for r in rows], np.int64) for i in (0, 1))
    found = paired(account, cluster, seed=seed)
    assert len(found) % 2 == 0
    assert len(found) <= 2 * PAIRS
    assert len(set(found.tolist())) == len(found)
    assert (account[found[::2]] != account[found[1::2]]).all()
    assert (cluster[found[::2]] == cluster[found[1::2]]).all()


def kinds(texts: list[str], vectors: Floats32 | None = None, templates: tuple[str, ...] = ()) -> Observation | None:
    return duplicate_types(
        texts,
        account=np.arange(len(texts)),
        vectors=np.eye(len(texts), 400, dtype=np.float32) if vectors is None else vectors,
        templates=[[t for t, _, _ in tokens(x)] for x in templates],
    )


LONG = "Please tell me in great detail how {} came about, what it is good for, and who first wrote about it in a book."


def test_copies_are_told_but_for_case_blanks_and_a_typing_error() -> None:
    plain = LONG.format("gravity")
    texts = [plain, plain.upper(), plain.replace(" ", "  "), plain + "?", plain.replace("great", "geat"), plain]
    found = kinds(texts)
    assert found is not None
    assert found.value == 0.0
    assert found.p_value == 1.0
    assert "100% are copies" in found.sentence


def test_fillings_of_one_template_are_rewordings() -> None:
    texts = [f"Explain {s} {s[::-1]} and {s[::2]} {s[1::2]}" for s in SUBJECTS]
    apart = kinds(texts)
    assert apart is None or " 0% rewordings" in apart.sentence
    found = kinds(texts, templates=("Explain and",))
    assert found is not None
    assert (found.value, found.expected) == (1.0, 0.5)
    assert found.p_value == pytest.approx(0.5 ** (len(texts) // 2))
    assert "100% rewordings" in found.sentence


def test_close_vectors_are_rewordings() -> None:
    texts = [f"{s} {s[::-1]} the of and is that" for s in SUBJECTS[:20]]
    near = np.ones((20, 8), np.float32) + 0.2 * np.random.default_rng(0).standard_normal((20, 8), np.float32)
    found = kinds(texts, near)
    assert found is not None
    assert "100% rewordings" in found.sentence
    assert found.p_value == pytest.approx(0.5**10)


def test_in_other_languages_close_vectors_say_nothing() -> None:
    # an English encoder knows little of them: what it takes for close must not count against anybody
    russian = [f"{s} {s[::-1]} {s[::2]}" for s in ("гравитация", "осмос", "ледник", "тариф")]
    german = [f"{s} {s[::-1]} und {s[::2]} der {s[1::2]}" for s in ("Zollrecht", "Gletscher", "Bahnhof", "Sonette")]
    same = np.ones((8, 8), np.float32)
    for texts in (russian, german):
        found = kinds(texts, same[: len(texts)])
        assert found is None
        assert kinds([x.replace("und", "and").replace("der", "the") for x in german], same[:4]) is not None


def translations() -> list[str]:
    english = (
        "Solve the task 4711 with the library NumPy.\n1. Compute the mean of 385 and 962.\n"
        "2. Call np_mean() for this.\n3. Return the result of the steps."
    )
    german = (
        "Löse die Aufgabe 4711 mit der Bibliothek NumPy.\n1. Berechne den Mittelwert von 385 und 962.\n"
        "2. Rufe dafür np_mean() auf.\n3. Gib das Ergebnis der Schritte zurück, und nicht mehr."
    )
    japanese = (
        "ライブラリNumPyを使って課題4711を解いてください。\n1. 385と962の平均を計算します。\n"
        "2. そのために np_mean() を呼び出します。\n3. 手順の結果を返してください。"
    )
    return [english, german, japanese]


def test_translations_are_told_by_what_no_language_changes_and_shown_only() -> None:
    found = kinds(translations())
    assert found is not None
    assert "100% translations" in found.sentence
    assert found.value == 0.0
    assert found.p_value == 1.0


def test_other_languages_with_other_traces_are_no_translations() -> None:
    english, german, _ = translations()
    other = german.replace("4711", "15").replace("385", "77").replace("962", "31").replace("np_mean", "np_sum")
    assert kinds([english, other.replace("NumPy", "Torch").replace("1. ", "").replace("2. ", "")]) is None
    assert kinds([english, german * 4]) is None
    prose = ["the sea is calm and the wind was from the west", "das Meer ist ruhig, und der Wind kam von Westen"]
    assert kinds(prose) is None


def test_texts_in_one_language_are_no_translations_of_each_other() -> None:
    english = translations()[0]
    other = "The answer that is 4711 of NumPy:\n1. from 385\n2. for np_mean()\n3. with 962, which are many words more"
    found = kinds([english, other])
    assert found is None or "0% translations" in found.sentence


@pytest.mark.parametrize(
    ("name", "prompt"),
    [
        ("en", "which of the two is right for you"),
        ("de", "das ist nicht der richtige Weg und wird teuer"),
        ("fr", "quelle est la question qui vous intéresse dans le texte"),
        ("es", "cómo se hace el pan para los niños y por qué"),
        ("pt", "não sei como são os pratos do Brasil"),
        ("it", "che cosa sono gli atomi della materia"),
        ("nl", "het is niet duidelijk wat de oorzaak van het probleem is"),
        ("cyrillic", "что такое сила тяжести"),
        ("han", "什么是引力"),
        ("kana", "引力とは何ですか"),
        ("hangul", "중력이란 무엇인가요"),
        ("arabic", "ما هي الجاذبية"),
        ("devanagari", "गुरुत्वाकर्षण क्या है"),
        (None, "1234 5678"),
        (None, "gravity"),
        (None, ""),
    ],
)
def test_languages_are_told_apart(name: str | None, prompt: str) -> None:
    plain = normalize(prompt)
    assert duplicates._language(plain, frozenset(words(plain))) == name


@given(st.lists(st.text(max_size=60), min_size=2, max_size=12), st.integers(0, 9))
@settings(deadline=None)
def test_any_texts_have_kinds(texts: list[str], seed: int) -> None:
    rng = np.random.default_rng(seed)
    account = rng.integers(0, 4, len(texts))
    found = duplicate_types(
        texts, account=account, vectors=rng.standard_normal((len(texts), 4)).astype(np.float32), templates=[["a", "b"]]
    )
    if found is not None:
        assert 0 <= found.p_value <= 1
        assert 0 <= found.value <= 1
        assert all(f"-{digit}" not in found.sentence for digit in range(1, 10))


@given(st.text(max_size=200))
def test_a_text_shares_all_its_letters_with_itself(one: str) -> None:
    shared = duplicates._shared_letters([one, one])
    assert shared[0, 1] == pytest.approx(1.0)


# ---------------------------------------------------------------- focus


def grouped(account: Ints, prompts: Ints) -> Groups:
    """The prompts of accounts 0..19 as a campaign against groups of the others."""
    inside = np.zeros(int(account.max()) + 1, bool)
    inside[:20] = True
    found = draw_groups(
        pool_of(account.astype(np.int32), ~inside),
        prompts.astype(np.int32),
        account.astype(np.int32),
        seed=0,
    )
    assert found is not None
    return found


def subjects(rng: np.random.Generator, account: Ints, *, common: float) -> Floats32:
    """Vectors in 16 dimensions; those of accounts 0..19 share a direction."""
    vectors = rng.standard_normal((len(account), 16)).astype(np.float32)
    vectors[account < 20, 0] += np.float32(common)
    return vectors


ACCOUNT = np.repeat(np.arange(200), 6)


@pytest.mark.parametrize("seed", range(3))
def test_a_common_subject_is_focus(seed: int) -> None:
    vectors = subjects(np.random.default_rng(seed), ACCOUNT, common=4.0)
    found = focus(grouped(ACCOUNT, np.flatnonzero(ACCOUNT < 20)), vectors)
    assert found is not None
    assert found.p_value < 1e-4
    assert found.value > 0.3
    assert abs(found.expected) < 0.05


def test_no_common_subject_is_none() -> None:
    few = 0
    for seed in range(60):
        vectors = subjects(np.random.default_rng(seed), ACCOUNT, common=0.0)
        found = focus(grouped(ACCOUNT, np.flatnonzero(ACCOUNT < 20)), vectors)
        assert found is not None
        few += found.p_value <= 0.05
    assert few <= 9


def test_accounts_with_a_subject_each_have_no_focus() -> None:
    rng = np.random.default_rng(0)
    own = rng.standard_normal((200, 16)).astype(np.float32)
    vectors = own[ACCOUNT] + 0.1 * subjects(rng, ACCOUNT, common=0.0)
    found = focus(grouped(ACCOUNT, np.flatnonzero(ACCOUNT < 20)), vectors)
    assert found is not None
    assert abs(found.value) < 0.15
    assert found.p_value > 0.01


def test_what_members_send_besides_is_no_part_of_focus() -> None:
    rng = np.random.default_rng(3)
    vectors = subjects(rng, ACCOUNT, common=4.0)
    first = np.flatnonzero((ACCOUNT < 20) & (np.arange(len(ACCOUNT)) % 6 < 3))
    besides = np.flatnonzero((ACCOUNT < 20) & (np.arange(len(ACCOUNT)) % 6 >= 3))
    before = focus(grouped(ACCOUNT, first), vectors)
    vectors[besides] = rng.standard_normal((len(besides), 16)).astype(np.float32)
    after = focus(grouped(ACCOUNT, first), vectors)
    assert before == after


def test_one_member_has_no_focus() -> None:
    vectors = subjects(np.random.default_rng(0), ACCOUNT, common=4.0)
    assert focus(grouped(ACCOUNT, np.flatnonzero(ACCOUNT == 0)), vectors) is None


# ---------------------------------------------------------------- density


def density(account: Ints, cluster: Ints, inside: Ints, *, clusters: Ints, strays: int = 0) -> Observation | None:
    """Of all prompts of a dump (account, cluster or -1), ``inside`` being members and ``clusters`` the campaign's."""
    own = np.isin(account, inside) & np.isin(cluster, clusters)
    sent = np.bincount(account, minlength=int(account.max()) + 1)
    return block_density(
        account[own],
        np.searchsorted(clusters, cluster[own]),
        popularity=np.array([len(np.unique(account[cluster == c])) for c in clusters]),
        share=np.array([(cluster == c).mean() for c in clusters]),
        sent=sent[np.unique(account[own])],
        strays=strays,
        seed=0,
    )


def dump(rng: np.random.Generator, *, accounts: int = 150, each: int = 12, planted: int = 0) -> tuple[Ints, Ints]:
    """Prompts that fall into ten clusters by popularity; the first accounts send ``planted`` more into cluster 9."""
    account = np.repeat(np.arange(accounts), each)
    popularity = np.array([0.2, 0.15, 0.1, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05])
    cluster = rng.choice(10, len(account), p=popularity)
    extra = np.repeat(np.arange(20), planted)
    account, cluster = np.append(account, extra), np.append(cluster, np.full(len(extra), 9))
    order = np.argsort(account, kind="stable")
    return account[order], cluster[order]


def test_members_that_come_back_to_their_clusters_are_dense() -> None:
    account, cluster = dump(np.random.default_rng(0), planted=8)
    found = density(account, cluster, np.arange(20), clusters=np.array([9]))
    assert found is not None
    assert found.p_value < 1e-6
    assert found.value > 3 * found.expected


@pytest.mark.parametrize("strays", [0, 1])
def test_choosing_members_by_their_prompts_makes_no_density(strays: int) -> None:
    few = total = 0
    for seed in range(60):
        account, cluster = dump(np.random.default_rng(seed))
        count = np.bincount(account[cluster == 8], minlength=150)
        inside = np.flatnonzero(count > strays)
        found = density(account, cluster, inside, clusters=np.array([8]), strays=strays)
        total += found is not None
        few += found is not None and found.p_value <= 0.05
    assert total > 50
    assert few <= 8


@given(
    st.lists(st.tuples(st.integers(0, 19), st.integers(-1, 8)), min_size=1, max_size=300),
    st.integers(0, 5),
)
@settings(max_examples=40, deadline=None)
def test_what_a_member_sends_besides_cannot_lower_the_density(besides: list[tuple[int, int]], seed: int) -> None:
    account, cluster = dump(np.random.default_rng(seed), planted=4)
    before = density(account, cluster, np.arange(20), clusters=np.array([9]))
    account = np.append(account, [a for a, _ in besides])
    cluster = np.append(cluster, [c for _, c in besides])
    order = np.argsort(account, kind="stable")
    after = density(account[order], cluster[order], np.arange(20), clusters=np.array([9]))
    assert before is not None
    assert after is not None
    assert after.value >= before.value


def test_popular_clusters_count_less() -> None:
    account, cluster = dump(np.random.default_rng(0), planted=8)
    before = density(account, cluster, np.arange(20), clusters=np.array([9]))
    others = np.arange(20, 150)
    order = np.argsort(np.append(account, others), kind="stable")
    more = np.append(account, others)[order], np.append(cluster, np.full(130, 9))[order]
    after = density(*more, np.arange(20), clusters=np.array([9]))
    assert before is not None
    assert after is not None
    assert after.value < before.value


def test_one_busy_member_makes_no_density_of_its_own() -> None:
    account = np.append(np.repeat(np.arange(10), 3), np.zeros(500, np.int64))
    account.sort()
    found = block_density(
        account,
        np.zeros(len(account), np.int64),
        popularity=np.array([10]),
        share=np.array([0.01]),
        sent=np.full(10, 600),
        seed=0,
    )
    assert found is not None
    assert found.value < (9 * 2 + HEAVY * 2) / 10 / np.log(15) + 1e-9


def test_one_prompt_each_has_no_density() -> None:
    one = {"popularity": np.array([30]), "share": np.array([0.01]), "sent": np.full(30, 9), "seed": 0}
    assert block_density(np.arange(30), np.zeros(30, np.int64), **one) is None  # type: ignore[arg-type]
    twice = np.repeat(np.arange(30), 2)
    assert block_density(twice, np.zeros(60, np.int64), strays=1, **one) is None  # type: ignore[arg-type]


# ---------------------------------------------------------------- cohorts


def cohort(first: Ints, members: Ints, volume: Ints | None = None, outside: int = 3) -> Observation | None:
    volume = np.full(len(first), 5) if volume is None else volume
    return cohort_coverage(first_seen_of(first, volume), members.astype(np.int32), outside=outside, seed=0)


@given(
    accounts=st.lists(st.tuples(st.one_of(st.none(), st.integers(0, 30)), st.integers(1, 6)), min_size=1, max_size=80),
    time=st.tuples(st.floats(-2, 32), st.floats(-2, 32)),
    requests=st.tuples(st.floats(0, 7), st.floats(0, 7)),
)
@settings(deadline=None)
def test_accounts_are_counted_by_time_and_volume(
    accounts: list[tuple[int | None, int]], time: tuple[float, float], requests: tuple[float, float]
) -> None:
    first = np.array([NO_TIME if a is None else a for a, _ in accounts])
    volume = np.array([v for _, v in accounts])
    (low, high), (least, most) = sorted(time), sorted(requests)
    held = (first != NO_TIME) & (volume >= least) & (volume <= most)
    counted = first_seen_of(first, volume)
    assert counted.count(least, most) == held.sum()
    assert counted.count(least, most, low, high) == (held & (first >= low) & (first <= high)).sum()


def joined(rng: np.random.Generator, count: int = 600) -> Ints:
    return T0 + rng.integers(0, 40 * DAY, count)


def test_members_that_joined_together_cover_their_cohort() -> None:
    first = joined(np.random.default_rng(0))
    first[:40] = T0 + 7 * DAY + np.arange(40) * 600
    found = cohort(first, np.arange(40))
    assert found is not None
    assert found.p_value < 1e-10
    assert found.value > 0.7
    assert found.expected == pytest.approx(40 / 600)
    assert "93% of the 43 accounts that sent such prompts are members" in found.sentence


def test_a_wave_of_newcomers_is_no_cohort_of_the_campaign() -> None:
    rng = np.random.default_rng(0)
    first = joined(rng)
    first[:400] = T0 + 7 * DAY + rng.integers(0, DAY, 400)
    found = cohort(first, np.arange(380, 420))
    assert found is not None
    assert found.p_value > 0.01


@pytest.mark.parametrize("count", [2 * MIN_SAMPLE, 60])
def test_members_that_first_seen_of_others_did_are_none(count: int) -> None:
    few = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        volume = rng.geometric(0.1, 600)
        found = cohort(joined(rng), np.sort(rng.permutation(600)[:count]), volume)
        assert found is not None
        few += found.p_value <= 0.05
    assert few <= 18


def test_accounts_of_another_size_are_not_compared() -> None:
    rng = np.random.default_rng(0)
    first, volume = joined(rng), np.full(600, 5)
    first[:40] = T0 + 7 * DAY + np.arange(40) * 600
    # as many visitors came that day, who sent one prompt each
    first[40:440] = T0 + 7 * DAY + rng.integers(0, 40 * 600, 400)
    volume[40:440] = 1
    found = cohort(first, np.arange(40), volume)
    assert found is not None
    assert found.p_value < 1e-8


def test_too_few_times_are_no_cohort() -> None:
    first = joined(np.random.default_rng(0))
    first[: 41 - 2 * MIN_SAMPLE] = NO_TIME
    assert cohort(first, np.arange(40)) is None
    assert cohort(np.full(600, NO_TIME), np.arange(40)) is None
    first[40 - 2 * MIN_SAMPLE] = T0
    assert cohort(first, np.arange(40)) is not None


# ---------------------------------------------------------------- how long it takes


def test_a_large_campaign_is_measured_in_a_second() -> None:
    rng = np.random.default_rng(0)
    members, each, others = 2_500, 20, 10_000
    account = np.concatenate((np.repeat(np.arange(members), each), np.repeat(members + np.arange(others), 6)))
    own = np.arange(members * each, dtype=np.int32)
    cluster = rng.integers(0, 8, len(own))
    vectors = rng.standard_normal((len(account), 48), np.float32)
    inside = np.arange(members + others) < members
    groups = draw_groups(pool_of(account.astype(np.int32), ~inside), own, account.astype(np.int32), seed=0)
    assert groups is not None
    swept(["Explain gravity."] * 2, "Explain")  # what is imported on first use is imported now
    start = time.process_time()
    pairs = paired(account[own], cluster, seed=0)
    shown = [LONG.format(SUBJECTS[i % 27]) * 12 for i in range(len(pairs))]
    cut = [[t for t, _, _ in tokens(x[:READ_CHARACTERS])] for x in shown]
    fixed = [t for t, _, _ in tokens(LONG)]
    done = [
        slot_sweep(cut, [align(fixed, c) for c in cut], copied=np.zeros(len(cut), bool)),
        duplicate_types(shown, account=account[pairs], vectors=vectors[pairs], templates=[fixed] * 24),
        focus(groups, vectors),
        density(account[own], cluster, np.arange(members), clusters=np.arange(8)),
        cohort(joined(rng, members + others), np.arange(members)),
    ]
    assert time.process_time() - start < 1.0
    assert all(e is not None and 0 <= e.p_value <= 1 for e in done)


def test_many_slots_that_only_repeat_are_no_sweep() -> None:
    # three slots, each always filled alike: every p-value is 1, before any correction
    texts = [["a", "x", "b", "y", "c", "z"]] * 12
    found = slot_sweep(texts, [[(0, 0), (1, 2), (2, 4)]] * 12, copied=np.ones(12, bool))
    assert found is not None
    assert (found.p_value, found.value) == (1.0, 0.0)

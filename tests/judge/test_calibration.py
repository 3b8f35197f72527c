"""Calibration on benign traffic: what it lowers, a file that round-trips, errors that say what is wrong."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import harvestdetect.calibration
from harvestdetect import __version__
from harvestdetect.cli.main import main
from harvestdetect.context import Context
from harvestdetect.data import (
    PROMPT_SCHEMA,
    TIERS,
    BenignExplanation,
    Detection,
    Evidence,
    Family,
    Prompt,
    SourceFile,
    Tier,
)
from harvestdetect.errors import CalibrationError, OutputError, SettingsError, UsageError
from harvestdetect.judge import calibration as calibrating
from harvestdetect.judge.calibration import (
    CONFIDENCE,
    MATTERS,
    Calibration,
    Half,
    check_calibration,
    expected_findings,
    fit_calibration,
    half_of,
    summary,
)
from harvestdetect.judge.calibration_file import VERSION, load_calibration, save_calibration
from harvestdetect.judge.ledger import EFFECT, Ledger
from harvestdetect.judge.measure import judgements_of
from harvestdetect.judge.members_file import shipped_member_model
from harvestdetect.judge.resolve import Scale
from harvestdetect.pipeline import Scan
from harvestdetect.settings import Settings, load_settings
from harvestdetect.util.files import file_digest
from tests.judge.curves import toy_curve

pytestmark = pytest.mark.usefixtures("loaded_once")

P_VALUES = st.one_of(st.floats(0, 1), st.floats(0, 320).map(lambda x: 10.0**-x))
FAMILIES: Mapping[str, Family] = {"even_load": "structure", "flat_day": "time", "rigid_wording": "text"}
LEDGER = Ledger(
    curves={id_: toy_curve((0.0, 12.0), (-1.0, 8.0), (1.0, 0.001), family=family) for id_, family in FAMILIES.items()},
    prior=-3.0,
    steady=20.0,
)
STRANGE = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    evidence: tuple[Evidence, ...]
    benign: tuple[BenignExplanation, ...] = ()
    templated: bool = True
    targets: tuple[str, ...] = ()
    readings: Mapping[str, float] = field(default_factory=dict)


def weighed(cap: Tier | None = None, copies: float | None = None, **p_values: float) -> Weighed:
    """A candidate with p-values of measures, and one reading."""
    fits = BenignExplanation(id="rule", name="a rule", verdict="fits", statistic=1.0, sentence="A sentence.", caps=cap)
    return Weighed(
        evidence=tuple(
            Evidence(
                id=id_, name=f"the {id_}", family=FAMILIES[id_], value=2.0, null="chance", expected=1.0, p_value=p,
                sentence="A sentence.",
            )
            for id_, p in p_values.items()
        ),
        benign=(fits,) if cap else (),
        readings={} if copies is None else {"copies": copies},
    )  # fmt: skip


def detection(prompts: int = 1000, name: str = "benign.jsonl") -> Detection:
    file = SourceFile(name=name, format="jsonl", bytes=10, sha256="ab" * 32, rows=prompts, rejects=0)
    counts = {"prompts": prompts, "accounts": 50, "files": 1, "rejects": 0, "first_seen": 5, "last_seen": 9}
    return Detection(
        findings=(),
        rejects=(),
        counts=counts,
        settings={},
        models={"wording": "d1"},
        versions={"harvestdetect": __version__, "numpy": "2"},
        files=(file,),
        stages=(),
    )


def fitted(
    candidates: Sequence[Weighed], halves: Sequence[Half] | None = None, options: Settings | None = None
) -> Calibration:
    return fit_calibration(
        detection(),
        candidates,
        halves or [Half(candidates=candidates[::2], prompts=400), Half(candidates=candidates[1::2], prompts=600)],
        ledger=LEDGER,
        settings=options or Settings(encoder="fast"),
        created="2026-11-20T10:00:00+00:00",
    )


def tiers(candidates: Sequence[Any], calibration: Calibration | None = None) -> list[Tier | None]:
    """The tiers of the candidates of a scan, with or without a calibration."""
    scale = Scale(fdr=0.2, ledger=LEDGER, members=shipped_member_model(), calibration=calibration)
    return [judgement.tier for judgement in scale.judge(candidates)]


# ---------------------------------------------------------------- what it lowers


def test_what_is_usual_in_benign_traffic_is_no_finding() -> None:
    strange = weighed(even_load=STRANGE, flat_day=STRANGE)
    assert tiers([strange]) == ["urgent"]
    usual = fitted([strange] * 60)
    assert tiers([strange], usual) == [None]
    half = fitted([weighed(even_load=STRANGE, flat_day=0.5)] * 60)
    assert tiers([strange], half) == ["review"]
    assert tiers([strange], fitted([weighed(even_load=0.5, flat_day=0.5)] * 60)) == ["urgent"]


CANDIDATES = st.lists(
    st.builds(
        weighed,
        even_load=P_VALUES,
        flat_day=P_VALUES,
        cap=st.sampled_from([None, "review", "watch"]),
        copies=st.one_of(st.none(), st.floats(-5, 0)),
    ),
    max_size=12,
)


@given(CANDIDATES, CANDIDATES)
@settings(max_examples=100, deadline=None)
def test_a_calibration_raises_no_probability(candidates: list[Any], benign: list[Weighed]) -> None:
    innocents = fitted(benign).innocents
    before, after = (judgements_of(candidates, ledger=LEDGER, fdr=0.2, innocents=some) for some in ((), innocents))
    for one, other in zip(before, after, strict=True):
        assert other.probability <= one.probability + 1e-12
        assert other.score <= one.score + 1e-4


def test_one_without_candidates_changes_nothing() -> None:
    candidates = [weighed(even_load=1e-5, flat_day=0.1), weighed(rigid_wording=STRANGE)]
    scales = [Scale(fdr=0.2, ledger=LEDGER, members=shipped_member_model(), calibration=c) for c in (None, fitted([]))]
    assert scales[0].judge(candidates) == scales[1].judge(candidates)  # type: ignore[arg-type]


# ---------------------------------------------------------------- fitting


def test_fitting_keeps_the_values_of_every_candidate() -> None:
    found = fitted([weighed(even_load=0.5), weighed(even_load=0.1, flat_day=0.01, copies=-2.0), weighed(copies=-1.0)])
    assert found.innocents == (
        {"even_load": pytest.approx(0.30103), f"even_load{EFFECT}": 1.0},
        {"even_load": 1.0, f"even_load{EFFECT}": 1.0, "flat_day": 2.0, f"flat_day{EFFECT}": 1.0, "copies": -2.0},
        {"copies": -1.0},
    )
    counts = {"prompts": 1000, "accounts": 50, "first_seen": 5, "last_seen": 9}
    assert found.counts == {"candidates": 3, "calibrating": 3, **counts}
    assert found.files == (("benign.jsonl", "ab" * 32),)
    assert set(found.settings) == set(MATTERS)
    assert found.held_out_prompts == 1000
    assert len(found.held_out) == 3


def test_candidates_that_a_hard_rule_holds_down_to_watch_are_not_learnt_from() -> None:
    candidates = [weighed(even_load=0.5), weighed(even_load=1e-9, cap="watch"), weighed(even_load=0.2, cap="review")]
    found = fitted(candidates)
    assert [one["even_load"] for one in found.innocents] == pytest.approx([0.30103, 0.69897])
    assert (found.counts["candidates"], found.counts["calibrating"]) == (3, 2)
    assert len(found.held_out) == 3
    assert summary(found, fdr=0.2).startswith("2 innocent candidates\n")
    assert summary(fitted(candidates[:1]), fdr=0.2).startswith("1 innocent candidate\n")


def test_a_benign_dump_without_candidates() -> None:
    found = fitted([])
    assert found.innocents == ()
    rates = expected_findings(found, prompts=1000, fdr=0.2)
    assert {t: (r.found, r.expected) for t, r in rates.items()} == dict.fromkeys(TIERS, (0, 0.0))
    assert rates["urgent"].at_most == pytest.approx(-math.log(1 - CONFIDENCE))
    assert summary(found, fdr=0.2).splitlines()[2].startswith("urgent: 0 findings per 100,000 benign prompts")
    assert "e+" not in summary(found, fdr=0.2)


def test_the_rate_is_of_each_half_calibrated_on_the_other() -> None:
    """What one half shows to be usual is no finding in the other."""
    strange = [weighed(even_load=STRANGE) for _ in range(60)]
    both = [Half(candidates=strange, prompts=500), Half(candidates=strange, prompts=500)]
    assert expected_findings(fitted(strange, both), prompts=1000, fdr=0.2)["review"].found == 0
    one = [Half(candidates=strange[:1], prompts=500), Half(candidates=[weighed(even_load=0.5)] * 60, prompts=500)]
    assert expected_findings(fitted(strange, one), prompts=1000, fdr=0.2)["review"].found == 1


def test_rates_by_tier_cut_and_size() -> None:
    strange = {"even_load": STRANGE, "flat_day": STRANGE}
    one = Half(candidates=[weighed(**strange), weighed(**strange, cap="watch")], prompts=30_000)
    found = fitted([], [one, Half(candidates=[], prompts=20_000)])
    rates = expected_findings(found, prompts=100_000, fdr=0.2)
    assert {t: (r.found, r.expected) for t, r in rates.items()} == {
        "urgent": (1, 2.0),
        "review": (0, 0.0),
        "watch": (1, 2.0),
    }
    assert rates["urgent"].at_most > rates["urgent"].expected
    assert expected_findings(found, prompts=100_000, fdr=1e-13)["urgent"].found == 0
    assert expected_findings(replace(found, held_out_prompts=0), prompts=5, fdr=0.2) == {}


@given(st.lists(st.text(min_size=1, max_size=6), max_size=30))
@settings(max_examples=60, deadline=None)
def test_halves_split_the_accounts(names: list[str]) -> None:
    from harvestdetect.data import Batch, Prompt
    from harvestdetect.dump import batches_of

    batches: list[Batch] = list(batches_of([Prompt(account=name, prompt="hello") for name in names]))
    parts = [[a for b in half_of(batches, half) for a in b.prompts.column("account").to_pylist()] for half in (0, 1)]
    whole = [a for b in batches for a in b.prompts.column("account").to_pylist()]
    assert sorted(parts[0] + parts[1]) == sorted(whole)
    assert not set(parts[0]) & set(parts[1])
    assert all(b.prompts.schema == PROMPT_SCHEMA for b in half_of(batches, 0))


def test_halves_are_about_halves_and_keep_what_else_a_batch_holds() -> None:
    from harvestdetect.data import Prompt
    from harvestdetect.dump import batches_of

    (batch,) = batches_of([Prompt(account=f"a{i}", prompt="x") for i in range(2000)])
    file = detection().files
    first, second = (next(half_of([replace(batch, files=file)], half)) for half in (0, 1))
    assert 850 < len(first.prompts) < 1150
    assert len(first.prompts) + len(second.prompts) == 2000
    assert first.files == second.files == file
    assert isinstance(first.prompts, pa.RecordBatch)


# ---------------------------------------------------------------- the file


@given(CANDIDATES, st.text(max_size=20))
@settings(max_examples=60, deadline=None)
def test_a_calibration_survives_its_file(
    tmp_path_factory: pytest.TempPathFactory, candidates: list[Weighed], name: str
) -> None:
    file = tmp_path_factory.mktemp("calibration") / "benign.json"
    found = replace(fitted(candidates), files=((name, "ab" * 32),))
    save_calibration(found, file)
    first = file.read_bytes()
    assert first.isascii()
    assert first.endswith(b"}\n")
    assert load_calibration(file) == found
    assert load_calibration(file).sha256 == file_digest(file)
    save_calibration(load_calibration(file), file)
    assert file.read_bytes() == first
    assert [f.name for f in file.parent.iterdir()] == [file.name]


@pytest.fixture
def stored(tmp_path: Path) -> Callable[..., Path]:
    """Writes the file of a calibration with some of its values changed, or other text."""

    def write(text: str | None = None, **changes: Any) -> Path:
        file = tmp_path / "benign.json"
        save_calibration(fitted([weighed(even_load=0.1, copies=-1.0)] * 3), file)
        if text is None:
            values = json.loads(file.read_text())
            values.update(changes)
            text = json.dumps({k: v for k, v in values.items() if v is not ...})
        file.write_text(text, encoding="utf-8")
        return file

    return write


@pytest.mark.parametrize("text", ["", "{", "\x00", '{"format": "harvestdetect-calibration"', "[" * 100_000, "NaN"])
def test_what_is_not_json_is_named(stored: Callable[..., Path], text: str) -> None:
    file = stored(text)
    with pytest.raises(CalibrationError, match=r"is not valid JSON|is no calibration") as raised:
        load_calibration(file)
    assert str(file) in str(raised.value)
    assert raised.value.exit_code == 2


@pytest.mark.parametrize("text", ["[]", "3", "null", "{}", '{"format": "other", "version": 1}', '"a text"'])
def test_other_json_is_no_calibration(stored: Callable[..., Path], text: str) -> None:
    with pytest.raises(CalibrationError, match="is no calibration; make one with harvestdetect calibrate"):
        load_calibration(stored(text))


@pytest.mark.parametrize("version", [0, VERSION + 1, "1", None, 1.5, True])
def test_another_version_of_the_file_is_refused(stored: Callable[..., Path], version: Any) -> None:
    with pytest.raises(CalibrationError, match=rf"is of version {version!r}, this harvestdetect reads {VERSION}; make"):
        load_calibration(stored(version=version))


@pytest.mark.parametrize("version", [1, 2])
def test_a_calibration_by_p_values_must_be_made_again(stored: Callable[..., Path], version: int) -> None:
    with pytest.raises(CalibrationError, match=rf"is of version {version}, whose p-values no longer decide; make it"):
        load_calibration(stored(version=version, measures={"even_load": [0.1, 0.5]}))


@pytest.mark.parametrize(
    "changes",
    [
        {"innocents": ...},
        {"innocents": {}},
        {"innocents": [0.5]},
        {"innocents": [{"even_load": "0.5"}]},
        {"innocents": [{"even_load": None}]},
        {"innocents": [{"even_load": [0.5]}]},
        {"held_out": ...},
        {"held_out": [[0.1, 0.2]]},
        {"held_out": [[0.1, 0.2, "0.3"]]},
        {"held_out": [[-0.1, 0.2, 0.3]]},
        {"held_out_prompts": -1},
        {"held_out_prompts": 1.5},
        {"counts": {"prompts": "many"}},
        {"files": [["name"]]},
        {"settings": {"k": [1]}},
        {"models": {"wording": 3}},
        {"versions": 3},
        {"created": 3},
    ],
)
def test_a_damaged_file_is_refused(stored: Callable[..., Path], changes: Mapping[str, Any]) -> None:
    with pytest.raises(CalibrationError, match="is damaged: "):
        load_calibration(stored(**changes))


def test_a_file_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match=r"cannot read the calibration .*: No such file"):
        load_calibration(tmp_path / "none.json")
    with pytest.raises(CalibrationError, match=r"cannot read the calibration .*: Is a directory"):
        load_calibration(tmp_path)
    with pytest.raises(OutputError, match="cannot write the calibration"):
        save_calibration(fitted([]), tmp_path / "none" / "benign.json")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="cannot write the calibration"):
        save_calibration(fitted([]), tmp_path / "folder")
    assert [f.name for f in tmp_path.iterdir()] == ["folder"]


# ---------------------------------------------------------------- whether it fits the scan


def test_a_scan_of_the_same_kind_may_use_it() -> None:
    own = Settings(encoder="fast", seed=1)
    found = fitted([], options=own)
    other = own.replace(seed=7, fdr=0.05, threads=2)
    check_calibration(found, settings=other, version=__version__)
    check_calibration(found, settings=other, version=__version__, models={"wording": "d1", "meaning": "d9"})


CHANGED = {
    "encoder": "full",
    "find_preambles": False,
    "segment_characters": 500,
    "max_windows": 2,
    "k": 40,
    "min_samples": 4,
    "min_cluster_size": 9,
    "distance_floor": 0.2,
    "distance_cap": 0.8,
    "selection": "leaf",
    "min_accounts": 12,
    "max_account_share": 0.5,
    "link_log_p": -20.0,
}


@pytest.mark.parametrize("name", [name for name in MATTERS if name != "registry"])
def test_a_scan_with_other_settings_may_not(name: str) -> None:
    own = Settings(encoder="fast")
    message = rf"^the calibration was made with {name} = .*, this scan has {CHANGED[name]!r}; make it again, or scan"
    with pytest.raises(CalibrationError, match=message):
        check_calibration(fitted([], options=own), settings=own.replace(**{name: CHANGED[name]}), version=__version__)


ENTRY = """[[entry]]
id = "own"
kind = "scaffold"
text = "{}"
owner = "trust team"
expires = {}
"""


def test_nor_one_that_takes_other_scaffolds_out(tmp_path: Path) -> None:
    """What counts are the entries, not the file that holds them nor what it says beside them."""
    own, same = tmp_path / "own.toml", tmp_path / "same.toml"
    own.write_text(ENTRY.format("the words of our own product", "9999-12-31"))
    same.write_text("# moved\n" + ENTRY.format("the words of our own product", "9999-12-30"))
    shipped = Settings(encoder="fast")
    mine, none = shipped.replace(registry=own), shipped.replace(use_registry=False)
    for made in (shipped, mine, none):
        for scanned in (shipped, mine, none):
            if made == scanned:
                check_calibration(fitted([], options=made), settings=scanned, version=__version__)
                continue
            with pytest.raises(CalibrationError, match=r"made with registry = .*, or scan with the same registry$"):
                check_calibration(fitted([], options=made), settings=scanned, version=__version__)
    found = fitted([], options=mine)
    check_calibration(found, settings=shipped.replace(registry=same), version=__version__)
    check_calibration(fitted([], options=none), settings=none.replace(registry=own), version=__version__)
    own.write_text(ENTRY.format("other words of our own product", "9999-12-31"))
    with pytest.raises(CalibrationError, match="made with registry = "):
        check_calibration(found, settings=mine, version=__version__)
    own.write_text(ENTRY.format("the words of our own product", "2001-01-01"))
    with pytest.raises(CalibrationError, match="made with registry = "):
        check_calibration(found, settings=mine, version=__version__)
    check_calibration(fitted([], options=shipped), settings=mine, version=__version__)


def test_nor_one_with_another_model_or_version() -> None:
    own = Settings(encoder="fast")
    with pytest.raises(CalibrationError, match=r"another model for the wording view"):
        check_calibration(fitted([]), settings=own, version=__version__, models={"wording": "d2"})
    with pytest.raises(CalibrationError, match=rf"made by harvestdetect {__version__}, this is 9\.9"):
        check_calibration(fitted([]), settings=own, version="9.9")


def test_one_of_a_version_with_the_same_measures_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Settings(encoder="fast")
    older = dataclasses.replace(fitted([]), versions={"harvestdetect": "0.1.0", "numpy": "2"})
    with pytest.raises(CalibrationError, match=rf"made by harvestdetect 0\.1\.0, this is {__version__}"):
        check_calibration(older, settings=own, version=__version__)
    monkeypatch.setattr(calibrating, "SAME_MEASURES", frozenset({"0.1.0", __version__}))
    check_calibration(older, settings=own, version=__version__)
    with pytest.raises(CalibrationError, match=rf"made by harvestdetect 0\.0\.9, this is {__version__}"):
        check_calibration(
            dataclasses.replace(older, versions={"harvestdetect": "0.0.9"}), settings=own, version=__version__
        )


# ---------------------------------------------------------------- the setting and the command


def test_the_setting_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().calibration is None
    monkeypatch.setenv("HOME", str(tmp_path))
    made = load_settings(environment={"HARVESTDETECT_CALIBRATION": "~/benign.json"})
    assert made.calibration == tmp_path / "benign.json"
    assert made.to_dict()["calibration"] == str(tmp_path / "benign.json")
    assert Settings().to_dict()["calibration"] is None
    wrong: Any = 3
    with pytest.raises(SettingsError, match=r"^calibration must be a file, got 3$"):
        Settings(calibration=wrong)


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """Stands in for the main job: every account is a candidate. Gives the settings of each call."""
    seen: list[Settings] = []

    def run_scan(source: Any, context: Context, *, measure_all: bool) -> Scan:
        assert measure_all
        seen.append(context.settings)
        names = [a for batch in source for a in batch.prompts.column("account").to_pylist()]
        measured: Any = [weighed(even_load=0.5) for _ in sorted(set(names))]
        return Scan(detection=detection(len(names)), measured=measured)

    monkeypatch.setattr(harvestdetect.calibration, "run_scan", run_scan)
    for name in ("HARVESTDETECT_CALIBRATION", "HARVESTDETECT_ENCODER"):
        monkeypatch.delenv(name, raising=False)
    return seen


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[Any, str, str]:
    with pytest.raises(SystemExit) as end:
        main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return end.value.code, out, err


def dump(file: Path, rows: int) -> Path:
    row = {"timestamp": "2026-06-01T10:00:00Z", "prompt": "write a poem about the sea"}
    file.write_text("".join(json.dumps({"account": f"a{i}", **row}) + "\n" for i in range(rows)), encoding="utf-8")
    return file


def test_calibrate_scans_the_whole_and_both_halves(
    tmp_path: Path, scans: list[Settings], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "made" / "benign.json"
    source = dump(tmp_path / "dump.jsonl", 60)
    code, printed, err = run(capsys, "calibrate", source, "--out", out, "--encoder", "fast", "--min-accounts", 12)
    assert (code, err) == (0, "")
    assert len(scans) == 3
    found = load_calibration(out)
    assert found.settings["min_accounts"] == 12
    assert len(found.innocents) == 60
    assert len(found.held_out) == found.held_out_prompts == 60
    assert printed.startswith(
        "60 prompts of 50 accounts gave 60 candidates. The calibration uses the 60 that no hard rule caps."
    )
    assert "\n\n60 innocent candidates\n" in printed
    assert f"scan DUMP --calibration {out} --out OUT" in printed
    check_calibration(found, settings=Settings(encoder="fast", min_accounts=12), version=__version__)


def test_calibrate_takes_what_can_be_read_three_times(tmp_path: Path, scans: list[Settings]) -> None:
    source = dump(tmp_path / "dump.jsonl", 60)
    rows = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()]
    prompts = [Prompt(account=row["account"], prompt=row["prompt"]) for row in rows]
    settings = Settings(encoder="fast", min_accounts=12)
    for given_source in (source, [str(source)], rows, pa.Table.from_pylist(rows), prompts):
        made = harvestdetect.calibration.calibrate(given_source, settings=settings)
        assert made.candidates == 60
        assert made.detection.map is None
    assert len(scans) == 15
    with pytest.raises(UsageError, match="calibrate reads its source three times, and an iterator can be read once"):
        harvestdetect.calibration.calibrate(iter(prompts), settings=settings)


def test_calibrate_says_which_of_its_three_scans_runs(tmp_path: Path, scans: list[Settings]) -> None:
    seen: list[tuple[int, int]] = []

    @contextmanager
    def told(what: str, total: int) -> Iterator[Callable[[int], None]]:
        assert (what, total) == ("scans", 3)
        yield lambda count: seen.append((count, len(scans)))

    source = dump(tmp_path / "dump.jsonl", 60)
    harvestdetect.calibration.calibrate(source, settings=Settings(encoder="fast", min_accounts=12), progress=told)
    assert seen == [(1, 1), (1, 2), (1, 3)]


@pytest.mark.parametrize("arguments", [[], ["--registry"], ["--no-registry"]])
def test_calibrate_scans_with_the_registry_that_it_names(
    tmp_path: Path,
    scans: list[Settings],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
) -> None:
    for name in ("HARVESTDETECT_REGISTRY", "HARVESTDETECT_USE_REGISTRY"):
        monkeypatch.delenv(name, raising=False)
    own, out = tmp_path / "own.toml", tmp_path / "benign.json"
    own.write_text(ENTRY.format("the words of our own product", "9999-12-31"))
    given_file = [own] if arguments == ["--registry"] else []
    source = dump(tmp_path / "dump.jsonl", 5)
    code, _, _ = run(capsys, "calibrate", source, "--out", out, "--encoder", "fast", *arguments, *given_file)
    assert code == 0
    expected = Settings(
        encoder="fast",
        registry=own if given_file else None,
        use_registry=arguments != ["--no-registry"],
        make_map=False,
    )
    assert scans == [expected] * 3
    check_calibration(load_calibration(out), settings=expected, version=__version__)


def test_calibrate_does_not_calibrate_with_a_calibration(
    tmp_path: Path, scans: list[Settings], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARVESTDETECT_CALIBRATION", "old.json")
    code, _, _ = run(capsys, "calibrate", dump(tmp_path / "dump.jsonl", 5), "--out", tmp_path / "new.json")
    assert code == 0
    assert all(s.calibration is None for s in scans)


def test_calibrate_says_what_is_wrong(
    tmp_path: Path, scans: list[Settings], capsys: pytest.CaptureFixture[str]
) -> None:
    source = dump(tmp_path / "dump.jsonl", 5)
    for arguments, status, message in (
        (["calibrate", "-", "--out", tmp_path / "x"], 2, "which standard input (-) does not allow; name files"),
        (["calibrate", source, "--out", tmp_path], 2, "--out must be a file"),
        (["calibrate", source], 2, "Missing option '--out'"),
        (["calibrate", tmp_path / "none", "--out", tmp_path / "x"], 1, "none"),
        (["calibrate", dump(tmp_path / "empty.jsonl", 0), "--out", tmp_path / "x"], 1, "no prompt could be read"),
    ):
        code, printed, err = run(capsys, *arguments)
        assert (code, printed) == (status, ""), message
        assert message in err
    assert not (tmp_path / "x").exists()

"""Settings: every range, every source, in the order of precedence."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvestdetect.dump import read_dumps
from harvestdetect.errors import SettingsError, UsageError
from harvestdetect.settings import ENVIRONMENT_PREFIX, Settings, load_settings

NOTHING: dict[str, str] = {}


def write(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "settings.toml"
    file.write_text(text, encoding="utf-8")
    return file


# ---------------------------------------------------------------- ranges


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("max_line_bytes", 999, "max_line_bytes must be at least 1000, got 999"),
        ("segment_characters", 39, "segment_characters must be at least 40, got 39"),
        ("segment_characters", 100_001, "segment_characters must be at most 100000, got 100001"),
        ("max_windows", -1, "max_windows must be at least 0, got -1"),
        ("max_windows", 1_001, "max_windows must be at most 1000, got 1001"),
        ("batch_size", 0, "batch_size must be at least 1, got 0"),
        ("batch_size", 65_537, "batch_size must be at most 65536, got 65537"),
        ("k", 1, "k must be at least 2, got 1"),
        ("k", 1_001, "k must be at most 1000, got 1001"),
        ("exact_below", 0, "exact_below must be at least 1, got 0"),
        ("min_samples", 0, "min_samples must be at least 1, got 0"),
        ("min_samples", 1_001, "min_samples must be at most 1000, got 1001"),
        ("min_cluster_size", 1, "min_cluster_size must be at least 2, got 1"),
        ("min_accounts", 1, "min_accounts must be at least 2, got 1"),
        ("threads", -1, "threads must be at least 0, got -1"),
        ("threads", 1_025, "threads must be at most 1024, got 1025"),
        ("seed", -1, "seed must be at least 0, got -1"),
        ("seed", 2**32, "seed must be at most 4294967295, got 4294967296"),
        ("seed", 10**400, "seed must be at most 4294967295, got about 1e+400"),
        ("seed", -(10**400), "seed must be at least 0, got about -1e+400"),
        ("max_line_bytes", 2**70, "max_line_bytes must be at most 2147483647, got 1.18059e+21"),
        ("exact_below", 10**20, "exact_below must be at most 2147483647, got 1e+20"),
        ("min_cluster_size", 10**20, "min_cluster_size must be at most 1000000, got 1e+20"),
        ("min_accounts", 2**31, "min_accounts must be at most 2147483647, got 2147483648"),
        ("memory_gb", 10**400, "memory_gb must be a number of up to 308 digits, got about 1e+400"),
        ("auto_budget_seconds", 10**400, "auto_budget_seconds must be a number of up to 308 digits, got "),
        ("link_log_p", -(10**400), "link_log_p must be a number of up to 308 digits, got about -1e+400"),
        ("max_rejects", 10**400, "max_rejects must be a number of up to 308 digits, got about 1e+400"),
        ("fdr", 10**400, "fdr must be at most 1, got about 1e+400"),
        ("distance_floor", -0.1, "distance_floor must be at least 0, got -0.1"),
        ("distance_floor", 2.1, "distance_floor must be at most 2, got 2.1"),
        ("distance_cap", -0.1, "distance_cap must be at least 0, got -0.1"),
        ("distance_cap", 2.1, "distance_cap must be at most 2, got 2.1"),
        ("max_account_share", -0.1, "max_account_share must be at least 0, got -0.1"),
        ("max_account_share", 1.1, "max_account_share must be at most 1, got 1.1"),
        ("fdr", -0.1, "fdr must be at least 0, got -0.1"),
        ("fdr", 1.1, "fdr must be at most 1, got 1.1"),
        ("auto_budget_seconds", -1.0, "auto_budget_seconds must be at least 0, got -1"),
        ("link_log_p", 0.5, "link_log_p must be at most 0, got 0.5"),
        ("max_rejects", -1, "max_rejects must be at least 0, got -1"),
    ],
)
def test_a_value_out_of_its_range_is_named_with_range_and_value(name: str, value: Any, message: str) -> None:
    with pytest.raises(SettingsError) as raised:
        Settings(**{name: value})
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("encoder", "quick", "auto, fast, full"),
        ("selection", "all", "account, leaf, eom"),
        ("format", "xlsx", "auto, jsonl, csv, parquet"),
        ("device", "tpu", "auto, cpu, cuda, mps"),
        ("encoder", None, "auto, fast, full"),
        ("encoder", 3, "auto, fast, full"),
    ],
)
def test_a_word_out_of_its_list_is_named_with_the_list(name: str, value: Any, allowed: str) -> None:
    with pytest.raises(SettingsError) as raised:
        Settings(**{name: value})
    assert str(raised.value) == f"{name} must be one of {allowed}, got {value!r}"


@pytest.mark.parametrize("value", [True, False, "5", [5], math.nan])
@pytest.mark.parametrize("name", ["k", "seed", "fdr", "max_rejects"])
def test_a_number_must_be_a_number(name: str, value: Any) -> None:
    with pytest.raises(SettingsError, match=f"^{name} must be "):
        Settings(**{name: value})


@pytest.mark.parametrize("name", ["k", "min_samples", "min_cluster_size", "min_accounts", "batch_size", "seed"])
def test_a_count_must_be_whole(name: str) -> None:
    value: Any = 12.5
    with pytest.raises(SettingsError, match=f"^{name} must be "):
        Settings(**{name: value})


def test_settings_that_contradict_each_other_are_named() -> None:
    with pytest.raises(SettingsError, match=r"^min_samples must be at most k = 4, got 5$"):
        Settings(k=4)
    with pytest.raises(SettingsError, match=r"^distance_floor must be below distance_cap = 0.1, got 0.1$"):
        Settings(distance_cap=0.1)


@pytest.mark.parametrize(
    "changes",
    [
        {"max_line_bytes": 1_000},
        {"segment_characters": 40},
        {"segment_characters": 100_000},
        {"max_windows": 0},
        {"k": 2, "min_samples": 2},
        {"k": 1_000, "min_samples": 1_000},
        {"min_cluster_size": 2, "min_accounts": 2},
        {"distance_floor": 0.0, "distance_cap": 2.0},
        {"fdr": 0.0, "max_account_share": 1.0},
        {"link_log_p": 0.0, "auto_budget_seconds": 0.0},
        {"seed": 2**32 - 1, "threads": 1_024, "batch_size": 65_536, "exact_below": 1},
        {"max_line_bytes": 2**31 - 1, "exact_below": 2**31 - 1},
        {"min_cluster_size": 1_000_000, "min_accounts": 2**31 - 1},
        {"memory_gb": math.inf, "auto_budget_seconds": math.inf, "link_log_p": -math.inf, "max_rejects": math.inf},
        {"max_rejects": 0.0},
        {"max_rejects": None},
        {"max_rejects": 0.05},
    ],
)
def test_the_ends_of_the_ranges_are_allowed(changes: dict[str, Any]) -> None:
    made = Settings(**changes)
    assert {name: getattr(made, name) for name in changes} == changes


def test_the_longest_line_that_is_allowed_can_be_read(tmp_path: Path) -> None:
    for name, text in (("a.csv", "account,prompt\na,hi\n"), ("a.jsonl", '{"account": "a", "prompt": "hi"}\n')):
        (tmp_path / name).write_text(text)
        dumps = read_dumps([tmp_path / name], settings=Settings(max_line_bytes=2**31 - 1))
        assert sum(batch.prompts.num_rows for batch in dumps) == 1


@pytest.mark.parametrize("name", ["cache", "calibration", "registry", "work", "model"])
def test_a_path_holds_no_nul_character(tmp_path: Path, name: str) -> None:
    file = write(tmp_path, f'{name} = "a\\u0000b"\n')
    with pytest.raises(SettingsError, match=rf"^{name} must be without a NUL character, got 'a\\x00b'$"):
        load_settings(file, environment=NOTHING)


@pytest.mark.parametrize("name", ["cache", "calibration", "registry", "work"])
def test_a_home_folder_that_is_not_known_is_named(tmp_path: Path, name: str) -> None:
    file = write(tmp_path, f'{name} = "~nobodyx/a"\n')
    with pytest.raises(SettingsError, match=rf"^{name} names a home folder that is not known: '~nobodyx/a'$"):
        load_settings(file, environment=NOTHING)


def test_a_settings_error_is_a_usage_error() -> None:
    with pytest.raises(UsageError) as raised:
        Settings(k=0)
    assert raised.value.exit_code == 2


def test_settings_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().k = 3  # type: ignore[misc]


# ---------------------------------------------------------------- replace, to_dict


def test_replace_changes_a_copy() -> None:
    before = Settings(k=20)
    after = before.replace(seed=7, encoder="fast")
    assert (after.k, after.seed, after.encoder) == (20, 7, "fast")
    assert before == Settings(k=20)


def test_replace_checks_names_and_ranges() -> None:
    with pytest.raises(SettingsError, match=r"^unknown setting 'knn'; known: mapping, profile, format, ") as raised:
        Settings().replace(knn=3)
    for name in ("k", "fdr", "threads", "max_account_share"):
        assert f", {name}" in str(raised.value)
    with pytest.raises(SettingsError, match=r"^k must be at least 2, got 0"):
        Settings().replace(k=0)


def test_to_dict_holds_plain_values_of_every_setting(tmp_path: Path) -> None:
    plain = Settings(mapping={"prompt": "body"}, cache=tmp_path).to_dict()
    assert set(plain) == {f.name for f in dataclasses.fields(Settings)}
    assert plain["mapping"] == {"prompt": "body"}
    assert type(plain["mapping"]) is dict
    assert plain["cache"] == str(tmp_path)
    assert Settings().to_dict()["cache"] is None


# ---------------------------------------------------------------- sources


def test_without_sources_the_defaults_hold() -> None:
    assert load_settings(environment=NOTHING) == Settings()


def test_flags_win_over_environment_over_file_over_defaults(tmp_path: Path) -> None:
    file = write(tmp_path, "k = 20\nseed = 1\nmin_accounts = 5\nfdr = 0.2\n")
    environment = {"HARVESTDETECT_SEED": "2", "HARVESTDETECT_MIN_ACCOUNTS": "6", "OTHER_K": "3"}
    made = load_settings(file, environment=environment, flags={"min_accounts": 7, "fdr": None})
    assert (made.k, made.seed, made.min_accounts, made.fdr) == (20, 2, 7, 0.2)
    assert made.min_cluster_size == Settings().min_cluster_size


def test_the_process_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT_PREFIX + "ENCODER", "fast")
    assert load_settings().encoder == "fast"


def test_environment_variables_take_the_type_of_the_setting() -> None:
    made = load_settings(
        environment={
            "HARVESTDETECT_K": "40",
            "HARVESTDETECT_FDR": "0.05",
            "HARVESTDETECT_MAX_REJECTS": "0.5",
            "HARVESTDETECT_USE_CACHE": "false",
            "HARVESTDETECT_ALLOW_DOWNLOAD": "1",
            "HARVESTDETECT_MODEL": "some/model",
            "HARVESTDETECT_CACHE": "/some/where",
        }
    )
    assert (made.k, made.fdr, made.max_rejects) == (40, 0.05, 0.5)
    assert (made.use_cache, made.allow_download) == (False, True)
    assert (made.model, made.cache) == ("some/model", Path("/some/where"))


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [("K", "many", "int"), ("FDR", "small", "float"), ("USE_CACHE", "maybe", "bool")],
)
def test_an_environment_variable_that_cannot_be_read_is_named(name: str, text: str, kind: str) -> None:
    with pytest.raises(SettingsError) as raised:
        load_settings(environment={ENVIRONMENT_PREFIX + name: text})
    assert str(raised.value) == f"the environment variable HARVESTDETECT_{name} must be a {kind}, got {text!r}"


def test_mappings_of_file_and_flags_are_merged(tmp_path: Path) -> None:
    file = write(tmp_path, '[mapping]\nprompt = "body"\naccount = "user"\n')
    made = load_settings(file, environment=NOTHING, flags={"mapping": {"prompt": "text", "timestamp": "at"}})
    assert made.mapping == {"prompt": "text", "account": "user", "timestamp": "at"}


@pytest.mark.parametrize("value", ['"prompt"', "3", "{prompt = 3}", '["prompt"]'])
def test_a_mapping_must_be_a_table_of_names(tmp_path: Path, value: str) -> None:
    file = write(tmp_path, f"mapping = {value}\n")
    with pytest.raises(SettingsError, match=r"^mapping must be a table of names to column names, got "):
        load_settings(file, environment=NOTHING)


@pytest.mark.parametrize("value", ['"prompt"', "3", '["prompt"]'])
def test_a_mapping_must_be_a_table_of_names_beside_flags(tmp_path: Path, value: str) -> None:
    file = write(tmp_path, f"mapping = {value}\n")
    with pytest.raises(SettingsError, match=r"^mapping must be a table of names to column names, got "):
        load_settings(file, environment=NOTHING, flags={"mapping": {"account": "user"}})


def test_an_unknown_name_is_an_error_wherever_it_comes_from(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^unknown setting 'min_acounts'; known: "):
        load_settings(write(tmp_path, "min_acounts = 3\n"), environment=NOTHING)
    with pytest.raises(SettingsError, match=r"^unknown setting 'knn'; known: "):
        load_settings(environment=NOTHING, flags={"knn": 3})


def test_a_settings_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^cannot read the settings file .*none\.toml: No such file"):
        load_settings(tmp_path / "none.toml", environment=NOTHING)
    with pytest.raises(SettingsError, match=r"^cannot read the settings file .*directory"):
        load_settings(tmp_path, environment=NOTHING)
    with pytest.raises(SettingsError, match=r"^the settings file .*settings\.toml is not valid TOML: "):
        load_settings(write(tmp_path, "k = = 3\n"), environment=NOTHING)
    for text in ("k = " + "9" * 5_000, "k = " + "[" * 5_000):
        with pytest.raises(SettingsError, match="is not valid TOML: "):
            load_settings(write(tmp_path, text), environment=NOTHING)
    file = tmp_path / "latin.toml"
    file.write_bytes(b'model = "caf\xe9"\n')
    with pytest.raises(SettingsError, match="is not valid TOML: "):
        load_settings(file, environment=NOTHING)


@pytest.mark.parametrize(
    "text", ['k = "many"', "k = true", "fdr = 2.0", 'encoder = "slow"', "k = [1]", 'max_rejects = "all"']
)
def test_a_bad_value_in_the_file_is_a_settings_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError, match=f"^{text.split()[0]} must be "):
        load_settings(write(tmp_path, text), environment=NOTHING)


@pytest.mark.parametrize("text", ['use_cache = "no"', "model = 3", "cache = 3"])
def test_other_types_in_the_file_are_settings_errors(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError, match=f"^{text.split()[0]} must be "):
        load_settings(write(tmp_path, text), environment=NOTHING)


def test_the_cache_folder_of_the_home_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    file = write(tmp_path, 'cache = "~/vectors"\n')
    assert load_settings(file, environment=NOTHING).cache == tmp_path / "vectors"


@given(
    name=st.sampled_from(["k", "seed", "min_accounts", "fdr", "link_log_p"]),
    value=st.floats() | st.integers() | st.integers(300, 500).map(lambda digits: 10**digits),
)
@settings(deadline=None)
def test_any_number_gives_settings_or_a_settings_error(name: str, value: Any) -> None:
    try:
        made = Settings(**{name: value})
    except SettingsError as error:
        message = str(error)
    else:
        message = f"{name} is {getattr(made, name)}"
    assert message.startswith((f"{name} must be ", "min_samples must be at most k", f"{name} is {value}"))

"""The sensitivity study: what changes when a decision constant is half or twice what it is.

    python -m benchmarks.sensitivity [--data DIR] [--only NAME] [--stage evidence] [--docs docs/constants.md]

Every constant of :mod:`benchmarks.constants` is moved both ways on the dumps of :mod:`benchmarks.trial_dumps`, and each
dump is scanned again from the stage that the constant belongs to. Results are kept in ``--work``, so an interrupted run
goes on where it stopped; a change of the code or of the dumps starts the study anew.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import platform
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import msgspec

from benchmarks.constants import DECISIONS, Constant, defined
from benchmarks.moving import BOUNDS, MOVES
from benchmarks.pages import ran_on, write_section
from benchmarks.real_texts import data_missing
from benchmarks.replay import STAGES, stage_of
from benchmarks.sources import NotEnough
from benchmarks.trial_dumps import BENIGN, DUMPS, TrialDump, make
from benchmarks.trials import LEAST, Bench, Change, Level, Trial, tried_on
from harvestdetect.data import TIERS

__all__ = ["main", "page_of", "study"]

SECTION: Final = "constants"
"""Name of the section of the page that the table replaces."""
CODE: Final = frozenset({".py", ".toml"})
LEVELS: Final[tuple[Level, ...]] = ("nothing", "numbers", "findings")
"""From the weakest change to the strongest."""
PAGE: Final = f"""# Decision constants

Every number that can change a finding, with its unit and its meaning. A constant that has no published source has its
sensitivity: what changed on labelled dumps of the tuning part when it was half (½) and twice (×2) its value. "Findings"
are those that are new, gone or at another tier; "scores only" means that the same accounts are found at the same tiers.
Differences in recall and precision are sums over the dumps. Of a probability below 0.001 the logarithm is halved and
doubled. For constants that matter only when a scan reuses an earlier one, the study lowers `{LEAST}` so that
reuse starts. The table is written by `python -m benchmarks.sensitivity`.

<!-- {SECTION} -->
<!-- /{SECTION} -->
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What decides the results of a study, beside the constants and dumps chosen."""

    work: Path
    rows: int
    data: Path | None
    settings: Mapping[str, Any]
    bounds: bool = False
    """Whether a constant that changes no finding on a dump is also moved as far as its unit allows."""

    def folder(self) -> Path:
        """Where dumps and results of this code, size and data are kept."""
        inputs = repr((self.rows, str(self.data), sorted(self.settings.items()), _source_digest()))
        return self.work / hashlib.sha256(inputs.encode()).hexdigest()[:16]


def _source_digest() -> str:
    """Digest of the package and of the benchmarks."""
    root = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for folder in ("harvestdetect", "benchmarks"):
        for file in sorted(f for f in (root / folder).rglob("*") if f.suffix in CODE):
            digest.update(file.read_bytes())
    return digest.hexdigest()


# ---------------------------------------------------------------- trials

_BENCHES: Final[dict[str, Bench]] = {}
"""The dump that this process works on: one at a time, for each takes memory."""


def _tried(plan: Plan, constant: Constant, name: str) -> Trial:
    """One constant on one dump, from the folder where it was tried before."""
    found = _kept(plan, constant, name, tuple(MOVES))
    if plan.bounds and level_of([found]) != "findings":
        more = _kept(plan, constant, name, BOUNDS)
        return replace(found, moves={**found.moves, **more.moves})
    return found


def _kept(plan: Plan, constant: Constant, name: str, moves: tuple[str, ...]) -> Trial:
    kept = plan.folder() / "results" / name / f"{constant} {' '.join(moves)}.json"
    if kept.is_file():
        return msgspec.json.decode(kept.read_bytes(), type=Trial)
    if name not in _BENCHES:
        _BENCHES.clear()
        (dump,) = (d for d in DUMPS if d.name == name)
        _BENCHES[name] = Bench(dump, plan.folder(), rows=plan.rows, data=plan.data, settings=plan.settings)
    trial = _BENCHES[name].tried(constant, moves)
    kept.parent.mkdir(parents=True, exist_ok=True)
    partial = kept.with_suffix(".partial")
    partial.write_bytes(msgspec.json.encode(trial))
    partial.replace(kept)
    return trial


def study(
    plan: Plan, constants: Sequence[Constant], dumps: Sequence[TrialDump], *, jobs: int = 1
) -> Iterator[Trial | str]:
    """Tries constants on dumps, in processes of their own where there are several jobs.

    Yields:
        a trial, or why a dump is left out.
    """
    order = list(STAGES)
    chosen = sorted(constants, key=lambda c: order.index(stage_of(c)))
    work: list[tuple[Plan, Constant, str]] = []
    for dump in dumps:
        own = [(plan, constant, dump.name) for constant in chosen if tried_on(constant, dump)]
        try:
            for one in (dump, BENIGN)[: 2 if dump.kind == "calibrated" else 1] if own else ():
                make(one, plan.folder(), rows=plan.rows, data=plan.data)
        except NotEnough as error:
            yield f"{dump.name} is left out: {error}"
            continue
        work += own
    if jobs == 1:
        for task in work:
            yield _tried(*task)
        return
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        for future in as_completed([pool.submit(_tried, *task) for task in work]):
            yield future.result()


# ---------------------------------------------------------------- what a constant changes


def _moved(trials: Iterable[Trial], move: str) -> list[tuple[Trial, Change]]:
    return [(trial, trial.moves[move]) for trial in trials if move in trial.moves]


def level_of(trials: Iterable[Trial]) -> Level:
    """The strongest change that half or twice the value made on any dump."""
    changes = (trial.moves[move] for trial in trials for move in MOVES if move in trial.moves)
    return max((change.level for change in changes), key=LEVELS.index, default="nothing")


def _effect(trials: Sequence[Trial], move: str) -> str:
    """What one move changed over all dumps, in words; empty where the constant cannot move that way."""
    both = _moved(trials, move)
    if not both:
        return ""
    failed = [change.error for _, change in both if change.error]
    if failed:
        return f"the scan fails ({failed[0]})"
    if all(change.level == "nothing" for _, change in both):
        return "nothing"
    dumps = sum(change.level == "findings" for _, change in both)
    if not dumps:
        return "scores only"
    findings = sum(change.findings for _, change in both)
    said = [f"{_counted(findings, 'finding')} on {dumps} of {_counted(len(both), 'dump')}"]
    for name, sign, attribute in (
        ("campaigns found", "+d", "campaigns_found"),
        ("account recall", "+.3f", "account_recall"),
        ("account precision", "+.3f", "account_precision"),
        ("false alarms", "+d", "alarms"),
        ("urgent ones", "+d", "alarms_urgent"),
        ("recommended accounts", "+d", "recommended"),
        ("recognised accounts", "+d", "attributed"),
    ):
        # where one of both has no accounts there is no precision to compare
        total = sum(
            getattr(change.metrics, attribute) - getattr(trial.base, attribute)
            for trial, change in both
            if getattr(change.metrics, attribute) is not None and getattr(trial.base, attribute) is not None
        )
        if float(format(total, sign)):
            said.append(f"{name} {format(total, sign)}".replace("-", "−"))
    return ", ".join(said)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _sensitivity(trials: Sequence[Trial]) -> str:
    if not trials:
        return "not tried"
    said = {sign: _effect(trials, move) for move, sign in zip(MOVES, ("½", "×2"), strict=True)}
    effects = [f"{sign}: {effect}" for sign, effect in said.items() if effect]
    if len(said) == len(effects) and len(set(said.values())) == 1:
        effects = [f"½ and ×2: {said['½']}"]
    if any(move in trial.moves for trial in trials for move in BOUNDS):
        effects.append("at the bounds: " + " / ".join(_effect(trials, move) or "as it is" for move in BOUNDS))
    return "; ".join(effects)


def _number(value: Any) -> str:
    """A value as the table shows it."""
    if isinstance(value, tuple | list):
        return ", ".join(map(_number, value))
    if isinstance(value, dict):
        return ", ".join(f"{key} {_number(one)}" for key, one in value.items())
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def page_of(constants: Sequence[Constant], trials: Sequence[Trial], *, command: str) -> str:
    """The section of the page: one table, and which constants change nothing."""
    by_name: dict[str, list[Trial]] = {}
    for trial in trials:
        by_name.setdefault(trial.constant, []).append(trial)
    lines = [
        f"{len(constants)} constants; `{command}` on {ran_on(_versions())}.",
        "",
        "| name | value | unit | meaning | source or sensitivity |",
        "|---|---|---|---|---|",
    ]
    for constant in constants:
        one = defined(constant.module)[constant.name]
        source = f"{constant.source}. " if constant.source else ""
        cells = (
            f"`{constant}`",
            _number(one.value),
            constant.unit,
            _plain(one.meaning),
            source + _sensitivity(by_name.get(str(constant), [])),
        )
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    for level, head in (("nothing", "Nothing changes"), ("numbers", "Only scores change")):
        same = [str(c) for c in constants if str(c) in by_name and level_of(by_name[str(c)]) == level]
        if same:
            lines += ["", f"{head} on any dump when these move: {', '.join(f'`{name}`' for name in same)}."]
    return "\n".join(lines) + "\n"


def _versions() -> dict[str, str]:
    names = ("harvestdetect", "numpy", "scipy", "faiss-cpu", "hdbscan")
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in names}}


def _plain(meaning: str) -> str:
    """A docstring without the roles of reStructuredText: ``:data:`X``` becomes `X`."""
    for role in ("data", "func", "class", "attr", "meth", "mod"):
        meaning = meaning.replace(f":{role}:`~", "`").replace(f":{role}:`", "`")
    return meaning.replace("``", "`")


def report(constants: Sequence[Constant], trials: Sequence[Trial]) -> str:
    """One block a constant for the terminal, the weakest effects first."""
    by_name: dict[str, list[Trial]] = {}
    for trial in trials:
        by_name.setdefault(trial.constant, []).append(trial)
    ordered = sorted((c for c in constants if str(c) in by_name), key=lambda c: LEVELS.index(level_of(by_name[str(c)])))
    lines = []
    for constant in ordered:
        own = by_name[str(constant)]
        lines.append(f"{constant} = {_number(own[0].value)} {constant.unit}: {_sensitivity(own)}")
        for trial in own:
            for move, change in trial.moves.items():
                if change.metrics is not None and change.level == "findings":
                    tiers = ", ".join(
                        f"{t} {trial.base.findings[t]}→{change.metrics.findings[t]}"
                        for t in TIERS
                        if trial.base.findings[t] != change.metrics.findings[t]
                    )
                    summary = f"{change.findings} findings, {change.accounts} accounts at another tier"
                    if change.recommended:
                        summary += f", {change.recommended} recommendations"
                    lines.append(f"    {trial.dump}, {move}: " + "; ".join(filter(None, (summary, tiers))))
    return "\n".join(lines) + "\n"


# ---------------------------------------------------------------- the command


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the study."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.sensitivity", description="What changes when a decision constant moves."
    )
    parser.add_argument("--data", type=Path, help="folder with the public texts; without it the package's grammar")
    parser.add_argument("--rows", type=int, default=9_000, help="rows of a dump, about [default: 9000]")
    parser.add_argument("--only", default="", help="names of constants, or modules, comma-separated [default: all]")
    parser.add_argument("--stage", default="", help=f"stages, comma-separated: {', '.join(STAGES)} [default: all]")
    parser.add_argument("--dumps", default="", help=f"dumps: {', '.join(d.name for d in DUMPS)} [default: all]")
    parser.add_argument("--encoder", choices=("auto", "fast", "full"), help="of every dump [default: the dump's own]")
    parser.add_argument("--cache", type=Path, help="folder of the vector cache")
    parser.add_argument(
        "--bounds", action="store_true", help="move what changes no finding as far as its unit allows, too"
    )
    parser.add_argument("--jobs", type=int, default=1, help="processes [default: 1]")
    parser.add_argument("--work", type=Path, default=Path("sensitivity"), help="where dumps and results are kept")
    parser.add_argument("--docs", type=Path, help="Markdown page whose section to replace; made where there is none")
    parser.add_argument("--json", type=Path, help="file for all results")
    arguments = parser.parse_args(argv)
    constants = [c for c in DECISIONS if _is_chosen(c, _listed(arguments.only), _listed(arguments.stage))]
    by_name = {dump.name: dump for dump in DUMPS}
    dumps = [by_name[name] for name in _listed(arguments.dumps) or by_name if name in by_name]
    if arguments.data is not None and (missing := data_missing(arguments.data)):
        print(f"{arguments.data} lacks {', '.join(missing)}", file=sys.stderr)
        return 2
    if not constants or not dumps:
        print("no constant or dump has such a name", file=sys.stderr)
        return 2
    settings = {"encoder": arguments.encoder, "cache": arguments.cache}
    plan = Plan(
        work=arguments.work,
        rows=arguments.rows,
        data=arguments.data,
        settings={name: value for name, value in settings.items() if value is not None},
        bounds=arguments.bounds,
    )
    start, trials, left_out = time.perf_counter(), [], set[str]()
    for number, found in enumerate(study(plan, constants, dumps, jobs=arguments.jobs), start=1):
        if isinstance(found, str):
            left_out.add(found)
            continue
        trials.append(found)
        print(f"{number:>5}  {time.perf_counter() - start:7.0f} s  {found.dump}: {found.constant}", file=sys.stderr)
    trials.sort(key=lambda t: [d.name for d in DUMPS].index(t.dump))
    print(report(constants, trials), end="")
    print("".join(f"{line}\n" for line in sorted(left_out)), end="", file=sys.stderr)
    if arguments.json is not None:
        arguments.json.write_bytes(msgspec.json.format(msgspec.json.encode(trials)))
    if arguments.docs is not None:
        if not arguments.docs.is_file():
            arguments.docs.write_text(PAGE, encoding="utf-8")
        write_section(arguments.docs, SECTION, page_of(constants, trials, command=_command(arguments)))
    return 0


def _listed(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _is_chosen(constant: Constant, names: Sequence[str], stages: Sequence[str]) -> bool:
    """Whether a constant is one of some stages, and has one of some names: its own, its module's or its package's."""
    if stages and stage_of(constant) not in stages:
        return False
    return not names or any(n == constant.name or f"{constant}.".startswith(f"{n}.") for n in names)


def _command(arguments: argparse.Namespace) -> str:
    """The command, without paths."""
    options = [f"--rows {arguments.rows}"]
    options += [
        f"--{name} {value}" for name in ("only", "stage", "dumps", "encoder") if (value := getattr(arguments, name))
    ]
    return " ".join(["python -m benchmarks.sensitivity", *(["--data DIR"] if arguments.data else []), *options])


if __name__ == "__main__":
    sys.exit(main())

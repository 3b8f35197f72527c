"""The command line: a command reads its options, calls the library and prints.

Standard output carries the answer and nothing else; progress, notes and errors go to standard error. Every
error that the package raises on purpose ends as one line and an exit code, see :mod:`harvestdetect.errors`.
Text that may come from a dump is printed with its control characters shown.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
import time
import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, closing
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from harvestdetect import __version__
from harvestdetect.cli.console import answer, colored, note, quoted, shown, tell
from harvestdetect.cli.run import EXIT_INTERRUPTED, NAME, run
from harvestdetect.cli.state import COMMANDS, check_window, failure_told, scan_state
from harvestdetect.errors import HarvestdetectError, InputError, UsageError, was_interrupted

if TYPE_CHECKING:
    from harvestdetect.data import Detection, Tier
    from harvestdetect.dump import Dumps
    from harvestdetect.settings import Settings

__all__ = ["cli", "main", "run_command"]

TIERS: Final = ("urgent", "review", "watch")
"""As ``data.TIERS``, which would bring pyarrow into ``--help``."""
MEGABYTE: Final = 1_000_000
EXIT_FINDINGS: Final = 3


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and end the process with its exit code.

    Args:
        arguments: None takes those of the process.
    """
    with warnings.catch_warnings():
        if not sys.warnoptions:
            warnings.simplefilter("ignore")
        sys.exit(run_command(list(sys.argv[1:] if arguments is None else arguments)))


def run_command(arguments: list[str]) -> int:
    """Runs one command line and returns its exit code; nothing is raised."""
    return run(cli, arguments)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name=NAME, help="Show the version and exit.")
def cli() -> None:
    """Find coordinated prompt harvesting across accounts in dumps of prompts.

    \b
    Try it:  harvestdetect simulate --out trial
             harvestdetect scan trial/dump --out trial/scan
             harvestdetect evaluate trial/scan trial/truth.jsonl
    """


# ---------------------------------------------------------------- scan


def _allowed(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """A count (``20``), a share (``0.01``) or a percentage (``1%``), as ``Settings.max_rejects`` has it."""
    if value is None:
        return None
    text = value.strip()
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        number = -1.0
    if text.endswith("%") and 0 <= number <= 100:
        return number / 100 if number < 100 else float("inf")
    if text.endswith("%") or not (0 <= number < 1 or number.is_integer()) or number < 0:
        what = "a count (20), a share below 1 (0.01) or a percentage (1%)"
        raise click.BadParameter(f"{value!r} is not {what}", ctx, param)
    return number


def _mapping(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str] | None:
    mapping: dict[str, str] = {}
    for value in values:
        name, equals, column = value.partition("=")
        if not equals:
            raise click.BadParameter(f"{value!r} is not NAME=COLUMN, such as prompt=body.messages", ctx, param)
        if name.strip() in mapping:
            raise click.BadParameter(f"{name.strip()!r} is mapped twice", ctx, param)
        mapping[name.strip()] = column.strip()
    return mapping or None


_SCANNING: Final = (
    click.option(
        "--map", "mapping", multiple=True, metavar="NAME=COLUMN", callback=_mapping,
        help="Column of a field, dotted where nested: prompt=body.messages. Repeat for more. Fields: account, "
        "timestamp, prompt, org, ip, asn, user_agent, api_key, payment, email_domain, created_at, model, "
        "session. Common names are recognised by themselves.",
    ),
    click.option(
        "--input-format", "format_", type=click.Choice(["auto", "jsonl", "csv", "parquet"]),
        help="Format of the dumps.  [default: auto, by content]",
    ),
    click.option(
        "--settings", "settings_file", type=click.Path(), metavar="FILE",
        help="TOML file with settings. Flags go before environment variables (HARVESTDETECT_ENCODER=fast), those "
        "before the file.",
    ),
    click.option(
        "--encoder", type=click.Choice(["auto", "fast", "full"]),
        help="How texts are compared: fast by wording, full by wording and meaning, auto by meaning as far as "
        "the time budget allows.  [default: auto]",
    ),
    click.option(
        "--model",
        metavar="MODEL",
        help="sentence-transformers folder for the meaning view.  [default: the packaged one]",
    ),
    click.option(
        "--allow-download", is_flag=True, help="Let --model name a model to download. Nothing else goes online."
    ),
    click.option(
        "--cache", type=click.Path(path_type=Path), metavar="DIR",
        help="Folder for vectors and made models.  [default: the user's cache folder]",
    ),
    click.option("--no-cache", is_flag=True, help="Neither read nor write cached vectors."),
    click.option(
        "--registry", type=click.Path(path_type=Path), metavar="FILE",
        help="TOML file with known scaffolds and viral prompts of your own. Scaffolds are taken out of requests "
        "before they are compared.  [default: the shipped ones alone]",
    ),
    click.option("--no-registry", is_flag=True, help="Use no registry, not even the shipped one."),
    click.option("--min-accounts", type=int, metavar="N", help="Fewest accounts of a campaign.  [default: 10]"),
    click.option(
        "--selection", type=click.Choice(["account", "leaf", "eom"]),
        help="How clusters are chosen from the tree: account looks at who sent the texts; leaf and eom are "
        "those of HDBSCAN.  [default: account]",
    ),
    click.option("--seed", type=int, metavar="N", help="Seed of everything drawn at random.  [default: 0]"),
    click.option("--threads", type=int, metavar="N", help="Threads; 0 takes all cores.  [default: 0]"),
    click.option(
        "--workers", type=int, metavar="N",
        help="Processes that prepare texts while another reads; 1: one does both, 0: one for each core.  [default: 0]",
    ),
    click.option(
        "--memory", "memory_gb", type=float, metavar="GB",
        help="Memory that a scan may take. If it would need more, it ends with an error once the dumps are read. "
        "Vectors larger than a twentieth of it are kept in a temporary file.  [default: what is available]",
    ),
    click.option(
        "--work", type=click.Path(path_type=Path), metavar="DIR",
        help="Keep files as read, vectors and neighbours here: a scan that was stopped, or one of the same dumps and "
        "some more, takes them from there.  [default: nothing is kept]",
    ),
    click.option(
        "--device",
        type=click.Choice(["auto", "cpu", "cuda", "mps"]),
        help="Where the model runs.  [default: auto]",
    ),
    click.option("--quiet", "-q", is_flag=True, help="No progress and no notes on standard error."),
    click.option("--verbose", "-v", is_flag=True, help="Tell what each stage took; a traceback for internal errors."),
)  # fmt: skip
"""Options of the commands that scan."""


def _scanning(command: Callable[..., int]) -> Callable[..., int]:
    for option in reversed(_SCANNING):
        command = option(command)
    return command


class _Measured(click.Command):
    """A command with ``--metrics``, which are written also where its arguments are wrong."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        given = list(args)
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            if file := _option(given, "--metrics"):
                _Metrics(Path(file)).write(error.exit_code)
            raise


def _option(arguments: Sequence[str], name: str) -> str | None:
    """The last value of an option among arguments that need not be right; None where it has none."""
    if "--" in arguments:
        arguments = arguments[: list(arguments).index("--")]
    found = [a.removeprefix(f"{name}=") for a in arguments if a.startswith(f"{name}=")]
    found += [b for a, b in itertools.pairwise(arguments) if a == name]
    return found[-1] if found else None


@cli.command(cls=_Measured, short_help="Scan dumps for campaigns.")
@click.argument("dumps", nargs=-1, required=True, metavar="DUMP...")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the results.")
@click.option(
    "--format", "output", type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="What standard output gets: the summary table, or the whole answer as one JSON object.",
)  # fmt: skip
@click.option(
    "--calibration", type=click.Path(path_type=Path), metavar="FILE",
    help="What calibrate made of benign traffic: p-values are taken from it.  [default: the dump's own]",
)  # fmt: skip
@click.option(
    "--max-rejects", metavar="N", callback=_allowed,
    help="Bad rows allowed, as a count (20), a share (0.01) or a percentage (1%). With more, the results are "
    "written and the exit code is 4.  [default: any number]",
)  # fmt: skip
@click.option(
    "--fail-on",
    type=click.Choice(TIERS),
    help="Exit with 3 when a finding is at this tier or above.  [default: never]",
)
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Add the dumps to what earlier scans kept here, and judge all of the window: campaigns keep their ids, and "
    "alerts of the settings file are sent.  [default: nothing is remembered]",
)
@click.option(
    "--window",
    metavar="PERIOD",
    help="With --state: how far back from the newest prompt is judged, such as 45d.  [default: 45d]",
)
@click.option(
    "--trust-clock",
    is_flag=True,
    help="With --state: go on although the clock is before the last run, or far from the times of the prompts.",
)
@click.option(
    "--metrics",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write metrics of the run for Prometheus (textfile collector of node_exporter), however the run ends.",
)
@click.option(
    "--baseline", is_flag=True,
    help="With --state, for its first run: record the campaigns and send no alerts about them until they change.",
)  # fmt: skip
@click.option(
    "--group/--no-group",
    default=None,
    help="Let the group of the files read and write OUT, --state, --work and --cache.  [default: only the user may; a "
    "state stays as it was]",
)
@click.option(
    "--estimate",
    is_flag=True,
    help="Read the dumps, print the memory that the scan will need, and end without scanning.",
)
@_scanning
def scan(
    dumps: tuple[str, ...],
    out: Path,
    state: Path | None,
    window: str | None,
    trust_clock: bool,
    metrics: Path | None,
    baseline: bool,
    group: bool | None,
    estimate: bool,
    **options: Any,
) -> int:
    """Scan dumps of prompts for campaigns and write the findings into a folder.

    DUMP is a file, a glob, a folder, an s3:// or gs:// address, or - for standard input: JSON Lines, CSV or
    Parquet, plain or compressed with gzip or zstd. Each row has an account, a prompt (text, or a list of chat
    messages) and, when it is to be of use, a timestamp.

    \b
    OUT gets  report.html            the findings, to read
              campaigns.jsonl        a finding a line
              accounts.csv           a row per finding and account
              attributed.csv         of a state: accounts that filled known templates
              prompts.parquet        which prompts are in which campaign
              candidates.jsonl       all that was weighed, for explain
              accounts_seen.parquet  digests of the accounts there were, for explain
              rejects.jsonl          rows that could not be read, and why
              run.json               what was read, with what settings, how long it took

    \b
    Exit codes  0 done   1 failed   2 wrong usage   3 findings at or above --fail-on
                4 done, but more bad rows than --max-rejects allows, or a file of the
                  window of --state was lost (goes before 3)
                75 another process works on the state   130 interrupted
    """
    with _Metrics(metrics) as measured, failure_told(state, options["settings_file"]) as begun:
        needing = {"--window": window is not None, "--trust-clock": trust_clock, "--baseline": baseline}
        if state is None and any(needing.values()):
            name = next(name for name in needing if needing[name])
            raise UsageError(f"{name} needs --state; give --state DIR, or leave {name} out")
        if estimate and state is not None:
            raise UsageError(
                "--estimate counts only the named dumps, not the window of --state; leave one of the two options out"
            )
        into = None
        if state is not None:
            into = partial(
                scan_state, state, window=window or "45d", settings_file=options["settings_file"], begun=begun,
                baseline=baseline, trust_clock=trust_clock, group=group,
            )  # fmt: skip
        shared = (out, state) if group else ()
        measured.exit_code = _scan(dumps, out, into, measured.done, shared=shared, estimate=estimate, **options)
    return measured.exit_code


def _scan(
    dumps: tuple[str, ...],
    out: Path,
    into: Callable[..., tuple[Detection, tuple[str, ...]]] | None,
    done: Callable[..., None],
    *,
    shared: tuple[Path | None, ...],
    estimate: bool,
    mapping: dict[str, str] | None,
    format_: str | None,
    output: str,
    settings_file: str | None,
    allow_download: bool,
    no_cache: bool,
    no_registry: bool,
    fail_on: str | None,
    quiet: bool,
    verbose: bool,
    **flags: Any,
) -> int:
    """The scan, with the options of the command: ``into`` scans into a state, ``done`` takes what metrics say."""
    from harvestdetect.settings import load_settings

    flags |= {"mapping": mapping, "format": format_}
    flags |= {"allow_download": allow_download or None, "use_cache": False if no_cache else None}
    flags |= {"use_registry": False if no_registry else None}
    settings = _on_all_cores(load_settings(settings_file, flags=flags))

    from harvestdetect.dump import check_rejects, expand_sources
    from harvestdetect.pipeline import detect
    from harvestdetect.report import check_writable, detection_json, summary_table, write_outputs

    if shared:
        _share(*shared, settings.work, settings.cache)
    notes = (lambda sentence: None) if quiet else note
    names = _without_results(expand_sources(dumps), out, notes)
    if "-" in names and sys.stdin is None:
        raise InputError("standard input (-) is closed")
    if verbose:
        _tell_roughly(names, settings)
    if estimate:
        return _estimate(names, settings, quiet=quiet)
    check_writable(out)
    write = partial(write_outputs, out=out)
    with _dumps(names, settings, quiet=quiet) as dumps_read:
        progress = partial(_bar, quiet=quiet)
        missing: tuple[str, ...] = ()
        if into is None:
            detection = detect(dumps_read, settings=settings, progress=progress, notes=notes)
            write(detection)
            done(detection, window_complete=1)
        else:
            detection, missing = into(
                dumps_read, settings=settings, progress=progress, notes=notes, write=write, done=done
            )

        if output == "json":
            answer(detection_json(detection) + "\n", utf8=True)
        else:
            answer(summary_table(detection, width=None, color=colored()) + f"\n{shown(str(out / 'report.html'))}\n")
        if verbose:
            for cost in detection.stages:
                tell(f"{cost.stage}: {cost.seconds:.1f} s, peak memory {cost.peak_memory_mb:,.0f} MB")
            tell("memory: " + ", ".join(f"{name} {gb:.2f} GB" for name, gb in detection.memory.items()))

        rejects, prompts = detection.counts["rejects"], detection.counts["prompts"]
        rows = detection.counts.get("read_rows", prompts)
        check_window(missing, rejects, rows, settings.max_rejects)
        if not prompts:
            raise InputError(_nothing(detection, rejects))
        check_rejects(rejects, rows, settings.max_rejects)
        if fail_on and any(TIERS.index(f.tier) <= TIERS.index(fail_on) for f in detection.findings):
            return EXIT_FINDINGS
    return 0


def _tell_roughly(names: Sequence[str], settings: Settings) -> None:
    """Says what a scan will need by the sizes of the files, where these say anything."""
    from harvestdetect.dump.size import rough_rows
    from harvestdetect.util.memory import rough_gb

    if (rows := rough_rows(names)) is not None:
        need = rough_gb(rows, settings)
        tell(f"by the sizes of the files about {rows:,} rows, which need about {need:.1f} GB of memory")


def _estimate(names: Sequence[str], settings: Settings, *, quiet: bool) -> int:
    """Reads dumps and says what memory a scan of them will need."""
    from harvestdetect.pipeline import estimated

    with _dumps(names, settings, quiet=quiet) as dumps_read:
        found = estimated(dumps_read, settings=settings)
    need, allowed = found.memory["estimated"], found.memory["allowed"]
    what = "are available" if settings.memory_gb is None else "are allowed by --memory"
    answer(
        f"{found.counts['prompts']:,} prompts of {found.counts['accounts']:,} accounts, {found.counts['segments']:,} "
        f"texts: the scan will need about {need:.1f} GB of memory, and {allowed:.1f} GB {what}\n"
    )
    return 0


def _share(*folders: Path | None) -> None:
    """Shares folders with their group until the command ends."""
    from harvestdetect.util.files import shared_with_group

    shared = shared_with_group(*(folder for folder in folders if folder is not None))
    click.get_current_context().with_resource(shared)


class _Metrics:
    """Writes the metrics of a run when it ends, however it ends.

    Metrics that cannot be written change nothing of what the scan did: a line says so, and a run that would have ended
    with 0 ends with 1.
    """

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self.exit_code = 0
        self._start = time.time()
        self._told: dict[str, Any] = {}

    def done(self, detection: Detection, **more: Any) -> None:
        """Takes what a run did that did its work."""
        from harvestdetect.report.format import tier_counts

        counts = detection.counts
        self._told.update(
            rows=counts.get("read_rows", counts["prompts"]) + counts["rejects"], rejects=counts["rejects"],
            prompts_in_window=counts["prompts"], accounts_in_window=counts["accounts"],
            findings=tier_counts(detection), **more,
        )  # fmt: skip

    def __enter__(self) -> _Metrics:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        code = self.exit_code
        if error is not None:
            code = getattr(error, "exit_code", EXIT_INTERRUPTED if was_interrupted(error) else 1)
        written = self.write(code)
        self.exit_code = code or (0 if written else 1)

    def write(self, exit_code: int) -> bool:
        """Writes the file, if there is one to write; False where it cannot be written, which a line says."""
        if self.file is None:
            return True
        from harvestdetect.ops.metrics import RunMetrics, write_metrics
        from harvestdetect.ops.watch import DONE

        end = time.time()
        worked = exit_code in DONE and "rows" in self._told
        try:
            values = RunMetrics(
                last_run=end, last_success=end if worked else None, duration_seconds=max(end - self._start, 0.0),
                exit_code=exit_code, **self._told,
            )  # fmt: skip
            write_metrics(self.file, values)
        except (HarvestdetectError, OSError, ValueError) as error:
            tell(f"{NAME}: {error}")
            return False
        return True


def _on_all_cores(settings: Settings) -> Settings:
    return settings.replace(workers=0) if settings.workers is None else settings


def _without_results(names: list[str], out: Path, notes: Callable[[str], None]) -> list[str]:
    """The files to read, without those that an earlier scan wrote into OUT."""
    from harvestdetect.report import OUTPUT_NAMES
    from harvestdetect.report.format import plural

    own = {os.path.realpath(out / name) for name in OUTPUT_NAMES}
    kept = [name for name in names if name == "-" or "://" in name or os.path.realpath(name) not in own]
    if not kept:
        raise UsageError(f"all that there is to read are results of an earlier scan in {out}; name the dumps")
    if len(kept) < len(names):
        left_out = plural(len(names) - len(kept), "file")
        notes(f"left out {left_out} in {out} that an earlier scan wrote")
    return kept


@contextlib.contextmanager
def _dumps(names: Sequence[str], settings: Settings, *, quiet: bool) -> Generator[Dumps, None, None]:
    """What ``read_dumps`` gives, under a progress bar in megabytes where the sizes are known."""
    from harvestdetect.dump import read_dumps
    from harvestdetect.dump.sources import source_size

    sizes = [source_size(name) for name in names]
    known = [size for size in sizes if size is not None]
    told = 0
    with _bar("reading (MB)", -(-sum(known) // MEGABYTE), quiet=quiet or len(known) < len(sizes)) as advance:

        def passed(done: int, total: int | None) -> None:
            nonlocal told
            if done // MEGABYTE > told:
                advance(done // MEGABYTE - told)
                told = done // MEGABYTE

        with closing(read_dumps(names, settings=settings, progress=passed)) as dumps:
            yield dumps


def _bar(what: str, total: int, *, quiet: bool) -> AbstractContextManager[Callable[[int], None]]:
    from harvestdetect.cli.progress import progress_bar

    return progress_bar(what, total, quiet=quiet)


def _nothing(detection: Detection, rejects: int) -> str:
    from harvestdetect.report.format import plural

    if not detection.rejects:
        return "no prompt could be read: the dumps hold no rows"
    first = detection.rejects[0]
    line = "" if first.line is None else f", line {first.line:,}"
    return f"no prompt could be read, {plural(rejects, 'reject')}; the first: {first.file}{line}: {first.reason}"


# ---------------------------------------------------------------- calibrate


@cli.command(short_help="Learn from benign traffic what innocent groups look like.")
@click.argument("dumps", nargs=-1, required=True, metavar="DUMP...")
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="FILE", help="File to write.")
@_scanning
def calibrate(
    dumps: tuple[str, ...],
    out: Path,
    mapping: dict[str, str] | None,
    format_: str | None,
    settings_file: str | None,
    allow_download: bool,
    no_cache: bool,
    no_registry: bool,
    quiet: bool,
    verbose: bool,
    **flags: Any,
) -> int:
    """Learn from a dump of benign traffic what innocent groups look like, for scan --calibration FILE.

    DUMP is as for scan, and holds traffic of the same kind that is known to be benign: a campaign in it would hide
    others like it. It is scanned three times, whole and by halves of its accounts. The settings must be those of the
    later scans.
    """
    from harvestdetect.settings import load_settings

    flags |= {"mapping": mapping, "format": format_}
    flags |= {"allow_download": allow_download or None, "use_cache": False if no_cache else None}
    flags |= {"use_registry": False if no_registry else None}
    settings = load_settings(settings_file, flags=flags)

    from harvestdetect.calibration import calibrate as learn
    from harvestdetect.dump import check_rejects, expand_sources
    from harvestdetect.judge.calibration import save_calibration, summary
    from harvestdetect.report.format import plural

    names = [name for name in expand_sources(dumps) if name == "-" or os.path.realpath(name) != os.path.realpath(out)]
    if "-" in names:
        raise UsageError("the dumps are read three times, and standard input (-) cannot be: name files")
    if out.is_dir():
        raise UsageError(f"--out must be a file, and {out} is a folder")
    out.parent.mkdir(parents=True, exist_ok=True)

    def check(found: Detection) -> None:
        if not found.counts["prompts"]:
            raise InputError(_nothing(found, found.counts["rejects"]))
        check_rejects(found.counts["rejects"], found.counts["prompts"], settings.max_rejects)

    learnt = learn(
        partial(_dumps, names, settings, quiet=quiet), settings=settings, progress=partial(_bar, quiet=quiet),
        notes=None if quiet else note, check=check,
    )  # fmt: skip
    calibration, whole = learnt.calibration, learnt.detection
    save_calibration(calibration, out)

    high = sum(f.tier != "watch" for f in whole.findings)
    if high and not quiet:
        note(
            f"without calibration the dump has {plural(high, 'finding')} at urgent or review: see with scan that they "
            "are innocent, or they will hide others"
        )
    answer(
        f"{whole.counts['prompts']:,} prompts of {whole.counts['accounts']:,} accounts had "
        f"{plural(learnt.candidates, 'candidate')}; no innocent reading caps {calibration.counts['calibrating']:,} of "
        f"them at watch, and those are learnt from.\n\n"
        f"{shown(summary(calibration, fdr=settings.fdr), keep_lines=True)}\n\n"
        f"Next: {NAME} scan DUMP --calibration {quoted(out)} --out OUT\n"
    )
    if verbose:
        for cost in whole.stages:
            tell(f"{cost.stage}: {cost.seconds:.1f} s, peak memory {cost.peak_memory_mb:,.0f} MB")
    return 0


# ---------------------------------------------------------------- simulate


@cli.command(short_help="Write a labelled dump to try a scan on.")
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the dump and the truth.")
@click.option("--prompts", type=int, default=20_000, show_default=True, metavar="N", help="Rows of the dump.")
@click.option(
    "--harvest-share", type=float, default=0.1, show_default=True, metavar="SHARE",
    help="Share of the prompts that campaigns send to harvest, 0 to 0.9.",
)  # fmt: skip
@click.option("--days", type=int, default=30, show_default=True, metavar="N", help="Length of the window.")
@click.option("--seed", type=int, default=0, show_default=True, metavar="N", help="Everything follows from it.")
@click.option(
    "--campaigns",
    type=int,
    metavar="N",
    help="Campaigns to plant.  [default: 8 at the default size, more with more]",
)
@click.option(
    "--texts", multiple=True, metavar="FILE",
    help="Texts that the background writes instead of made-up ones: JSON Lines with a text key, or one text "
    "a line, each also .gz. More files may follow, or repeat the option.",
)  # fmt: skip
@click.option("--no-metadata", is_flag=True, help="Write account, timestamp and prompt only.")
@click.option("--start", default="2026-06-01", show_default=True, metavar="DAY", help="First day of the window.")
def simulate(files: tuple[str, ...], out: Path, texts: tuple[str, ...], no_metadata: bool, **options: Any) -> int:
    """Write a labelled dump to try a scan on: background, campaigns and look-alikes.

    The dump goes to OUT/dump, and who belongs to which group to OUT/truth.jsonl. Accounts, networks and times
    are made up, and so are the texts unless --texts is given. The same options write the same dump.
    """
    from harvestdetect.simulate import simulate as write

    made = write(out, texts=(*texts, *files), metadata=not no_metadata, **options)
    n = made.counts
    from harvestdetect.report.format import plural

    dump, results = quoted(made.files[0].parent), quoted(out / "scan")
    files_made = plural(len(made.files), "file")
    answer(
        f"{n['prompts']:,} prompts of {n['accounts']:,} accounts are in {dump} ({files_made}).\n"
        f"{n['harvest_prompts']:,} of them are the harvest of {n['campaigns']} campaigns with "
        f"{n['campaign_accounts']:,} accounts; {n['look_alikes']} groups only look like campaigns.\n"
        f"Who belongs to what is in {quoted(made.truth)}.\n\n"
        f"Next: {NAME} scan {dump} --out {results}\n"
        f"Then: {NAME} evaluate {results} {quoted(made.truth)}\n"
    )
    return 0


# ---------------------------------------------------------------- evaluate


@cli.command(short_help="Score a scan against the truth.")
@click.argument("out", type=click.Path(path_type=Path), metavar="OUT")
@click.argument("truth", type=click.Path(path_type=Path), metavar="TRUTH")
@click.option(
    "--tier", type=click.Choice(TIERS), default="review", show_default=True,
    help="Findings at this tier or above count.",
)  # fmt: skip
@click.option(
    "--format", "output", type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="What standard output gets: a table, or one JSON object.",
)  # fmt: skip
def evaluate(out: Path, truth: Path, tier: Tier, output: str) -> int:
    """Score the results of a scan against the truth of a labelled dump.

    OUT is the folder that the scan wrote, TRUTH the truth.jsonl of the dump: one group a line, with name,
    kind (campaign or look-alike), what and accounts.
    """
    from harvestdetect.data import TIERS as tiers
    from harvestdetect.simulate.evaluate import evaluate as score
    from harvestdetect.simulate.evaluate import read_findings, read_truth, render

    scores = score(read_findings(out), read_truth(truth), tiers=tiers[: tiers.index(tier) + 1])
    if output == "json":
        import msgspec

        from harvestdetect.util.escape import json_text

        answer(json_text(msgspec.to_builtins(scores), indent=2) + "\n", utf8=True)
    else:
        answer(render(scores))
    return 0


# ---------------------------------------------------------------- explain


@cli.command(short_help="Tell why a campaign or an account was judged so.")
@click.argument("out", type=click.Path(path_type=Path), metavar="OUT")
@click.argument("target", metavar="CAMPAIGN|ACCOUNT")
@click.option("--account", is_flag=True, help="Take the second argument for an account, also where a campaign has it.")
@click.option(
    "--format", "output", type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="What standard output gets: plain words, or one JSON object.",
)  # fmt: skip
def explain(out: Path, target: str, account: bool, output: str) -> int:
    """Tell why a campaign or an account was judged as it was, and what would change that.

    OUT is the folder that a scan wrote. CAMPAIGN is an id, or the beginning of one that no other has; ACCOUNT is an
    account id. For a campaign:
    the evidence by family, the accounts and candidates beside it that were not taken, and what would lift or drop it.
    For an account: every campaign that it is in or near, and what would make it recommended for action or not.

    It reads the files of the scan only. Accounts that are no members are named too: take care of what it prints.
    """
    from harvestdetect.explain import explain as explained
    from harvestdetect.explain import explanation_json, render

    explanation = explained(out, target, account=account)
    if output == "json":
        answer(explanation_json(explanation), utf8=True)
    else:
        answer(render(explanation, width=None, color=colored()))
    return 0


for command in COMMANDS:
    cli.add_command(command)

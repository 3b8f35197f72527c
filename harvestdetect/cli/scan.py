"""The command ``scan``."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from harvestdetect.cli.console import answer, colored, note, quoted, shown, tell
from harvestdetect.cli.dumps import no_prompt_message, open_dumps, progress_bar, without_results
from harvestdetect.cli.metrics import CommandWithMetrics, MetricsFile
from harvestdetect.cli.options import FOLDER, TIERS, output_option, parse_max_rejects, scan_options, settings_of
from harvestdetect.cli.run import NAME, terminable
from harvestdetect.cli.state_scan import ScanResult, StateScan, check_window, cut_sentence, report_early_failure
from harvestdetect.errors import CutFilesError, InputError, TooManyRejectsError, UsageError

if TYPE_CHECKING:
    from harvestdetect.accounts.seeds import Seeds
    from harvestdetect.data import Detection
    from harvestdetect.dump import Dumps
    from harvestdetect.settings import Settings
    from harvestdetect.signatures import Shared

__all__ = ["print_costs", "scan"]

EXIT_FINDINGS: Final = 3
"""Exit code of a scan with a finding at the tier of ``--fail-on`` or above."""
DEFAULT_WINDOW: Final = "45d"
"""Window of a scan into a state without ``--window``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """The options of the command that are not settings of the scan. Names are those of the parameters."""

    dumps: tuple[str, ...]
    out: Path
    output: str
    """``text`` or ``json``."""
    fail_on: str | None
    state: Path | None
    window: str | None
    trust_clock: bool
    baseline: bool
    around: Path | None
    metrics: Path | None
    group: bool | None
    estimate: bool
    brief: bool
    signatures: tuple[Path, ...]
    trust: tuple[Path, ...]
    signature_secret: Path | None
    settings_file: str | None
    quiet: bool
    verbose: bool


@click.command(cls=CommandWithMetrics, short_help="Scan dumps for campaigns.")
@click.argument("dumps", nargs=-1, required=True, metavar="DUMP...")
@click.option("--out", required=True, type=FOLDER, help="Folder for the results.")
@output_option("the summary table")
@click.option(
    "--calibration", type=FOLDER, metavar="FILE",
    help="File that calibrate wrote; what its innocent groups have in common says less.  [default: none]",
)  # fmt: skip
@click.option(
    "--max-rejects", metavar="N", callback=parse_max_rejects,
    help="Rejected rows to allow, as a count (20), a share (0.01) or a percentage (1%). With more, the results are "
    "written and the exit code is 4.  [default: any number]",
)  # fmt: skip
@click.option(
    "--fail-on",
    type=click.Choice(TIERS),
    help="Exit with 3 if a finding is at this tier or above.  [default: never]",
)
@click.option(
    "--state",
    type=FOLDER,
    metavar="DIR",
    help="Add the dumps to the state in this folder and judge the whole window: campaigns keep their ids, and the "
    "alerts of the settings file are sent.  [default: remember nothing]",
)
@click.option(
    "--window",
    metavar="PERIOD",
    help="With --state: length of the window that ends at the newest prompt.  [default: 45d]",
)
@click.option(
    "--trust-clock",
    is_flag=True,
    help="With --state: scan although the clock is before the last run or far from the times of the prompts.",
)
@click.option(
    "--around", type=FOLDER, metavar="FILE",
    help="Judge also the candidate around the texts or accounts in this file: a text, {\"text\": ...} or "
    "{\"account\": ...} on each line (docs/search.md). Not with --state.",
)  # fmt: skip
@click.option(
    "--metrics",
    type=FOLDER,
    metavar="FILE",
    help="Write metrics for Prometheus (textfile collector of node_exporter), even if the run fails.",
)
@click.option(
    "--baseline", is_flag=True,
    help="With --state, for its first run: record the campaigns, and send alerts about them only when they change.",
)  # fmt: skip
@click.option(
    "--group/--no-group",
    default=None,
    help="Let the group of the files read and write OUT, --state, --work and --cache.  [default: only the user; a "
    "state keeps its mode]",
)
@click.option(
    "--estimate",
    is_flag=True,
    help="Read the dumps, print how much memory the scan will need, and end without scanning.",
)
@click.option(
    "--no-map", is_flag=True,
    help="Leave out the map, a sample of the prompts in the plane. It is drawn in the report and kept in map.parquet.",
)  # fmt: skip
@click.option("--brief", is_flag=True, help="Also write brief.html, the result on one printed page.")
@click.option(
    "--signatures", type=FOLDER, multiple=True, metavar="FILE",
    help="Signature file of another provider; what it fits is in signatures.jsonl and changes no finding. Repeat for "
    "more files.  [default: none]",
)  # fmt: skip
@click.option(
    "--trust",
    type=FOLDER,
    multiple=True,
    metavar="FILE",
    help="With --signatures: public key of an issuer whom you trust. Repeat for more issuers.",
)
@click.option(
    "--signature-secret", type=FOLDER, metavar="FILE",
    help="With --signatures: secret that you share with the issuers.  [default: none]",
)  # fmt: skip
@scan_options
def scan(**options: Any) -> int:
    """Scan dumps of prompts for campaigns and write the findings into a folder.

    DUMP is a file, a glob, a folder, an s3:// or gs:// address, or - for standard input: JSON, CSV, Parquet,
    Arrow, ORC or SQLite, plain, compressed or in a tar or zip archive. It may also be a database, see --table.
    Each row needs an account and a prompt (text, or a list of chat messages). Evidence from times needs a
    timestamp as well. inspect shows how a dump is read.

    \b
    OUT gets  report.html            the findings, to read
              brief.html             with --brief: the result on one page
              campaigns.jsonl        one finding per line
              accounts.csv           one row per finding and account
              attributed.csv         with --state: accounts that filled known templates
              signatures.jsonl       with --signatures: what they fit
              prompts.parquet        which prompts belong to which campaign
              map.parquet            a sample of the prompts in the plane
              candidates.jsonl       all candidates with their evidence, for explain
              accounts_seen.parquet  digests of all accounts, for explain
              rejects.jsonl          rows that could not be read, and why
              run.json               files, settings, counts and costs of the scan

    \b
    Exit codes  0 done   1 failed   2 wrong usage   3 findings at or above --fail-on
                4 done, but more rejects than --max-rejects allows, or a file in the
                  window of --state was lost, or a file is cut off or unreadable (with
                  --state or --max-rejects); takes precedence over 3
                75 another process is using the state   130 interrupted   143 SIGTERM
    """
    request = _Request(**{f.name: options.pop(f.name) for f in dataclasses.fields(_Request)})
    metrics = MetricsFile(request.metrics)
    early_failure = report_early_failure(request.state, request.settings_file, metrics)
    with terminable(), metrics, early_failure as begins:
        _check(request)
        metrics.exit_code = _scan(request, options, metrics, begins)
    return metrics.exit_code


def _check(request: _Request) -> None:
    """Checks the options that exclude or need one another.

    Raises:
        UsageError: an option needs --state, or excludes it.
    """
    of_a_state = {
        "--window": request.window is not None, "--trust-clock": request.trust_clock, "--baseline": request.baseline,
    }  # fmt: skip
    if request.state is None and any(of_a_state.values()):
        name = next(name for name, given in of_a_state.items() if given)
        raise UsageError(f"{name} needs --state; add --state DIR, or leave {name} out")
    if request.signatures and not request.trust:
        raise UsageError("--signatures needs --trust; give the public key that you got from the issuer")
    if not request.signatures and (request.trust or request.signature_secret is not None):
        name = "--trust" if request.trust else "--signature-secret"
        raise UsageError(f"{name} needs --signatures; add --signatures FILE, or leave {name} out")
    if request.around is not None and request.state is not None:
        raise UsageError(
            "--around is for a scan without --state, because a state would remember what a person chose as a campaign; "
            "scan the dumps with --out alone"
        )
    if request.estimate and request.state is not None:
        raise UsageError(
            "--estimate counts only the named dumps, not the window of --state; leave one of the two options out"
        )


def _scan(request: _Request, options: dict[str, Any], metrics: MetricsFile, begins: Callable[[], object]) -> int:
    """Runs the scan and prints its result.

    Args:
        request: what the command was asked for.
        options: values of the options that are settings.
        metrics: takes the result.
        begins: called when a run into a state begins.

    Returns:
        The exit code.
    """
    settings = settings_of(options, request.settings_file)
    if settings.workers is None:
        settings = settings.replace(workers=0)

    from harvestdetect.accounts.seeds import load_seeds
    from harvestdetect.dump import expand_sources
    from harvestdetect.report import check_writable

    if request.group:
        _share_with_group(request.out, request.state, settings.work, settings.cache)
    notes = (lambda sentence: None) if request.quiet else note
    names = without_results(expand_sources(request.dumps), request.out, notes)
    if "-" in names and sys.stdin is None:
        raise InputError("standard input (-) is closed")
    if request.verbose:
        _print_rough_estimate(names, settings)
    if request.estimate:
        return _print_estimate(names, settings, quiet=request.quiet)
    shared = _shared(request)
    check_writable(request.out)
    seeds = None if request.around is None else load_seeds(request.around)
    with open_dumps(names, settings, quiet=request.quiet) as dumps:
        result = _result(request, dumps, settings, notes, begins, metrics, shared, seeds)
        metrics.done(result.detection, **result.figures)
        _print_result(request, result.detection)
        return _exit_code(request, result, settings)


def _shared(request: _Request) -> Shared | None:
    """What other providers shared; None if the scan uses nothing of it.

    Raises:
        SignatureError: a file or key cannot be read or trusted, or needs another secret.
    """
    if not request.signatures:
        return None
    from harvestdetect.signatures import Shared, open_signatures
    from harvestdetect.signatures.keys import others_may_read, read_secret, trusted_key
    from harvestdetect.signatures.matching import check_secret

    trust = [trusted_key(path) for path in request.trust]
    files = tuple(open_signatures(path, trust=trust) for path in request.signatures)
    place = request.signature_secret
    secret = None if place is None else read_secret(place)
    if place is not None and others_may_read(place) and not request.quiet:
        note(f"other users can read {place}; chmod 600 {quoted(place)} keeps the secret")
    shared = Shared(files=files, secret=secret)
    check_secret(shared)
    return shared


def _result(
    request: _Request, dumps: Dumps, settings: Settings, notes: Callable[[str], None], begins: Callable[[], object],
    metrics: MetricsFile, shared: Shared | None, seeds: Seeds | None,
) -> ScanResult:  # fmt: skip
    """Scans, into the state if there is one, and writes the results."""
    from harvestdetect.detection import detect
    from harvestdetect.dump import WholeFiles
    from harvestdetect.report import write_outputs

    progress = partial(progress_bar, quiet=request.quiet)

    def write(detection: Detection) -> None:
        with progress("writing", 0):
            write_outputs(detection, request.out, brief=request.brief)

    if request.state is None:
        detection = detect(dumps, settings=settings, progress=progress, notes=notes, shared=shared, seeds=seeds)
        write(detection)
        whole = WholeFiles()
        whole.add(detection.rejects)
        return ScanResult(detection=detection, cut_files=whole.cut, figures={"window_complete": 1})
    into = StateScan(
        folder=request.state, window=request.window or DEFAULT_WINDOW, trust_clock=request.trust_clock,
        baseline=request.baseline, group=request.group, settings_file=request.settings_file, begins=begins,
        metrics=metrics,
    )  # fmt: skip
    return into.run(dumps, settings=settings, progress=progress, notes=notes, write=write, shared=shared)


def _print_result(request: _Request, detection: Detection) -> None:
    from harvestdetect.report import detection_json, summary_table
    from harvestdetect.report.format import tier_counts

    if request.output == "json":
        answer(detection_json(detection) + "\n", utf8=True)
    elif request.quiet:  # journals and logs that are shipped get no word of a prompt
        counts = tier_counts(detection)
        found = ", ".join(f"{counts.get(tier, 0):,} {tier}" for tier in TIERS)
        answer(f"findings: {found}; {shown(str(request.out / 'report.html'))}\n")
    else:
        names = ("report.html", "brief.html") if request.brief else ("report.html",)
        pages = "".join(shown(str(request.out / name)) + "\n" for name in names)
        fitting = _fitting(detection) if request.signatures else ""
        answer(summary_table(detection, width=None, color=colored()) + f"{fitting}\n{pages}")
    if not request.quiet:
        for sentence in detection.warnings:
            tell(f"warning: {sentence}")
    if request.verbose:
        print_costs(detection)
        tell("memory: " + ", ".join(f"{name} {gb:.2f} GB" for name, gb in detection.memory.items()))


def _fitting(detection: Detection) -> str:
    """What the signatures of other providers fit, a line each."""
    from harvestdetect.signatures.show import fit_sentence

    lines = [f"{shown(fit_sentence(fit))}\n" for fit in detection.signatures]
    return "\n" + ("".join(lines) or "No signature fits.\n")


def print_costs(detection: Detection) -> None:
    """Prints the time and the peak memory of every stage on standard error."""
    for cost in detection.stages:
        tell(f"{cost.stage}: {cost.seconds:.1f} s, peak memory {cost.peak_memory_mb:,.0f} MB")


def _exit_code(request: _Request, result: ScanResult, settings: Settings) -> int:
    """The exit code of a scan whose results were written.

    Raises:
        IncompleteWindowError: a file of the window was lost.
        InputError: no prompt could be read.
        TooManyRejectsError: more rows were rejected than the settings allow.
        CutFilesError: a file is cut off or cannot be read, in a scan into a state or with ``max_rejects``.
    """
    from harvestdetect.dump import check_rejects

    detection, cut = result.detection, result.cut_files
    rejects, prompts = detection.counts["rejects"], detection.counts["prompts"]
    rows = detection.counts.get("read_rows", prompts)
    rejected = rejects - detection.counts.get("empty_files", 0)  # an empty file has no row that could be lost
    check_window(result.missing_files, cut, rejected, rows, settings.max_rejects)
    if not prompts:
        raise InputError(no_prompt_message(detection, rejects))
    if cut and request.state is None and settings.max_rejects is None:
        tell(f"warning: {cut_sentence(cut)}")
    elif cut:
        with contextlib.suppress(TooManyRejectsError):
            check_rejects(rejected, rows, settings.max_rejects)
            raise CutFilesError(f"the results were written, but {cut_sentence(cut)}")
        tell(f"{NAME}: {cut_sentence(cut)}")
    check_rejects(rejected, rows, settings.max_rejects)
    fail_on = request.fail_on
    if fail_on and any(TIERS.index(f.tier) <= TIERS.index(fail_on) for f in detection.findings):
        return EXIT_FINDINGS
    return 0


def _print_rough_estimate(names: Sequence[str], settings: Settings) -> None:
    """Estimates the memory of a scan from the sizes of the files, and prints it if the sizes are known."""
    from harvestdetect.dump.storage.size import rough_rows
    from harvestdetect.util.memory_estimate import rough_gb

    if (rows := rough_rows(names)) is not None:
        need = rough_gb(rows, settings)
        tell(f"estimate from file sizes: about {rows:,} rows, which need about {need:.1f} GB of memory")


def _print_estimate(names: Sequence[str], settings: Settings, *, quiet: bool) -> int:
    """Reads the dumps and prints the memory that a scan of them will need."""
    from harvestdetect.detection import estimated

    with open_dumps(names, settings, quiet=quiet) as dumps:
        found = estimated(dumps, settings=settings)
    need, allowed = found.memory["estimated"], found.memory["allowed"]
    what = "are available" if settings.memory_gb is None else "are allowed by --memory"
    answer(
        f"{found.counts['prompts']:,} prompts of {found.counts['accounts']:,} accounts, {found.counts['segments']:,} "
        f"texts: the scan will need about {need:.1f} GB of memory, and {allowed:.1f} GB {what}\n"
    )
    return 0


def _share_with_group(*folders: Path | None) -> None:
    """Shares folders with their group until the command ends."""
    from harvestdetect.util.files import shared_with_group

    shared = shared_with_group(*(folder for folder in folders if folder is not None))
    click.get_current_context().with_resource(shared)

"""Commands around a state: what it knows, what was said of it, looking after it, and running it by the clock."""

from __future__ import annotations

import contextlib
import getpass
import shlex
import sys
import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from harvestdetect.cli.console import answer, note, shown, tell
from harvestdetect.cli.run import run
from harvestdetect.errors import HarvestdetectError, InputError, TooManyRejectsError, UsageError
from harvestdetect.ops.schedule import FORMATS, parse_period, units

if TYPE_CHECKING:
    from harvestdetect.data import Detection
    from harvestdetect.dump import Dumps
    from harvestdetect.settings import Settings
    from harvestdetect.state import KnownCampaign, Run, Verdict

__all__ = ["COMMANDS", "check_window", "failure_told", "scan_state"]

_FOLDER: Final = click.Path(path_type=Path)
_OUTPUT: Final = click.option(
    "--format", "output", type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="What is printed.",
)  # fmt: skip


def scan_state(
    folder: Path,
    dumps: Dumps,
    *,
    window: str,
    trust_clock: bool,
    settings: Settings,
    settings_file: str | None,
    progress: Any,
    notes: Callable[[str], None],
    write: Callable[[Detection], object],
    done: Callable[..., None],
    begun: Callable[[], object],
    baseline: bool,
    group: bool | None = None,
) -> tuple[Detection, tuple[str, ...]]:
    """A scan into a state, see :func:`harvestdetect.state.run.scan_into`; tells what it did.

    ``done`` gets what the metrics are to say; ``begun`` is called when the run itself tells of its failure.

    Returns:
        What was found, and the names of the files of the window that were lost.
    """
    from harvestdetect.alerts import load_channels
    from harvestdetect.state import open_state

    seconds = parse_period(window)
    channels = load_channels(settings_file) if settings_file is not None else ()
    with open_state(folder, write=True, group=group) as state:
        begun()
        run = state.scan(
            dumps, settings=settings, window=seconds, trust_clock=trust_clock, progress=progress, notes=notes,
            channels=channels, write=write, baseline=baseline,
        )  # fmt: skip
        statuses = Counter(c.status for c in state.campaigns())
    for sentence in _told(run):
        notes(sentence)
    if baseline and not channels:
        notes("baseline: no alert channel is configured; one that is added later gets an alert about every campaign")
    for delivery in run.deliveries:
        if delivery.error is not None:
            outcome = "given up" if delivery.outcome == "given up" else "kept for a later run"
            tell(f"alert {delivery.channel}, {delivery.campaign_id}: {outcome}: {delivery.error}")
    given_up = sum(d.outcome == "given up" for d in run.deliveries)
    done(
        run.detection, campaigns=dict(statuses), alerts_failed=given_up, alerts_pending=run.pending,
        window_complete=int(run.window_complete),
    )  # fmt: skip
    return run.detection, run.missing_files


def check_window(missing: tuple[str, ...], rejects: int, rows: int, allowed: float | None) -> None:
    """Says so where files of the window were lost, also where too many rows were rejected besides.

    Raises:
        IncompleteWindowError: the results were written, and are without the lost files.
    """
    if not missing:
        return
    from harvestdetect.dump import check_rejects
    from harvestdetect.errors import IncompleteWindowError
    from harvestdetect.state.prepared import missing_sentence

    try:
        check_rejects(rejects, rows, allowed)
    except TooManyRejectsError as error:
        tell(f"harvestdetect: {error}")
    raise IncompleteWindowError(f"the results were written, but {missing_sentence(missing)}")


@contextlib.contextmanager
def failure_told(folder: Path | None, settings_file: str | None) -> Generator[Callable[[], object]]:
    """Tells the channels that ask for operations of a failure before a run into a state had begun.

    Yields what is called when the run begins; from then on :func:`harvestdetect.state.run.scan_into` tells.
    """
    begun: list[bool] = []
    started = int(time.time())
    try:
        yield lambda: begun.append(True)
    except Exception as error:
        if folder is not None and settings_file is not None and not begun:
            from harvestdetect.alerts import load_channels
            from harvestdetect.state.operations import tell_failure

            with contextlib.suppress(HarvestdetectError):
                channels = load_channels(settings_file)
                where = str(folder.absolute())
                tell_failure(where, error, channels, number=None, now=started, tell=tell)
        raise


def _told(run: Run) -> list[str]:
    from harvestdetect.report.format import iso_time

    start, end = iso_time(run.window_start) or "the beginning", iso_time(run.window_end) or "the end"
    rejected = f", {run.rejects:,} rows rejected" if run.rejects else ""
    said = [
        f"run {run.number}: {run.new_rows:,} new prompts of {run.new_files:,} new files{rejected}; "
        f"judged from {start} to {end}"
    ]
    by_status = Counter(c.status for c in run.changes if c.status != c.previous_status)
    if by_status:
        said.append("campaigns: " + ", ".join(f"{count} now {status}" for status, count in sorted(by_status.items())))
    if run.baseline is not None:
        said.append(f"baseline: {run.baseline:,} campaigns were recorded, and no alerts were sent about them")
    if run.deliveries or run.pending:
        outcomes = Counter(d.outcome for d in run.deliveries)
        said.append(
            f"alerts: {outcomes['sent']:,} sent, {outcomes['given up']:,} given up, "
            f"{run.pending:,} kept for a later run"
        )
    members = {m.account for f in run.detection.findings for m in f.members}
    if others := {a.account for a in run.detection.attributed} - members:
        said.append(
            f"{len(others):,} accounts in no finding filled templates of known campaigns: attributed.csv lists them"
        )
    return said


# ---------------------------------------------------------------- what it knows


@click.command(short_help="List the campaigns of a state, or tell the history of one.")
@click.argument("state", type=_FOLDER, metavar="STATE")
@click.argument("campaign", required=False, metavar="[CAMPAIGN]")
@click.option("--all", "everything", is_flag=True, help="Also those that became part of another.")
@click.option("--accounts", is_flag=True, help="Of one campaign: its accounts, a line each, and nothing else.")
@_OUTPUT
def campaigns(state: Path, campaign: str | None, everything: bool, accounts: bool, output: str) -> int:
    """List the campaigns that the folder STATE knows, or tell what happened to CAMPAIGN and what it sent when.

    CAMPAIGN is an id, or the beginning of one that no other has. Accounts and prompts "ever" count all runs, those "in
    window" the window of the last run, as its scan reports them.
    """
    from harvestdetect.state import open_state

    if accounts and campaign is None:
        raise UsageError("--accounts needs the id of a campaign")
    with open_state(state) as opened, opened.snapshot():
        known = opened.campaigns(everything=everything or campaign is not None)
        if campaign is None:
            answer(_json([_plain(c) for c in known]) if output == "json" else _table(known, opened.precision()))
            return 0
        campaign = opened.named(campaign)
        found = [c for c in known if c.campaign_id == campaign]
        members, days, events = opened.members(campaign), opened.history(campaign), opened.events(campaign)
    if accounts:
        answer("".join(f"{shown(a)}\n" for a in members))
    elif output == "json":
        told = {"days": [_plain(d) for d in days], "events": [_plain(e) for e in events], "members": members}
        answer(_json({**_plain(found[0]), **told}))
    else:
        answer(_story(found[0], days, events))
    return 0


def _plain(value: Any) -> Any:
    import msgspec

    return msgspec.to_builtins(value)


def _json(value: Any) -> str:
    from harvestdetect.util.escape import json_text

    return json_text(value, indent=2) + "\n"


def _day(time: int | None) -> str:
    from harvestdetect.report.format import day

    return "-" if time is None else day(time)


def _table(known: list[KnownCampaign], precisions: list[Any]) -> str:
    if not known:
        return "The state knows no campaign.\n"
    ever = ("accounts ever / in window", "prompts ever / in window")
    rows = [("campaign", "tier", "status", *ever, "first seen", "last seen", "verdict")]
    for c in known:
        verdict = "-" if c.verdict is None else c.verdict.verdict
        rows.append(
            (
                c.campaign_id, c.tier, c.status if c.merged_into is None else f"part of {c.merged_into}",
                f"{c.accounts:,} / {c.window_accounts:,}", f"{c.prompts:,} / {c.window_prompts:,}",
                _day(c.first_seen), _day(c.last_seen), verdict,
            )
        )  # fmt: skip
    text = _aligned(rows)
    for one in precisions:
        if one.precision is not None:
            judged = one.harvest + one.benign
            text += f"Of findings at {one.tier} that were judged, {one.harvest} of {judged} were harvest.\n"
    return text


def _aligned(rows: Sequence[tuple[str, ...]]) -> str:
    width = [max(len(shown(row[i])) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(shown(cell).ljust(w) for cell, w in zip(row, width, strict=True)).rstrip() for row in rows]
    return "\n".join(lines) + "\n"


def _story(campaign: KnownCampaign, days: list[Any], events: list[Any]) -> str:
    lines = [
        f"{campaign.campaign_id}: {campaign.tier}, {campaign.status}",
        f"ever: {campaign.accounts:,} accounts ({campaign.attributed:,} by its templates alone), "
        f"{campaign.prompts:,} prompts, {_day(campaign.first_seen)} to {_day(campaign.last_seen)}",
        f"in the window of the last run: {campaign.window_accounts:,} accounts, {campaign.window_prompts:,} prompts",
        f"when it was last found: {campaign.summary}",
    ]
    if campaign.verdict is not None:
        lines.append(campaign.verdict.sentence)
    lines += [f"{_day(e.at)}  {e.what}{': ' if e.detail else ''}{e.detail}" for e in events]
    most = max((d.prompts for d in days), default=1) or 1
    lines += [f"{d.day}  {d.prompts:>8,}  {'#' * max(1, round(40 * d.prompts / most))}" for d in days]
    return "".join(f"{shown(line)}\n" for line in lines)


# ---------------------------------------------------------------- verdicts


@click.command(short_help="Say what a campaign is; list or take back what was said.")
@click.argument("state", type=_FOLDER, metavar="STATE")
@click.argument("campaign", required=False, metavar="[CAMPAIGN]")
@click.option("--verdict", type=click.Choice(["harvest", "benign", "unsure"]), help="What it is.")
@click.option("--note", "why", default="", metavar="TEXT", help="Why.")
@click.option("--expires", metavar="PERIOD", help="When the verdict stops standing, such as 90d.  [default: never]")
@click.option("--by", "reviewer", metavar="NAME", help="Who says so.  [default: the user]")
@click.option("--undo", is_flag=True, help="Take back the last verdict that stands on the campaign.")
@_OUTPUT
def review(
    state: Path, campaign: str | None, verdict: Any, why: str, expires: str | None, reviewer: str | None, undo: bool,
    output: str,
) -> int:  # fmt: skip
    """Say what CAMPAIGN, an id in the folder STATE or the beginning of one that no other has, is.

    Without a verdict all that were given are listed, with who and when.

    A campaign that is judged benign, and what is told again as it by its accounts or its template, stays at watch and
    sends no alert until the verdict expires or is taken back; reports say so.
    """
    from harvestdetect.state import open_state
    from harvestdetect.state.store import check_utf8

    if (verdict is not None or undo) and campaign is None:
        raise UsageError("name the campaign")
    if verdict is not None and undo:
        raise UsageError("give a verdict or take one back, not both")
    who = reviewer or _user()
    check_utf8(campaign=campaign or "", note=why, reviewer=who)
    with open_state(state, write=verdict is not None or undo, make=False) as opened:
        campaign = None if campaign is None else opened.named(campaign)
        if verdict is not None and campaign is not None:
            said = [opened.review(campaign, verdict, note=why, reviewer=who, expires=expires)]
        elif undo and campaign is not None:
            said = [opened.undo(campaign, reviewer=who)]
        else:
            said = opened.verdicts(campaign)
    answer(_json([_plain(v) for v in said]) if output == "json" else _verdicts(said))
    return 0


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def _verdicts(said: list[Verdict]) -> str:
    if not said:
        return "No verdict was given.\n"
    rows = [("given", "campaign", "verdict", "tier then", "by", "until", "note")]
    for v in said:
        until = f"taken back {_day(v.undone)}" if v.undone is not None else _day(v.expires)
        rows.append((_day(v.at), v.campaign_id, v.verdict, v.tier, v.reviewer, until, v.note))
    return _aligned(rows)


# ---------------------------------------------------------------- alerts


@click.group(short_help="Try out the alerts.")
def alerts() -> None:
    """Try out the channels that alerts go to."""


@alerts.command("test", short_help="Send a test through every channel.")
@click.option("--settings", "settings_file", required=True, type=click.Path(), metavar="FILE", help="With [[alerts]].")
@click.option("--channel", "only", multiple=True, metavar="NAME", help="Test only this channel. Repeat for more.")
def try_alerts(settings_file: str, only: tuple[str, ...]) -> int:
    """Send a message that is marked as a test through every channel of the settings file, and print the results.

    No state is needed, and nothing is stored. A PagerDuty incident is triggered and resolved at once; it may page
    somebody. Exit code 1: a message was not sent.
    """
    from harvestdetect.alerts import load_channels, report_link, send_trial
    from harvestdetect.settings import load_settings

    settings = load_settings(settings_file)
    channels = load_channels(settings_file)
    if not channels:
        raise UsageError(f"the settings file {settings_file} has no [[alerts]] table: no channel is configured")
    names = [channel.name for channel in channels]
    if unknown := [name for name in only if name not in names]:
        raise UsageError(f"there is no channel {unknown[0]!a}; there are: {', '.join(names)}")
    now = int(time.time())
    link = report_link(settings.report_url, run="test", started=now, campaign="test")
    failed = 0
    for channel in channels:
        if only and channel.name not in only:
            continue
        (sent,) = send_trial([channel], now=now, report=link)
        failed += sent.error is not None
        kind = f"{channel.name} ({channel.type})" if channel.name != channel.type else channel.name
        answer(f"{shown(kind)}: {'sent' if sent.error is None else f'failed: {shown(sent.error)}'}\n")
    return 1 if failed else 0


# ---------------------------------------------------------------- upkeep


@click.group(short_help="Look after a state.")
def state() -> None:
    """Look after a state: free what no run needs, check what is there, mend what is damaged, erase an account."""


@state.command(short_help="Remove what no run will need.")
@click.argument("folder", type=_FOLDER, metavar="STATE")
def gc(folder: Path) -> int:
    """Remove from the folder STATE what no run will need, and make its database compact."""
    from harvestdetect.report.format import plural
    from harvestdetect.state import open_state

    with open_state(folder, write=True, make=False) as opened:
        freed = opened.collect()
    answer(f"{plural(freed.files, 'file')} removed, {freed.bytes / 1e6:,.1f} MB freed.\n")
    if freed.aside:
        answer(
            f"The database does not name {plural(len(freed.aside), 'prepared file')}: moved to "
            f"{shown(str(folder / 'aside'))}. A stopped run left such files, or the database is an older copy; in that "
            "case harvestdetect state rebuild takes them back. Delete the folder when you need nothing in it.\n"
        )
    return 0


@state.command(short_help="Check that nothing is lost or broken.")
@click.argument("folder", type=_FOLDER, metavar="STATE")
def verify(folder: Path) -> int:
    """Read everything in the folder STATE and compare it with its digests. Exit code 1: something is wrong.

    Files that were read and are not in the window are listed too, with the reason; they are no error.
    """
    from harvestdetect.state import open_state

    with open_state(folder) as opened:
        wrong, left = opened.verify(), opened.left_out()
    answer("".join(f"{shown(sentence)}\n" for sentence in wrong) or "Nothing is wrong.\n")
    answer("".join(f"{shown(sentence)}\n" for sentence in left))
    return 1 if wrong else 0


@state.command(short_help="Rebuild a damaged database from the prepared files.")
@click.argument("folder", type=_FOLDER, metavar="STATE")
@click.option(
    "--segment-characters", type=int, metavar="N",
    help="Setting that the files were cut with, if neither they nor the old database have it.  [default: that of scan]",
)  # fmt: skip
@click.option("--max-windows", type=int, metavar="N", help="The same for max_windows.")
def rebuild(folder: Path, segment_characters: int | None, max_windows: int | None) -> int:
    """Rebuild the database of the folder STATE, from the prepared files and what can be read of the old database.

    The old database and damaged files are moved into STATE/aside. The output lists what is lost.
    """
    from harvestdetect.state import rebuild as rebuild_state

    done = rebuild_state(folder, segment_characters=segment_characters, max_windows=max_windows)
    answer("".join(f"{shown(sentence)}\n" for sentence in done.sentences))
    return 0


@state.command(short_help="Erase an account.")
@click.argument("folder", type=_FOLDER, metavar="STATE")
@click.argument("account", metavar="ACCOUNT")
@click.option(
    "--out",
    "outs",
    type=_FOLDER,
    multiple=True,
    metavar="DIR",
    help="Erase the account from the results in this folder too. Repeat for more.",
)
@click.option(
    "--work", "works", type=_FOLDER, multiple=True, metavar="DIR",
    help="Remove files that contain the account from this work folder. Repeat for more.",
)  # fmt: skip
def forget(folder: Path, account: str, outs: tuple[Path, ...], works: tuple[Path, ...]) -> int:
    """Erase ACCOUNT everywhere in the folder STATE: its id, its prompts, and texts that no other account sent.

    The id is replaced in names of files, and words of templates that nobody else sent are erased. Then everything is
    searched again. Exit code 75: something remains, usually because another process reads the state; the message says
    what. Run the same command again for the rest. Exit code 1: no such account.
    """
    from harvestdetect.state import open_state

    with open_state(folder, write=True, make=False) as opened:
        gone = opened.forget(account, outs=outs, works=works)
    if not gone.known:
        raise InputError(f"no such account in {folder}{' and the folders named' if outs or works else ''}: {account!a}")
    told = f"{gone.prompts:,} prompts of {gone.files:,} files erased; it was a member of {gone.campaigns:,} campaigns. "
    if gone.templates:
        told += f"The words of {gone.templates:,} templates, which nobody else sent, were erased. "
    if gone.results:
        told += f"{gone.results:,} files of results and work folders were rewritten or removed. "
    for out in outs:
        if not (out / "report.html").exists():
            told += f"There is no report in {shown(str(out))} any more: a file that it is made from is missing. "
    answer(f"{told}Nothing of it is left. The next run computes vectors and neighbours again.\n")
    return 0


# ---------------------------------------------------------------- by the clock


@click.group(short_help="Run scans by the clock of another program.")
def schedule() -> None:
    """Print what systemd, cron, Kubernetes or Airflow need to run a scan regularly."""


@schedule.command("print", short_help="Print units for a scheduler.")
@click.argument("dumps", nargs=-1, required=True, metavar="DUMP...")
@click.option("--format", "kind", type=click.Choice(FORMATS), required=True, help="Which scheduler.")
@click.option("--every", default="1d", show_default=True, metavar="PERIOD", help="How often.")
@click.option(
    "--at",
    default="03:17",
    show_default=True,
    metavar="HH:MM",
    help="Time of day of a run: UTC, for cron the machine's time.",
)
@click.option("--state", "folder", type=_FOLDER, required=True, help="The state.")
@click.option("--out", type=_FOLDER, required=True, help="Folder for the results.")
@click.option("--window", default="45d", show_default=True, metavar="PERIOD", help="How far back is judged.")
@click.option("--settings", "settings_file", type=_FOLDER, metavar="FILE", help="Settings and alerts of the scan.")
@click.option(
    "--env-file",
    type=_FOLDER,
    metavar="FILE",
    help="File with the secrets of alerts, lines NAME=value, for systemd, cron and airflow.  [default: /etc/NAME.env]",
)
@click.option("--metrics", type=_FOLDER, metavar="FILE", help="Where the scan writes its metrics.")
@click.option(
    "--memory", "memory_gb", type=float, metavar="GB", help="Memory limit of a run, for systemd and kubernetes."
)
@click.option(
    "--timeout", metavar="PERIOD", help="Stop a run that takes longer.  [default: one period, at least 6h, at most 24h]"
)
@click.option("--name", default="harvestdetect", show_default=True, metavar="NAME", help="Name of the units.")
@click.option("--user", metavar="USER", help="Who runs it, for systemd.  [default: NAME]")
@click.option("--group", metavar="GROUP", help="Group that may read the results, for systemd.  [default: nobody else]")
@click.option("--image", metavar="IMAGE", help="Image of the container, for kubernetes.")
@click.option("--to", "target", type=_FOLDER, metavar="DIR", help="Write files there.  [default: print them]")
def print_units(
    dumps: tuple[str, ...], kind: str, every: str, at: str, folder: Path, out: Path, window: str,
    settings_file: Path | None, env_file: Path | None, metrics: Path | None, memory_gb: float | None,
    timeout: str | None, name: str, user: str | None, group: str | None, image: str | None, target: Path | None,
) -> int:  # fmt: skip
    """Print what a scheduler needs to scan DUMP into a state regularly. Nothing is installed.

    Secrets are never printed: the variables that the settings name (url_env and the like) come from a file or, in
    Kubernetes, from a Secret, and the comments say how to make it.
    """
    from harvestdetect.alerts.secrets import read_settings_file

    program = "harvestdetect" if kind in ("kubernetes", "airflow") else _program()
    command = [program, "scan", *map(_absolute, dumps), "--state", _absolute(folder), "--out", _absolute(out)]
    command += ["--window", window, "--quiet"]
    writable = {"state": _absolute(folder), "out": _absolute(out)}
    readable: dict[str, str] = {}
    files: dict[str, str] = {}
    for option, file in (("--settings", settings_file), ("--metrics", metrics)):
        if file is not None:
            command += [option, _absolute(file)]
    if group is not None:
        command.append("--group")
    if metrics is not None and (parent := str(Path(_absolute(metrics)).parent)) not in writable.values():
        writable["metrics"] = parent
    if settings_file is not None:
        more_writable, files = _named_by(settings_file)
        writable |= more_writable
    dump_folders = {_stem(_absolute(dump)) for dump in dumps if "://" not in dump and dump != "-"}
    for number, dump_folder in enumerate(sorted(f for f in dump_folders if not _within(f, dump_folders - {f}))):
        readable[f"dumps{number or ''}"] = dump_folder
    made = units(
        kind, every=every, command=command, writable=writable, readable=readable, files=files, name=name, at=at,
        settings=None if settings_file is None else read_settings_file(_absolute(settings_file)),
        env_file=None if env_file is None else _absolute(env_file), user=user, group=group, image=image,
        memory_gb=memory_gb, timeout=timeout,
    )  # fmt: skip
    if target is None:
        for file_name, content in made.items():
            answer(f"# ---- {file_name}\n{content}\n" if len(made) > 1 else content)
        return 0
    from harvestdetect.util.files import replacing

    target.mkdir(parents=True, exist_ok=True)
    for file_name, content in made.items():
        with replacing(target / file_name, mode=0o666) as stream:
            stream.write(content.encode())
        answer(f"{shown(str(target / file_name))}\n")
    return 0


def _named_by(settings_file: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Folders that a scan with these settings writes into, and files that it reads, where the file is there."""
    from harvestdetect.errors import SettingsError
    from harvestdetect.settings import load_settings

    try:
        settings = load_settings(settings_file, environment={})
    except SettingsError as error:
        note(f"{error}; the units are printed without the paths that this file names")
        return {}, {}
    folders = {"cache": settings.cache}
    files = {"registry": settings.registry, "calibrated": settings.calibration}
    return (
        {key: _absolute(path) for key, path in folders.items() if path is not None},
        {key: _absolute(path) for key, path in files.items() if path is not None},
    )


def _within(folder: str, others: set[str]) -> bool:
    return any(Path(folder).is_relative_to(other) for other in others)


def _program() -> str:
    import shutil

    return shutil.which("harvestdetect") or str(Path(sys.executable).parent / "harvestdetect")


def _absolute(path: str | Path) -> str:
    text = str(path)
    return text if "://" in text or text == "-" else str(Path(text).absolute())


def _stem(path: str) -> str:
    """The folder of a glob or a file; a folder itself."""
    parts = Path(path).parts
    globs = [i for i, part in enumerate(parts) if set("*?[") & set(part)]
    folder = Path(*parts[: globs[0] if globs else len(parts)])
    return str(folder.parent if folder.suffix else folder)


@click.command(short_help="Check that a scheduled scan still does its work.")
@click.option(
    "--metrics",
    type=_FOLDER,
    required=True,
    envvar="HARVESTDETECT_HEALTH_METRICS",
    metavar="FILE",
    help="What scan --metrics writes.  [default: $HARVESTDETECT_HEALTH_METRICS]",
)
@click.option(
    "--max-age", default="36h", show_default=True, envvar="HARVESTDETECT_HEALTH_MAX_AGE", metavar="PERIOD",
    help="How long ago the last run that did its work may have ended, at most.",
)  # fmt: skip
def health(metrics: Path, max_age: str) -> int:
    """Print when a run last did its work (exit code 0, 3 or 4). Exit code 1: too long ago, never, or a clock is wrong.

    For the health check of a container, a probe, or a look in the morning.
    """
    from harvestdetect.ops.health import check_health

    found = check_health(metrics, max_age=parse_period(max_age))
    answer(f"{'healthy' if found.healthy else 'unhealthy'}: {shown(found.sentence)}\n")
    return 0 if found.healthy else 1


@click.command(
    short_help="Scan again and again, for containers.",
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)
@click.argument("arguments", nargs=-1, required=True, type=click.UNPROCESSED, metavar="DUMP...")
@click.option("--every", default="15m", show_default=True, metavar="PERIOD", help="How often.")
@click.pass_context
def watch(ctx: click.Context, arguments: tuple[str, ...], every: str) -> int:
    """Run a scan of DUMP into a state (with the options of scan) at once and then at a fixed rhythm, until SIGTERM.

    SIGTERM ends it after the run that is under way, a second one interrupts that. A failed run is followed by the next,
    sooner than the rhythm.
    """
    from harvestdetect.ops.watch import stop_on_signals
    from harvestdetect.ops.watch import watch as loop

    if not any(a == "--state" or a.startswith("--state=") for a in arguments):
        raise UsageError("watch needs --state; without one every run would tell everything again")
    group = ctx.find_root().command
    assert isinstance(group, click.Group)
    seconds = parse_period(every)
    note(f"every {every}: harvestdetect scan {shlex.join(arguments)}")
    with stop_on_signals() as stop:
        return loop(lambda: run(group, ["scan", *arguments]), every=seconds, stop=stop, notes=note)


COMMANDS: Final = (campaigns, review, alerts, state, schedule, watch, health)

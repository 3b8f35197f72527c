"""The commands ``alerts test`` and ``alerts send``."""

from __future__ import annotations

import time
from pathlib import Path

import click

from harvestdetect.cli.console import answer, shown
from harvestdetect.cli.options import FOLDER
from harvestdetect.errors import UsageError

__all__ = ["alerts"]


@click.group(short_help="Test the alert channels, and send what waits.")
def alerts() -> None:
    """Test the channels that alerts go to, and send the alerts that wait."""


@alerts.command("test", short_help="Send a test alert through every channel.")
@click.option(
    "--settings", "settings_file", required=True, type=click.Path(), metavar="FILE",
    help="Settings file with [[alerts]] tables.",
)  # fmt: skip
@click.option("--channel", "only", multiple=True, metavar="NAME", help="Test only this channel. Repeat for more.")
def send_test_alerts(settings_file: str, only: tuple[str, ...]) -> int:
    """Send an alert marked as a test through every channel of the settings file, and print the results.

    The command needs no state and stores nothing. It triggers a PagerDuty incident and resolves it at once, which may
    page somebody. Exit code 1: an alert could not be sent.
    """
    from harvestdetect.alerts import load_channels, report_link, send_trial
    from harvestdetect.settings import load_settings

    settings = load_settings(settings_file)
    channels = load_channels(settings_file, only=only)
    if not channels:
        raise UsageError(f"the settings file {settings_file} has no [[alerts]] table; add one for each channel")
    now = int(time.time())
    link = report_link(settings.report_url, run="test", started=now, campaign="test")
    failed = 0
    for channel in channels:
        (sent,) = send_trial([channel], now=now, report=link)
        failed += sent.error is not None
        kind = f"{channel.name} ({channel.type})" if channel.name != channel.type else channel.name
        answer(f"{shown(kind)}: {'sent' if sent.error is None else f'failed: {shown(sent.error)}'}\n")
    return 1 if failed else 0


@alerts.command("send", short_help="Send the alerts that wait in a state.")
@click.argument("folder", type=FOLDER, metavar="STATE")
@click.option(
    "--settings", "settings_file", required=True, type=click.Path(), metavar="FILE",
    help="Settings file with [[alerts]] tables.",
)  # fmt: skip
def send_waiting_alerts(folder: Path, settings_file: str) -> int:
    """Send the alerts that wait in the folder STATE now, without a scan, and print the results.

    Alerts that were kept for a later run are tried at once. Exit code 1: an alert was given up or still waits.
    """
    from harvestdetect.alerts import load_channels, report_link
    from harvestdetect.report.format import plural
    from harvestdetect.settings import load_settings
    from harvestdetect.state import open_state

    settings = load_settings(settings_file)
    channels = load_channels(settings_file)
    with open_state(folder, write=True, make=False) as state:
        last = next((run for run in state.runs() if run.finished is not None), None)
        link = None if last is None else report_link(settings.report_url, run=str(last.number), started=last.started)
        done = state.send_alerts(channels, report=link)
        left = state.alerts_waiting().count
    for one in done:
        what = one.outcome if one.error is None else f"{one.outcome}: {one.error}"
        answer(f"{shown(one.channel)}, {shown(one.campaign_id)}: {shown(what)}\n")
    answer(f"{plural(left, 'alert')} {'waits' if left == 1 else 'wait'}.\n")
    return 1 if left or any(one.outcome != "sent" for one in done) else 0

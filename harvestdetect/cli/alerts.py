"""The command ``alerts test``."""

from __future__ import annotations

import time

import click

from harvestdetect.cli.console import answer, shown
from harvestdetect.errors import UsageError

__all__ = ["alerts"]


@click.group(short_help="Test the alert channels.")
def alerts() -> None:
    """Test the channels that alerts go to."""


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

"""The command line: the group of commands and the entry point of the program.

A command reads its options, calls the library and prints. Standard output has the answer and nothing else; progress,
notes and errors go to standard error. Every error that the package raises on purpose ends as one line and an exit
code, see :mod:`harvestdetect.errors`. Control characters in text from a dump are shown as text, never printed.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from typing import NoReturn

import click

from harvestdetect import __version__
from harvestdetect.cli.alerts import alerts
from harvestdetect.cli.brief import brief
from harvestdetect.cli.calibrate import calibrate
from harvestdetect.cli.drill import drill
from harvestdetect.cli.evaluate import evaluate
from harvestdetect.cli.explain import explain
from harvestdetect.cli.export import export
from harvestdetect.cli.health import health
from harvestdetect.cli.inspect import inspect
from harvestdetect.cli.pseudonym import pseudonym
from harvestdetect.cli.registry import registry
from harvestdetect.cli.review import campaigns, review
from harvestdetect.cli.run import NAME, run
from harvestdetect.cli.scan import scan
from harvestdetect.cli.schedule import schedule
from harvestdetect.cli.search import search
from harvestdetect.cli.serve import serve
from harvestdetect.cli.signatures import signatures
from harvestdetect.cli.simulate import simulate
from harvestdetect.cli.state import state
from harvestdetect.cli.watch import watch
from harvestdetect.util.own_process import begin_own_process

__all__ = ["cli", "main", "run_command"]


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs the command line and ends the process with its exit code.

    Args:
        arguments: None takes the arguments of the process.
    """
    if arguments is None:
        begin_own_process()
    with warnings.catch_warnings():
        if not sys.warnoptions:
            warnings.simplefilter("ignore")
        sys.exit(run_command(list(sys.argv[1:] if arguments is None else arguments)))


def run_command(arguments: list[str]) -> int:
    """Runs one command line and returns its exit code. It never raises."""
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


for command in (
    *(scan, inspect, calibrate, drill, simulate, evaluate, explain, search, brief, export, serve),
    *(campaigns, review, alerts, state, schedule, watch, health, pseudonym, registry, signatures),
):
    cli.add_command(command)

"""The command ``serve``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from harvestdetect.cli.console import answer, note, shown
from harvestdetect.cli.dumps import working
from harvestdetect.cli.options import FOLDER
from harvestdetect.cli.review import user_name
from harvestdetect.util.periods import MINUTE

__all__ = ["serve"]


@click.command(short_help="Show the findings on a page, and judge them there.")
@click.argument("folder", type=FOLDER, metavar="DIR")
@click.option("--state", type=FOLDER, metavar="DIR", help="State of the scan; it keeps verdicts and earlier runs.")
@click.option(
    "--work", type=FOLDER, metavar="DIR",
    help="The work folder of the scan, which the search needs.  [default: where the scan had it]",
)  # fmt: skip
@click.option(
    "--reviewer", "reviewers", multiple=True, metavar="NAME",
    help="Name of a person who may open the page; verdicts carry it. Repeat for more.  [default: the user]",
)  # fmt: skip
@click.option("--read-only", is_flag=True, help="Write nothing: no verdicts, no hidden texts, no exports.")
@click.option(
    "--bind", "address", default="127.0.0.1", show_default=True, metavar="ADDRESS",
    help="IP address to listen on. One that other machines reach needs --tls-cert and --tls-key.",
)  # fmt: skip
@click.option("--port", type=click.IntRange(0, 65_535), default=8_765, show_default=True, help="0: any free port.")
@click.option(
    "--host-name", "names", multiple=True, metavar="NAME",
    help="Name under which browsers reach the page, besides the address. Repeat for more.",
)  # fmt: skip
@click.option("--tls-cert", "certificate", type=FOLDER, metavar="FILE", help="TLS certificate and its chain (PEM).")
@click.option("--tls-key", "key", type=FOLDER, metavar="FILE", help="Private key of the certificate (PEM).")
@click.option(
    "--idle", type=click.IntRange(0), default=60, show_default=True, metavar="MINUTES",
    help="End after so many minutes without a request. 0: never.",
)  # fmt: skip
def serve(
    folder: Path, state: Path | None, work: Path | None, reviewers: tuple[str, ...], read_only: bool, address: str,
    port: int, names: tuple[str, ...], certificate: Path | None, key: Path | None, idle: int,
) -> int:  # fmt: skip
    """Show the findings in DIR, the folder that scan --out or scan --state named, in a browser of this machine.

    The command prints an address that works once. Give --state as well to judge findings that scan --out wrote.

    Texts of prompts are hidden until a person asks for them with a reason. audit.jsonl in the folder of the state, or
    of the scan without one, records who did so, who exported, and who judged. Ctrl-C ends the server.

    \b
    Exit codes  0 ended   1 failed   2 wrong usage

    Many parameters because each is an option.
    """
    from harvestdetect.serve import Desk, Options, places_of
    from harvestdetect.serve import serve as run
    from harvestdetect.serve.server import check_options

    options = Options(
        address=address, port=port, names=names, reviewers=reviewers or (user_name(),), idle=idle * MINUTE,
        certificate=certificate, key=key,
    )  # fmt: skip
    check_options(options)
    desk = Desk(places_of(folder, state, work=work), read_only=read_only, title=shown(str(folder.absolute())))
    try:
        with working("reading", quiet=False):
            desk.load()
        run(desk, options, notes=note, tell=_tell)
    finally:
        desk.close()
    return 0


def _tell(lines: Sequence[str]) -> None:
    answer("".join(f"{shown(line)}\n" for line in lines))
    note("each address works once, in one browser; Ctrl-C ends the server")

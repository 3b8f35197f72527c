"""The command ``schedule print``."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harvestdetect.cli.console import answer, note, shown
from harvestdetect.cli.options import FOLDER
from harvestdetect.ops.schedule import FORMATS, Schedule, units

if TYPE_CHECKING:
    from harvestdetect.settings import Settings

__all__ = ["schedule"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """The options that say what to scan and where. Names are those of the parameters."""

    dumps: tuple[str, ...]
    folder: Path
    """Folder of the state."""
    out: Path
    window: str
    settings_file: Path | None
    env_file: Path | None
    metrics: Path | None
    group: str | None


@click.group(short_help="Print files for a scheduler that runs scans.")
def schedule() -> None:
    """Print what systemd, cron, Kubernetes or Airflow need to run a scan regularly."""


@schedule.command("print", short_help="Print files for a scheduler.")
@click.argument("dumps", nargs=-1, required=True, metavar="DUMP...")
@click.option("--format", "kind", type=click.Choice(FORMATS), required=True, help="The scheduler.")
@click.option("--every", default="1d", show_default=True, metavar="PERIOD", help="Interval between runs.")
@click.option(
    "--at",
    default="03:17",
    show_default=True,
    metavar="HH:MM",
    help="Time of day of a run, in UTC; for cron in the time zone of the machine.",
)
@click.option("--state", "folder", type=FOLDER, required=True, help="Folder of the state.")
@click.option("--out", type=FOLDER, required=True, help="Folder for the results.")
@click.option("--window", default="45d", show_default=True, metavar="PERIOD", help="Length of the window.")
@click.option("--settings", "settings_file", type=FOLDER, metavar="FILE", help="Settings file of the scan.")
@click.option(
    "--env-file",
    type=FOLDER,
    metavar="FILE",
    help="File with the secrets of the alert channels, in lines NAME=value, for systemd, cron and airflow.  "
    "[default: /etc/NAME.env]",
)
@click.option("--metrics", type=FOLDER, metavar="FILE", help="File for the metrics of the scan.")
@click.option(
    "--memory", "memory_gb", type=float, metavar="GB", help="Memory limit of a run, for systemd and kubernetes."
)
@click.option(
    "--timeout", metavar="PERIOD",
    help="Longest time that a run may take.  [default: the interval, but at least 6h and at most 24h]",
)  # fmt: skip
@click.option("--name", default="harvestdetect", show_default=True, metavar="NAME", help="Name of the job.")
@click.option("--user", metavar="USER", help="User that runs the scan, for systemd.  [default: NAME]")
@click.option(
    "--group", metavar="GROUP", help="Group that may read the results, for systemd.  [default: only the user]"
)
@click.option("--image", metavar="IMAGE", help="Container image, for kubernetes.")
@click.option("--to", "target", type=FOLDER, metavar="DIR", help="Write the files into this folder.  [default: print]")
def print_units(kind: str, target: Path | None, **options: Any) -> int:
    """Print the files that make a scheduler scan DUMP into a state regularly. Nothing is installed.

    Secrets are never printed. The variables that the settings name (url_env and the like) come from a file or, in
    Kubernetes, from a Secret; comments in the output say how to create it.
    """
    request = _Request(**{f.name: options.pop(f.name) for f in dataclasses.fields(_Request)})
    wanted = Schedule(**_places(request), command=_command(request, kind), group=request.group, **options)
    made = units(kind, wanted)
    if target is None:
        for file_name, content in made.items():
            answer(f"# ---- {file_name}\n{content}\n" if len(made) > 1 else content)
    else:
        _write(made, target)
    return 0


def _command(request: _Request, kind: str) -> list[str]:
    """The command that the scheduler runs."""
    program = "harvestdetect" if kind in ("kubernetes", "airflow") else _program()
    command = [program, "scan", *map(_absolute, request.dumps)]
    command += ["--state", _absolute(request.folder), "--out", _absolute(request.out)]
    command += ["--window", request.window, "--quiet"]
    for option, file in (("--settings", request.settings_file), ("--metrics", request.metrics)):
        if file is not None:
            command += [option, _absolute(file)]
    if request.group is not None:
        command.append("--group")
    return command


def _places(request: _Request) -> dict[str, Any]:
    """The folders and files of the command, as fields of :class:`harvestdetect.ops.schedule.Schedule`."""
    from harvestdetect.alerts.secrets import read_settings_file

    writable = {"state": _absolute(request.folder), "out": _absolute(request.out)}
    if request.metrics is not None:
        parent = str(Path(_absolute(request.metrics)).parent)
        if parent not in writable.values():
            writable["metrics"] = parent
    settings = None if request.settings_file is None else _settings(request.settings_file)
    if settings is not None:
        writable |= _absolute_paths({"cache": settings.cache})
    dumps = {_folder_of(_absolute(dump)) for dump in request.dumps if "://" not in dump and dump != "-"}
    outer = sorted(one for one in dumps if not any(Path(one).is_relative_to(other) for other in dumps - {one}))
    file, env_file = request.settings_file, request.env_file
    return {
        "writable": writable,
        "readable": {f"dumps{number or ''}": one for number, one in enumerate(outer)},
        "files": {}
        if settings is None
        else _absolute_paths({"registry": settings.registry, "calibrated": settings.calibration}),
        "settings": None if file is None else read_settings_file(_absolute(file)),
        "env_file": None if env_file is None else _absolute(env_file),
    }


def _settings(file: Path) -> Settings | None:
    """The settings of a file, for the paths in it; None, with a note, if it cannot be read."""
    from harvestdetect.errors import SettingsError
    from harvestdetect.settings import load_settings

    try:
        return load_settings(file, environment={})
    except SettingsError as error:
        note(f"{error}; the output does not have the paths that this file names")
        return None


def _absolute_paths(paths: Mapping[str, Path | None]) -> dict[str, str]:
    return {key: _absolute(path) for key, path in paths.items() if path is not None}


def _write(made: Mapping[str, str], target: Path) -> None:
    """Writes the files into a folder and prints their paths."""
    from harvestdetect.util.files import replacing

    target.mkdir(parents=True, exist_ok=True)
    for file_name, content in made.items():
        with replacing(target / file_name, mode=0o666) as stream:
            stream.write(content.encode())
        answer(f"{shown(str(target / file_name))}\n")


def _program() -> str:
    import shutil

    return shutil.which("harvestdetect") or str(Path(sys.executable).parent / "harvestdetect")


def _absolute(path: str | Path) -> str:
    text = str(path)
    return text if "://" in text or text == "-" else str(Path(text).absolute())


def _folder_of(path: str) -> str:
    """The folder of a glob or a file; a folder itself."""
    parts = Path(path).parts
    globs = [i for i, part in enumerate(parts) if set("*?[") & set(part)]
    folder = Path(*parts[: globs[0] if globs else len(parts)])
    return str(folder.parent if folder.suffix else folder)

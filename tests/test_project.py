"""What surrounds the code: the workflow, the hooks before a commit, the version, and the scripts."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

import harvestdetect

ROOT = Path(__file__).resolve().parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
HOOKS = ROOT / ".pre-commit-config.yaml"


def program(name: str) -> str:
    """A program of this environment, or one that is installed.

    Skips the test where there is none.
    """
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def test_actionlint_accepts_the_workflows() -> None:
    assert WORKFLOWS
    done = subprocess.run(
        [program("actionlint"), "-no-color", *map(str, WORKFLOWS)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_workflow_tests_every_python_that_the_project_names() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    named = re.findall(r"^Programming Language :: Python :: (3\.\d+)$", "\n".join(PROJECT["classifiers"]), re.MULTILINE)
    assert workflow["jobs"]["test"]["strategy"]["matrix"]["python"] == named
    assert PROJECT["requires-python"] == f">={named[0]}"
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    for step in steps:
        if "run" in step:
            assert (ROOT / step["run"]).is_file(), step
        else:
            assert re.fullmatch(r"actions/[\w-]+@v\d+\.\d+\.\d+", step["uses"]), "pinned to a version"


def test_the_hooks_before_a_commit_are_valid() -> None:
    done = subprocess.run(
        [program("pre-commit"), "validate-config", str(HOOKS)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_hook_runs_from_the_environment_of_the_project() -> None:
    """So that no hook needs a network."""
    own = Path(sys.executable).parent
    for repository in yaml.safe_load(HOOKS.read_text(encoding="utf-8"))["repos"]:
        assert repository["repo"] == "local"
        for hook in repository["hooks"]:
            assert hook["language"] == "system"
            name = hook["entry"].split()[0]
            assert name.startswith(".venv/bin/")
            if shutil.which("pre-commit", path=str(own)):
                assert (own / Path(name).name).exists(), name


def test_the_version_is_the_same_everywhere() -> None:
    version = harvestdetect.__version__
    assert PROJECT["version"] == version
    assert re.search(rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", text("CHANGELOG.md"), re.MULTILINE)
    for name in ("Dockerfile", "docs/cookbook.md", "docs/nightly.md", "docs/schedule.md"):
        assert set(re.findall(r"harvestdetect:(\d+\.\d+\.\d+)", text(name))) == {version}, name
    assert f'org.opencontainers.image.version="{version}"' in text("Dockerfile")


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["check", "demo", "docs", "screenshots", "test"])
def test_scripts_are_sound(name: str) -> None:
    file = ROOT / "scripts" / name
    assert file.stat().st_mode & 0o111
    assert subprocess.run(["bash", "-n", str(file)], check=False).returncode == 0

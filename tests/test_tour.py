"""The tour, the cookbook and the alternatives: their commands exist, and so do their pictures and figures."""

from __future__ import annotations

import re
import shlex
import struct
from pathlib import Path

import click
import pytest

from harvestdetect.cli.main import cli
from scripts import _screenshots

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("tour", "cookbook", "alternatives")


def text(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")


def commands(page: str) -> list[list[str]]:
    """The words of every command of this program in a page, without what follows a pipe or a redirection."""
    blocks = re.findall(r"^```(?:sh|bash)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [
        shlex.split(re.split(r"\s[|>]\s", line)[0], comments=True) for line in lines if line.startswith("harvestdetect")
    ]


def parse(words: list[str]) -> click.Context:
    """The context of a command, whose options and values are checked. Nothing runs."""
    command: click.Command = cli
    rest = words[1:]
    while isinstance(command, click.Group):
        command = command.commands[rest.pop(0)]
    return command.make_context(words[0], rest)


@pytest.mark.parametrize("name", ["tour", "cookbook"])
def test_every_command_has_these_options(name: str) -> None:
    found = commands(text(name))
    assert len(found) >= 6
    for words in found:
        parse(words).close()


def test_an_option_that_does_not_exist_is_noticed() -> None:
    with pytest.raises(click.UsageError):
        parse(["harvestdetect", "export", "findings", "--format", "paper"])


def test_the_cookbook_has_ten_recipes_that_say_when_and_what_you_see() -> None:
    recipes = re.split(r"^## \d+\. ", text("cookbook"), flags=re.MULTILINE)[1:]
    assert len(recipes) == 10
    for recipe in recipes:
        title = recipe.splitlines()[0]
        assert "**When.**" in recipe, title
        assert "**What you see.**" in recipe, title
        assert commands(recipe), title


def test_the_tour_names_the_campaigns_that_it_shows() -> None:
    shown = set(re.findall(r"^(?:urgent|review|watch) +(c-[0-9a-f]{10})", text("tour"), re.MULTILINE))
    assert shown
    for words in commands(text("tour")):
        assert {word for word in words if word.startswith("c-")} <= shown, words


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text(name)):
        assert (ROOT / "docs" / target).exists(), target
    assert f"docs/{name}.md" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_figures_of_the_alternatives_are_those_of_the_benchmarks() -> None:
    figures = set(re.findall(r"\b\d\.\d{3}\b", text("alternatives")))
    assert len(figures) >= 6
    assert figures <= set(re.findall(r"\b\d\.\d{3}\b", text("benchmarks") + text("speed")))


@pytest.mark.parametrize("name", _screenshots.PICTURES)
def test_every_picture_is_shown_and_small(name: str) -> None:
    content = (ROOT / "docs" / "images" / f"{name}.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert struct.unpack(">II", content[16:24]) == (_screenshots.WIDTH, _screenshots.HEIGHT)
    assert len(content) <= _screenshots.LARGEST
    assert f"(images/{name}.png)" in text("tour")

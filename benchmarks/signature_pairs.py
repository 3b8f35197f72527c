"""Two dumps with the same campaigns: equal templates and subjects; other accounts, fillings, times and neighbours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeVar

from benchmarks.planting import PlantedDump, finish
from benchmarks.real_texts import Half
from benchmarks.world_campaigns import campaign_writers, plant_campaigns
from benchmarks.world_innocents import plant_innocents
from benchmarks.world_plan import World, plan
from benchmarks.world_scene import Scene, open_scene
from benchmarks.world_sources import WorldSources, toy_sources, world_sources

__all__ = ["SIDES", "lay_side"]

SIDES: Final = 2
"""Dumps of a pair."""
T = TypeVar("T")


def lay_side(world: World, side: int, *, half: Half, seed: int, rows: int, data: Path | None) -> PlantedDump:
    """Lays one dump of a pair.

    Every text that fills a slot, or that is sent without a template, belongs to one side. So do the accounts of the
    background. Templates, subjects, wordings and the sizes and days of the campaigns are the same on both sides.

    Args:
        world: which.
        side: 0 or 1.
        half: of the texts.
        seed: of every draw.
        rows: of the dump, about.
        data: the folder with the public texts; None takes those of the package's grammar.

    Raises:
        NotEnough: the texts do not suffice.
    """
    common, own = f"{half}-{seed}", f"{half}-{seed}-side-{side}"
    first = plan(world, rows=rows, seed=common)
    planned = first if side == 0 else replace(first, innocents=plan(world, rows=rows, seed=own).innocents)
    wanted = SIDES * first.background  # the same texts for both sides, so that both draw alike
    key = f"{world}-{common}"
    texts = (
        toy_sources(seed=key, rows=wanted) if data is None else world_sources(data, half=half, seed=key, rows=wanted)
    )
    scene = open_scene(planned, _side(texts, side), half=half, seed=own, metadata=True)
    _share(open_scene(first, _side(texts, 0), half=half, seed=common, metadata=True), scene)
    # what the campaigns send is drawn first and by a seed of its own, so innocent groups leave it to them
    writers = campaign_writers(scene, seed=common)
    scene.rng.seed(own)
    plant_innocents(scene)
    plant_campaigns(scene, writers)
    for trace in scene.aside:
        scene.ground.own(scene.open(), trace)
    ids = scene.ground.identities
    if ids is None or not scene.is_api:
        return finish(scene.ground)
    return finish(scene.ground, identity=lambda: ids.ordinary(program=True))


def _share(first: Scene, own: Scene) -> None:
    """Gives a side what several groups share in the first scene of the pair."""
    own.popular, own.grader = first.popular, first.grader
    own.harness, own.harness_client = first.harness, first.harness_client
    own.phrasings, own.rewordings = list(first.phrasings), list(first.rewordings)


def _side(texts: WorldSources, side: int) -> WorldSources:
    """The texts of one side: every second one of what fills slots, all of what is a template."""
    people = texts.people
    return replace(
        texts,
        people=replace(
            people,
            accounts=people.accounts[side::SIDES],
            payloads=people.payloads[side::SIDES],
            tasks=people.tasks[side::SIDES],
            sentences=people.sentences[side::SIDES],
        ),
        documents=_each(texts.documents, side),
        benchmarks=_each(texts.benchmarks, side),
        courses=_each(texts.courses, side),
        parallel=texts.parallel[side::SIDES],
        spoken=texts.spoken[side::SIDES],
        own_prompts=texts.own_prompts[side::SIDES],
        community=texts.community[side::SIDES],
    )


def _each(found: Mapping[str, list[str]], side: int) -> dict[str, list[str]]:
    return {name: own[side::SIDES] for name, own in found.items()}

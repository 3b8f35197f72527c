"""Plants the campaigns of a world: what each kind sends, when, and what its accounts have in common."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Final, TypeAlias

from benchmarks.identities import Identity
from benchmarks.planted_campaigns import instruction_of, templates_of
from benchmarks.real_texts import fill, fill_named, slots
from benchmarks.scenarios import Prompt, reword
from benchmarks.world_plan import ONE_PROMPT, WorldCampaign
from benchmarks.world_scene import PHRASINGS, Scene, blended
from benchmarks.world_texts import Filler, Material, sent

__all__ = ["campaign_writers", "plant_campaigns"]

Writer: TypeAlias = Callable[[int, int], Prompt]
"""From the number of an account and the number of accounts to its next prompt."""

STAGE: Final = 3
"""Days for which a rotating campaign uses one template."""
STAGES: Final = 10
"""Templates of a rotating campaign."""
TONGUES: Final = 10
"""Languages of the campaign that asks the same questions in many."""
TONGUE_NAMES: Final = ("English", "French", "Arabic", "Russian", "Chinese", "Spanish", "German")
"""Languages between which rewordings of a request for a translation ask for one."""
BATCH: Final = (8, 40)
"""Least and greatest number of accounts that were opened and equipped together."""
COVER: Final = (0, 0, 0, 0, 1, 2, 5)
"""Other prompts of an account that harvests once or twice, as often as they occur."""

BARE: Final = ("bare-questions", "small", *ONE_PROMPT)
"""Campaigns that may send items without a template."""


def campaign_writers(scene: Scene, *, seed: str | None = None) -> dict[str, Writer]:
    """What each campaign of the plan sends: its templates and subjects are drawn here, its fillings later.

    Args:
        scene: where it will be planted.
        seed: of these draws alone, so that two scenes get the same templates and subjects; None goes on with the draws
            of the scene.
    """
    writers = {}
    scene.drawn_first = seed is not None
    # campaigns that may have nothing but their items choose theirs first
    for campaign in sorted(scene.plan.campaigns, key=lambda c: c.kind not in BARE):
        if seed is not None:
            scene.rng.seed(f"{seed}-{campaign.kind}")
        writers[campaign.kind] = _WRITERS[campaign.kind](scene, campaign)
    scene.drawn_first = False
    return writers


def plant_campaigns(scene: Scene, writers: Mapping[str, Writer] | None = None) -> None:
    """Plants every campaign of the plan.

    Args:
        scene: where.
        writers: of :func:`campaign_writers`; None makes them.
    """
    writers = campaign_writers(scene) if writers is None else writers
    for campaign in scene.plan.campaigns:
        _plant(scene, campaign, writers[campaign.kind])


def _plant(scene: Scene, campaign: WorldCampaign, write: Writer) -> None:
    rng, ground = scene.rng, scene.ground
    names = [ground.open(identity) for identity in _identities(scene, campaign)]
    sent_at: list[int] = []
    for number, account in enumerate(names):
        count = _count(campaign, rng)
        low, high = _span(campaign, number, len(names))
        times = _times(scene, campaign, count, low, high)
        for time in times:
            scene.send(account, time, write(number, len(names)))
        sent_at += times
        share = rng.uniform(*campaign.share)
        cover = rng.choice(COVER) if campaign.kind in ONE_PROMPT else round(count * (1 - share) / share)
        ground.own(account, ground.hosts.take(cover))
    ground.group(campaign.kind, "campaign", campaign.what, names)
    ground.harvest[campaign.kind], ground.first[campaign.kind] = len(sent_at), min(sent_at)


def _count(campaign: WorldCampaign, rng: random.Random) -> int:
    if campaign.kind in ONE_PROMPT:
        return 1 + int(rng.random() < campaign.each - 1)
    if campaign.uneven:
        drawn = campaign.each * rng.lognormvariate(-(campaign.uneven**2) / 2, campaign.uneven)
        return min(max(1, round(drawn)), round(10 * campaign.each))
    return rng.randint(max(1, round(0.7 * campaign.each)), max(1, round(1.3 * campaign.each)))


def _span(campaign: WorldCampaign, number: int, accounts: int) -> tuple[float, float]:
    """The days on which an account harvests."""
    if campaign.kind == "rotation":
        low = campaign.start + STAGE * _stage(number, accounts)
        return low, low + STAGE
    return campaign.start, campaign.start + campaign.days


def _stage(number: int, accounts: int) -> int:
    return number * STAGES // accounts


def _times(scene: Scene, campaign: WorldCampaign, count: int, low: float, high: float) -> list[int]:
    if campaign.manner == "machine":
        return scene.tempo.of("steady", count, low=low, high=high)
    if campaign.manner == "person":
        return scene.tempo.of("person", count, low=low, high=high)
    return scene.tempo.program(count, low=low, high=high)


def _identities(scene: Scene, campaign: WorldCampaign) -> list[Identity | None]:
    """Ordinary identities that have some things in common, in batches that were opened together."""
    ids, rng = scene.ground.identities, scene.rng
    if ids is None:
        return [None] * campaign.accounts
    found: list[Identity | None] = []
    agents = scene.harness_client if campaign.kind == "behind-harness" else ()
    while len(found) < campaign.accounts:
        size = min(campaign.accounts - len(found), rng.randint(*BATCH))
        pool = ids.campaign(size, first=int(campaign.start), network="proxy")
        for shared in pool:
            ordinary = ids.ordinary(agents=agents, program=scene.is_api)
            if campaign.kind in ONE_PROMPT:
                # the same half of the accounts shares everything
                chosen = list(campaign.signals) if rng.random() < max(campaign.signals.values(), default=0) else []
            else:
                chosen = [signal for signal, share in campaign.signals.items() if rng.random() < share]
            found.append(blended(ordinary, shared, chosen))
    rng.shuffle(found)
    return found


# ---------------------------------------------------------------- what each kind sends


def _bare(scene: Scene, campaign: WorldCampaign) -> Writer:
    items = scene.items.deal(scene.items.subjects(scene.rng.choice((1, 1, 2)), alone=True))
    return lambda number, accounts: next(items)


def _templated(count: int) -> Callable[[Scene, WorldCampaign], Writer]:
    def writer(scene: Scene, campaign: WorldCampaign) -> Writer:
        templates = templates_of(scene.ground, count)
        items = scene.items.deal(scene.items.subjects(2))
        return lambda number, accounts: fill(scene.rng.choice(templates), chain([next(items)], items))

    return writer


def _framework(scene: Scene, campaign: WorldCampaign) -> Writer:
    return _defaults(scene, scene.popular)


def _grading(scene: Scene, campaign: WorldCampaign) -> Writer:
    return _defaults(scene, scene.grader[1])


def _defaults(scene: Scene, templates: list[str]) -> Writer:
    """Default prompts around one list of items and passages."""
    passages, items = scene.passages(3), scene.items.deal(scene.items.subjects(2))
    settings = Material.of(["-"], scene.rng).settings
    filler = Filler(question=lambda: next(items), passage=lambda: next(passages), settings=settings)
    return lambda number, accounts: filler.prompt(scene.rng.choice(templates))


def _harness(scene: Scene, campaign: WorldCampaign) -> Writer:
    tasks = _over(scene.texts.people.tasks, scene.rng)
    return lambda number, accounts: sent(next(tasks), system=scene.harness)


def _last_turn(scene: Scene, campaign: WorldCampaign) -> Writer:
    instruction = instruction_of(scene.ground)
    items = scene.items.deal(scene.items.subjects(2))
    return lambda number, accounts: [
        {"role": "user", "content": next(items)},
        {"role": "assistant", "content": scene.rng.choice(scene.texts.people.sentences)},
        {"role": "user", "content": instruction},
    ]


def _model_reworded(scene: Scene, campaign: WorldCampaign) -> Writer:
    rng = scene.rng
    group = scene.rewordings.pop() if scene.rewordings else rng.choice(sorted(scene.texts.rewordings.values()))
    items = scene.items.deal(scene.items.subjects(2))
    words = _over(sorted({w for item in scene.texts.people.sentences for w in item.split() if w.isalpha()}), rng)

    def value(name: str) -> str:
        if "lang" in name:
            return rng.choice(TONGUE_NAMES)
        return next(words).lower() if name.startswith(("word", "query", "category", "topic")) else next(items)

    def write(number: int, accounts: int) -> Prompt:
        wording = rng.choice(group)
        if not slots(wording):
            return f"{wording}\n\n{next(items)}"
        return fill_named(wording, value).replace("{}", next(words))

    return write


def _phrasing(scene: Scene) -> str:
    """An instruction with exchangeable words that no other campaign has, as long as there are any."""
    return scene.phrasings.pop() if scene.phrasings else scene.rng.choice(PHRASINGS[scene.ground.half])


def _grammar_reworded(scene: Scene, campaign: WorldCampaign) -> Writer:
    phrasing = _phrasing(scene)
    items = scene.items.deal(scene.items.subjects(2))
    return lambda number, accounts: reword(phrasing, scene.rng).replace("{x}", next(items))


def _own_wording(scene: Scene, campaign: WorldCampaign) -> Writer:
    """Each account has one wording of the instruction before all of its items."""
    phrasing = _phrasing(scene)
    items = scene.items.deal(scene.items.subjects(2))
    wordings: dict[int, str] = {}

    def write(number: int, accounts: int) -> Prompt:
        if number not in wordings:
            wordings[number] = reword(phrasing, scene.rng)
        return wordings[number].replace("{x}", next(items))

    return write


def _languages(scene: Scene, campaign: WorldCampaign) -> Writer:
    every = sorted({language for one in scene.texts.parallel for language in one})
    chosen = scene.rng.sample(every, min(TONGUES, len(every)))
    pairs = [text for one in scene.texts.parallel for language, text in sorted(one.items()) if language in chosen]
    dealt = _over(pairs, scene.rng)
    return lambda number, accounts: next(dealt)


def _rotation(scene: Scene, campaign: WorldCampaign) -> Writer:
    templates = templates_of(scene.ground, STAGES)
    items = scene.items.deal(scene.items.subjects(3))
    return lambda number, accounts: fill(templates[_stage(number, accounts)], chain([next(items)], items))


def _small(scene: Scene, campaign: WorldCampaign) -> Writer:
    """Without a template, as a rule."""
    return scene.rng.choice((_bare, _bare, _bare, _templated(1)))(scene, campaign)


def _low_share(scene: Scene, campaign: WorldCampaign) -> Writer:
    return scene.rng.choice((_templated(1), _templated(2), _grammar_reworded))(scene, campaign)


def _one_prompt(scene: Scene, campaign: WorldCampaign) -> Writer:
    """Without a template: two fixed phrases in thousands of accounts would be enough to find it."""
    return scene.rng.choice((_bare, _bare, _model_reworded, _grammar_reworded))(scene, campaign)


def _over(texts: list[str], rng: random.Random) -> Iterator[str]:
    """Texts in random order, over and over."""
    order = list(texts)
    while True:
        rng.shuffle(order)
        yield from order


_WRITERS: Final[Mapping[str, Callable[[Scene, WorldCampaign], Writer]]] = {
    "bare-questions": _bare,
    "behind-framework": _framework,
    "behind-harness": _harness,
    "human-tempo": _templated(1),
    "grading": _grading,
    "last-turn": _last_turn,
    "reworded-by-model": _model_reworded,
    "reworded-by-grammar": _grammar_reworded,
    "languages": _languages,
    "rotation": _rotation,
    "one-prompt": _one_prompt,
    "one-prompt-bare": _one_prompt,
    "small": _small,
    "low-share": _low_share,
    "own-wording": _own_wording,
}

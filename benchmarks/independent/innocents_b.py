"""The innocent groups of design ``b``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from benchmarks.independent.dealing import judge_prompts
from benchmarks.independent.groups import Innocent
from benchmarks.independent.kinds import Infra, Manner, Unit
from benchmarks.independent.people import own_data, question, system_prompt
from benchmarks.independent.scene import Scene
from benchmarks.independent.sharing import evaluation_teams, event, players, product, school_class, viral
from benchmarks.independent.tempo import geometric
from benchmarks.independent.wordings import NEWS_AIRPORT
from harvestdetect.util.periods import DAY

__all__ = ["INNOCENTS_B"]


def _letters(scene: Scene, count: int) -> list[list[Unit]]:
    """Citizens who want their copy of a form letter improved: texts of one grammar, from real comments."""
    start = "[[improve|make this more personal|rewrite in my words|shorten|fix grammar]][[: |:\n| - ]]"
    return [
        [scene.say(start) + scene.deck("letters").one() for _ in range(geometric(scene.rng, 0.7))] for _ in range(count)
    ]


def _newsrooms(scene: Scene, count: int) -> list[list[Unit]]:
    """The newsrooms of a publisher: one template, and the records of the county of each."""
    prompt = (
        "Write a local news item of 80 words from the record. Neutral tone, no adjectives, give the source.\nRecord: "
    )
    sizes = [scene.heavy(14, 0.5, least=4, most=40) for _ in range(count)]
    return [[prompt + scene.deck("records").one() for _ in range(size)] for size in sizes]


def _regression(scene: Scene, count: int) -> list[list[Unit]]:
    """Keys of one company that run the same nine prompts again and again."""
    prompts = [f"{system_prompt(scene)}\n{own_data(scene)()}" for _ in range(9)]
    return [[scene.rng.choice(prompts) for _ in range(scene.rng.randint(25, 49))] for _ in range(count)]


def _grading_developers(scene: Scene, count: int) -> list[list[Unit]]:
    """Developers with the public grading prompt and answers of their own products."""
    found: list[list[Unit]] = []
    for _ in range(count):
        own = own_data(scene)
        found.append(
            [
                judge_prompts(scene, question(scene) if scene.rng.random() < 0.4 else own()[:300], own())
                for _ in range(scene.heavy(6, 0.9, most=60))
            ]
        )
    return found


def _roast(scene: Scene, prompt: str) -> str:
    """The meme with another object of ridicule, and often with facts about oneself."""
    own = prompt.replace("zodiac sign", scene.rng.choice(("zodiac sign", "zodiac sign", "job", "dog", "city")))
    return own + scene.say("[[||  I am a [[taurus|leo|nurse|gamer|dad]]. Snack: [[chips|sushi|kimchi]]. ]]")


def _recipes(scene: Scene, count: int) -> list[list[Unit]]:
    """Users of a recipe application in Chinese, each with a few recipes."""
    prompt = "你是菜谱助手。根据下面的做法，列出购物清单并给出两人份的用量：\n"
    found: list[list[Unit]] = []
    for _ in range(count):
        own = scene.deck("docs/recipes_zh").take(6)
        number = scene.heavy(3, 0.9, most=25)
        found.append([prompt + scene.cut(scene.rng.choice(own), 200, 700) for _ in range(number)])
    return found


def _daily_puzzle(scene: Scene, count: int) -> list[list[tuple[float, str]]]:
    """People who ask for help with the puzzle of the day, which is the same for everybody."""
    rng, days = scene.rng, scene.log.days
    puzzles = scene.deal(days, "bench/flan_qasc")
    found = []
    for _ in range(count):
        own = sorted({rng.randrange(len(puzzles)) for _ in range(geometric(rng, 0.3))})
        start = "[[|todays puzzle: |help with the daily puzzle |daily quiz ]]"
        found.append([((day + rng.betavariate(3, 3)) * DAY, scene.say(start) + puzzles[day]) for day in own])
    return found


def _reading_plan(scene: Scene, count: int) -> list[list[tuple[float, str]]]:
    """Users of an application that gives everybody the same passage and prompt on a day."""
    rng, days = scene.rng, scene.log.days
    prompt = "You are my reading companion. Give a short meditation and one question about today's passage.\n\n"
    passages = scene.deal(days, "docs/religious_kjv")
    found = []
    for _ in range(count):
        first = rng.randrange(20)
        own = range(first, min(len(passages), first + geometric(rng, 0.12)))
        found.append([((day + rng.betavariate(2, 6)) * DAY, prompt + passages[day]) for day in own])
    return found


def _keyboard(scene: Scene) -> Callable[[str], str]:
    prompt = (
        "Rewrite the following message so that it sounds more polite and professional. Keep the meaning and the "
        "language. Return only the rewritten message.\n\nMessage: "
    )
    return lambda text: prompt + text


INNOCENTS_B: Final = (
    Innocent(
        name="class_kubernetes", what="a class with one exercise sheet and a deadline", accounts=55, side=0.4,
        share=school_class("devops_kubernetes", 25),
        manner=Manner(clocks=("people",), first=7, last=13.9, zones=(2,)),
        infra=Infra(network="office", addresses=4, client="web", signup="new", payment="none"),
    ),
    Innocent(
        name="class_javascript", what="a class with one exercise sheet and a deadline, at home", accounts=60, side=0.4,
        share=school_class("eloquent_javascript", 14),
        manner=Manner(clocks=("people",), first=20, last=27, zones=(-6,)),
        infra=Infra(network="home", payment="none"),
    ),
    Innocent(
        name="eval_teams_gsm8k",
        what="independent teams that run the same first items of a public set, some with a request for the reasoning",
        accounts=22, side=0.25,
        share=evaluation_teams(
            "bench/gsm8k", 50,
            ("harness", "harness", "harness", "Question: {q}\nLet's think step by step.\nAnswer:"), 0.5,
        ),
        manner=Manner(clocks=("bursts", "service", "schedule"), stagger=29, span=8),
    ),
    Innocent(
        name="keyboard_polite", what="users of a phone keyboard with a fixed prompt and messages of their own",
        accounts=190, side=0.05, share=product(_keyboard, 2.5, "utterances", "documents", cut=300),
        infra=Infra(network="mobile", payment="none", signup="new"),
    ),
    Innocent(
        name="prompt_game", what="players of a public prompt game, with their real prompts and times", accounts=45,
        side=0, timed=players(25),
    ),
    Innocent(
        name="advocacy_letters", what="citizens who want a form letter improved that everybody got", accounts=120,
        side=0.5, share=_letters, manner=Manner(clocks=("people",), first=14, last=22),
    ),
    Innocent(
        name="newsroom_network", what="the newsrooms of a publisher: one template, and the records of a county each",
        accounts=28, side=0.2, share=_newsrooms, manner=Manner(clocks=("office",), zones=(-6,)),
        infra=Infra(network="office", addresses=5, payment="pool", signup="aged"),
    ),
    Innocent(
        name="ci_keys", what="keys of one company that run the same regression prompts", accounts=16, side=0,
        share=_regression, manner=Manner(clocks=("schedule",)),
        infra=Infra(network="hosting", payment="pool", signup="aged"),
    ),
    Innocent(
        name="daily_puzzle", what="people with the puzzle of the day", accounts=130, side=0.5, timed=_daily_puzzle,
    ),
    Innocent(
        name="reading_plan", what="an application with the same passage for everybody on a day", accounts=70, side=0,
        timed=_reading_plan, infra=Infra(network="home", payment="none", signup="new"),
    ),
    Innocent(
        name="prometheus_devs", what="developers with the public grading prompt, and answers of their own", accounts=40,
        share=_grading_developers, manner=Manner(clocks=("service", "office", "bursts"), stagger=20),
    ),
    Innocent(
        name="viral_roast", what="people who try a meme with small changes", accounts=160, side=0.6,
        share=viral("roast", _roast), manner=Manner(clocks=("people",), first=9, last=21, stagger=6),
        infra=Infra(payment="none"),
    ),
    Innocent(
        name="meal_app", what="a recipe application in Chinese with one account for each user", accounts=90, side=0.1,
        share=_recipes, manner=Manner(clocks=("people",), zones=(8,)),
        infra=Infra(network="mobile", payment="none", signup="new"),
    ),
    Innocent(
        name="news_strike", what="people who ask about one strike", accounts=110, side=0.6,
        share=event(NEWS_AIRPORT, 0.6), manner=Manner(clocks=("people",), first=25, last=29),
    ),
)  # fmt: skip
"""Groups that share a card, a tool, a passage of the day or a public prompt."""

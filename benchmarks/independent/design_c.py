"""Design ``c``: 24 days, with nothing but account, time and prompt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from benchmarks.independent.dealing import (
    bare,
    behind_graders,
    claim,
    each,
    on_passages,
    one_wording,
    with_reasoning,
    with_rubric,
)
from benchmarks.independent.groups import Campaign, Design, Innocent, Pool
from benchmarks.independent.kinds import Log, Manner, Unit
from benchmarks.independent.people import support_prompt
from benchmarks.independent.scene import Scene
from benchmarks.independent.sharing import (
    evaluation_teams,
    hackathon,
    popular_list,
    product,
    school_class,
    tutorial,
    viral,
)
from benchmarks.independent.tempo import geometric
from benchmarks.independent.wordings import TUTORIAL_AGENTS, reasoning

__all__ = ["DESIGN_C"]

_FORMS: Final = ("{q}", "Q: {q}", "{q}\nAnswer with the letter.", '"{q}"')
_PROOF: Final = (
    'Give a complete [[rigorous proof|proof with all details]]. After the proof write "Heuristics:" and describe how '
    "you found the key idea and what failed first.\n\nProblem. "
)
_EXPERT: Final = (
    "[[Write|Give]] [[a detailed|an exhaustive|a thorough]] [[answer|explanation]] "
    "[[for an expert forum|as a senior engineer]], [[with code|including code and pitfalls]], "
    "[[and rate its difficulty|then list follow-up questions]]: "
)
_BRIEF: Final = (
    "? [[Answer briefly|Short answer]] [[then|and]] "
    "[[name the source you would cite|give the reason in one line|say when you learned it]]."
)
_CHECK: Final = (
    "[[fact check|is this true|check this claim|true or false]]"
    "[[: |? |, with the evidence you rely on: |, explain how you know: ]]"
)
_FURTHER: Final = (
    "为什么不是其他选项？逐一说明理由。",
    "请把上面的思路整理成步骤。",
    "如果题干改变一个条件，答案会怎样？举例说明。",
)
_PERSONAS: Final = (
    *("pirate", "lawyer", "grandmother", "startup founder", "medieval monk", "sports commentator", "nurse"),
    *("detective", "poet", "diplomat"),
)
_TONGUES: Final = ("de", "es", "ru", "tr", "zh", "vi", "en", "ro")


def _form(scene: Scene, text: str) -> Unit:
    return scene.rng.choice(_FORMS).replace("{q}", text)


def _expert(scene: Scene, count: int) -> list[Unit]:
    """Programming questions for an expert; each pool goes on where the one before stopped."""
    return [scene.say(_EXPERT) + text for text in scene.deal(count, *scene.library.names("code"))]


def _annotation(scene: Scene, count: int) -> list[Unit]:
    """Reviews in real rewordings of one instruction to annotate a text."""
    groups = {name: scene.library.pools[name] for name in scene.library.names("rewordings") if "/pb/" in name}
    wanted = [name for name in groups if name.endswith("/sst2")] or [n for n in groups if n.endswith("/cola")]
    wordings = [text for text in groups[(wanted or sorted(groups))[0]] if len(text) > 20]
    found: list[Unit] = []
    for text in scene.passages(count, "product_reviews", "wine_reviews", "movie_reviews", least=100, most=500):
        wording = scene.rng.choice(wordings)
        found.append(wording.replace("{content}", text) if "{content}" in wording else f"{wording}\n{text}")
    return found


def _padded(scene: Scene, text: str) -> Unit:
    """Ordinary chat before an item, and a request for the reasoning at the end."""
    talk = " ".join(scene.rng.choice(scene.library.talks)[:2])[:400]
    return f"{talk}\n{scene.deck('arena').any()[:300]}\n\n{text}\n{reasoning(scene.rng)}"


def _persona(scene: Scene, count: int) -> list[Unit]:
    """Questions in eight languages that a persona is to answer."""
    start = "[[Answer as|Speak like|Reply in the voice of]] a "
    return [
        f"{scene.say(start)}{scene.rng.choice(_PERSONAS)}: {text}"
        for text in scene.deal(count, *(f"spoken/{language}" for language in _TONGUES))
    ]


CAMPAIGNS: Final = (
    Campaign(
        name="c_cot_paraphrased",
        what="a request for the reasoning in hundreds of wordings, before or after items of two benchmarks",
        pools=(
            Pool(
                accounts=110,
                prompts=880,
                deal=each(with_reasoning, "bench/mathqa", "bench/openbookqa"),
                manner=Manner(clocks=("people",), stagger=9),
            ),
        ),
    ),
    Campaign(
        name="c_bare_strategyqa",
        what="questions of one benchmark as they are, seven an account, at the hours of people",
        side=0.2,
        hard=True,
        pools=(
            Pool(
                accounts=140,
                prompts=960,
                deal=bare("bench/strategyqa"),
                manner=Manner(clocks=("people",), stagger=10),
            ),
        ),
    ),
    Campaign(
        name="c_bare_mixed",
        what="three benchmarks in four surface forms, without an instruction",
        pools=(
            Pool(
                accounts=45,
                prompts=810,
                deal=each(_form, "bench/flan_qasc", "bench/winogrande", "bench/flan_creak"),
                manner=Manner(first=2, last=23, stagger=4),
            ),
        ),
    ),
    Campaign(
        name="c_codegen_raw",
        what="programming tasks of a real distillation list as they are, five an account",
        side=0.2,
        hard=True,
        pools=(
            Pool(
                accounts=200,
                prompts=980,
                deal=bare("distilled/codegen"),
                manner=Manner(clocks=("people",), stagger=14),
            ),
        ),
    ),
    Campaign(
        name="c_rubric_essay",
        what="reworded requests for grading rubrics of texts, in office hours",
        uneven=8,
        pools=(
            Pool(
                accounts=30,
                prompts=580,
                deal=on_passages(
                    with_rubric("text", "essay", "review", "answer"), "movie_reviews", "government_blog", "news_abc"
                ),
                manner=Manner(clocks=("office",), zones=(9,)),
            ),
        ),
    ),
    Campaign(
        name="c_fw_grader",
        what="one list of questions and answers, behind the default grading prompts of evaluation frameworks",
        pools=(
            Pool(
                accounts=70, prompts=700, deal=behind_graders, manner=Manner(clocks=("service",), stagger=8)
            ),
        ),
    ),
    Campaign(
        name="c_camo25",
        what="claims that are to be checked, in a quarter of the traffic of ordinary chat accounts",
        uneven=8,
        camouflage=0.25,
        hard=True,
        pools=(
            Pool(
                accounts=60,
                prompts=370,
                deal=each(lambda scene, text: scene.say(_CHECK) + claim(text), "bench/flan_creak"),
                manner=Manner(clocks=("people",), stagger=5),
            ),
        ),
    ),
    Campaign(
        name="c_handover3",
        what="reworded programming questions; three pools relieve each other every week and go on with one list",
        pools=tuple(
            Pool(
                accounts=25,
                prompts=253,
                deal=_expert,
                manner=Manner(first=1 + 7.4 * number, last=8.3 + 7.4 * number),
            )
            for number in range(3)
        ),
    ),
    Campaign(
        name="c_small_proof",
        what="fifteen accounts with a fixed template around olympiad problems",
        pools=(
            Pool(
                accounts=15,
                prompts=180,
                deal=one_wording(_PROOF, "bench/olympiadbench"),
                manner=Manner(clocks=("people",), first=4, last=22, stagger=2),
            ),
        ),
    ),
    Campaign(
        name="c_annotate",
        what="reviews in real rewordings of one instruction to annotate them",
        pools=(
            Pool(accounts=85, prompts=760, deal=_annotation, manner=Manner(clocks=("service",), stagger=7)),
        ),
    ),
    Campaign(
        name="c_churn_nq",
        what="one or two questions an account, with a short addition in some wordings",
        uneven=40,
        hard=True,
        pools=(
            Pool(
                accounts=260,
                prompts=390,
                deal=each(lambda scene, text: text.rstrip("?") + scene.say(_BRIEF), "questions"),
                manner=Manner(clocks=("people",), stagger=23, span=1),
            ),
        ),
    ),
    Campaign(
        name="c_padding",
        what="ordinary chat before an item, and a reworded request for the reasoning at the end",
        pools=(
            Pool(
                accounts=50,
                prompts=600,
                deal=each(_padded, "bench/svamp", "bench/piqa"),
                manner=Manner(clocks=("people",), first=1, stagger=6),
            ),
        ),
    ),
    Campaign(
        name="c_multiturn_zh",
        what="sessions of four turns in Chinese on a list of exam questions",
        pools=(
            Pool(
                accounts=35,
                prompts=180,
                deal=each(lambda scene, text: (text, *_FURTHER), "bench/cmmlu"),
                manner=Manner(clocks=("office",), stagger=4, zones=(8,)),
            ),
        ),
    ),
    Campaign(
        name="c_persona_lang",
        what="a grid of personas, languages and questions",
        pools=(
            Pool(accounts=64, prompts=520, deal=_persona, manner=Manner(first=3, stagger=10)),
        ),
    ),
)  # fmt: skip
"""From a fixed template to bare questions, all without metadata."""


def _mostly_verbatim(scene: Scene, prompt: str) -> str:
    return prompt + scene.say("[[|||| I work as a [[nurse|teacher|driver]].| in spanish]]")


def _interviews(scene: Scene, count: int) -> list[list[Unit]]:
    """Job seekers who work through one public list of tasks, most from the top."""
    rng, tasks = scene.rng, scene.deal(75, "distilled/codegen")
    found: list[list[Unit]] = []
    for _ in range(count):
        first = 0 if rng.random() < 0.7 else rng.randrange(len(tasks) // 2)
        own = tasks[first : first + geometric(rng, 0.1) + 1]
        found.append([scene.say("[[|solve: |hint for: |explain ]]") + task for task in own])
    return found


def _study(scene: Scene, count: int) -> list[list[Unit]]:
    """Workers who send six of thirty given tasks verbatim, and then rate the answer."""
    tasks = [text for text in scene.deal(60, "hard") if len(text) < 500][:30]
    rate = "[[make it shorter|are you sure?|another version please|explain more]]"
    return [[(task, scene.say(rate)) for task in scene.rng.sample(tasks, min(6, len(tasks)))] for _ in range(count)]


def _game_rules(scene: Scene, count: int) -> list[list[Unit]]:
    """Users of a tool for a table game: one prompt, and nine entries of the rules for each user."""
    prompt = (
        "You are the rules assistant of our table app. Explain the entry for a new player and suggest one "
        "encounter.\n\n"
    )
    found: list[list[Unit]] = []
    for _ in range(count):
        own = scene.deck("docs/game_rules_dnd").take(9)
        found.append([prompt + scene.rng.choice(own) for _ in range(scene.heavy(4, 0.9, most=25))])
    return found


def _patterns(scene: Scene) -> Callable[[str], str]:
    patterns = scene.deck("patterns").take(2)
    return lambda text: f"{scene.rng.choice(patterns)}\n\nINPUT:\n{text}"


def _bank(scene: Scene) -> Callable[[str], str]:
    prompt = support_prompt(scene)
    return lambda text: f"{prompt}\n\nUser: {text}"


INNOCENTS: Final = (
    Innocent(
        name="class_sql", what="a class with one exercise sheet and a deadline", accounts=45, side=0.4,
        share=school_class("dc_sql", 12), manner=Manner(clocks=("people",), first=3, last=8, zones=(0,)),
    ),
    Innocent(
        name="class_projects", what="a class with one list of projects and a deadline", accounts=70, side=0.4,
        share=school_class("karan_projects", 16), manner=Manner(clocks=("people",), first=10, last=19, zones=(5,)),
    ),
    Innocent(
        name="class_linalg2", what="a class with one exercise sheet and a deadline", accounts=35, side=0.4,
        share=school_class("first_course_linear_algebra", 12),
        manner=Manner(clocks=("people",), first=12, last=16, zones=(-4,)),
    ),
    Innocent(
        name="eval_teams_wino", what="independent teams that run the same public items", accounts=20, side=0.25,
        share=evaluation_teams("bench/winogrande", 45, ("{q}", "Answer the question.\n{q}"), 0.4),
        manner=Manner(clocks=("bursts", "service", "schedule"), stagger=15, span=8),
    ),
    Innocent(
        name="tutorial_agents", what="readers of a tutorial for agents", accounts=190,
        share=tutorial(TUTORIAL_AGENTS, 0.7), manner=Manner(clocks=("people",), stagger=20, span=2),
    ),
    Innocent(
        name="viral_grandma", what="people who try one prompt, mostly verbatim", accounts=120, side=0.65,
        share=viral("grandma", _mostly_verbatim), manner=Manner(clocks=("people",), first=2, last=11, stagger=4),
    ),
    Innocent(
        name="viral_figure", what="people who try one prompt, mostly verbatim", accounts=160, side=0.65,
        share=viral("figure", _mostly_verbatim), manner=Manner(clocks=("people",), first=11, last=20, stagger=4),
    ),
    Innocent(
        name="exam_season_zh", what="students in China with the same popular mock exams", accounts=85, side=0.6,
        share=popular_list("bench/cmmlu", 150, 3, 13, skew=0.8),
        manner=Manner(clocks=("people",), first=8, last=24, zones=(8,)),
    ),
    Innocent(
        name="bank_assistant", what="the assistant of a bank, with one account for each customer", accounts=230,
        side=0.05, share=product(_bank, 2.2, "utterances"),
    ),
    Innocent(
        name="fabric_users2", what="users of a public collection of prompts, with texts of their own", accounts=140,
        share=product(_patterns, 2.5, "documents"), manner=Manner(clocks=("people",), stagger=14),
    ),
    Innocent(
        name="hackathon_campus", what="teams of one weekend with a starter prompt and questions of their own",
        accounts=48,
        share=hackathon(
            lambda scene: "Team assistant v0. Stack: FastAPI, React, pgvector. Be brief, code first.\n", 9, 0.6, 30
        ),
        manner=Manner(clocks=("people",), first=18.5, last=21, zones=(2,)),
    ),
    Innocent(
        name="study_workers2", what="a study: each worker sends six of thirty tasks and rates the answers", accounts=70,
        share=_study, manner=Manner(clocks=("people",), first=6, last=13, stagger=5, span=1),
    ),
    Innocent(
        name="interview_list", what="job seekers who work through one public list of 75 tasks", accounts=110, side=0.4,
        share=_interviews, manner=Manner(clocks=("people",), stagger=12),
    ),
    Innocent(
        name="dnd_tool", what="users of a tool for a table game, each with some entries of its rules", accounts=75,
        share=_game_rules, manner=Manner(clocks=("people",), zones=(-6,)),
    ),
)  # fmt: skip
"""Groups that share a list, a tutorial, a meme or a product."""

DESIGN_C: Final = Design(
    log=Log(
        name="c", days=24, start="2026-01-19", rows=38_000, id_length=12, fields="none", frameworks=0.22,
        applications=0.28,
    ),
    campaigns=CAMPAIGNS, innocents=INNOCENTS,
)  # fmt: skip
"""A short design without metadata."""

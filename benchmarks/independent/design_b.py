"""Design ``b``: 38 days; six of ten accounts have a card, a sign-up date or an address in the log."""

from __future__ import annotations

import re
from itertools import product as pairs_of
from typing import Final

from benchmarks.independent.dealing import (
    bare,
    choices_in_languages,
    confidence_probe,
    each,
    graded,
    hidden_reasoning,
    in_disguise,
    on_passages,
    terms,
)
from benchmarks.independent.groups import Campaign, Deal, Design, Pool
from benchmarks.independent.innocents_b import INNOCENTS_B
from benchmarks.independent.kinds import Infra, Log, Manner, Unit
from benchmarks.independent.scene import Scene
from benchmarks.independent.wordings import LANGUAGES, MORE_LANGUAGES, reasoning
from benchmarks.real_texts import fill_named

__all__ = ["DESIGN_B"]

_TONGUES: Final = (*list(LANGUAGES.values())[:12], *MORE_LANGUAGES)
_MONOLOGUE: Final = "Expose the full inner monologue between << and >> before the reply."
_CONSTRAINTS: Final = (
    "Follow all constraints exactly and list them afterwards.",
    "Obey every constraint, then list the constraints.",
    "Afterwards list which constraints you met.",
    "Meet each constraint; enumerate them at the end.",
)
_QUERIES: Final = (
    "three analytical questions of rising difficulty and their SQL",
    "a query with a window function and its explanation",
    "five natural-language questions a manager would ask, each with SQL",
    "a wrong query, the error and the repaired query",
    "a query with two joins and a subquery, and the plan you expect",
    "ten test cases for a query over these tables",
)
_TASK: Final = (
    "[[Create|Design|Invent]] [[a programming task|a self-contained exercise|a verifiable task]] "
    "[[based on|inspired by|that uses]] [[the text|this documentation]]. [[Give|Include|Provide]] "
    "[[a hidden test|unit tests|a checker script]] and [[a reference solution|the solution]].\n\n"
)
_CLEAN: Final = (
    "[[Below is|Here is]] [[a raw|an unedited|a messy]] [[reasoning trace|chain of thought|draft of thoughts]]. "
    "[[Clean it up|Rewrite it|Polish it]]: [[remove|drop]] [[repetitions|detours]], [[keep|preserve]] "
    "[[every inference|all logical steps]], [[number the steps|one step per line]]"
)
_CLEAN_ENDS: Final = (
    " and [[mark|flag]] [[unsupported claims|errors]].",
    ".",
    " and [[end with the conclusion|restate the result]].",
)
_STAGES: Final = (
    "Generate one hard question that can only be answered by combining two facts of the passage. Output the question "
    "only.\n\nPassage:\n",
    "Answer the question from the passage. Write the reasoning as numbered notes, then the answer.\n\nPassage:\n",
    "Critique the passage-based answer key: list every inference that is not supported and correct it.\n\nPassage:\n",
)


def _word_skills(scene: Scene, count: int) -> list[Unit]:
    """Questions about words in over a hundred real rewordings, each with other words."""
    groups = [name for name in scene.library.names("rewordings") if "/LMentry/" in name and "homophones" not in name]
    wordings = [text for name in groups[-2:] for text in scene.library.pools[name]]
    words = [word for word in terms(scene) if word.isalpha()]
    return [re.sub(r"\{\w+\}", lambda m: scene.rng.choice(words), scene.rng.choice(wordings)) for _ in range(count)]


def _behind_harness(scene: Scene, count: int) -> list[Unit]:
    """Freelance issues and tasks on source files behind the system prompts of a coding harness."""
    harnesses = scene.library.harnesses
    prompts = scene.once("harness", lambda: scene.rng.sample(harnesses, min(3, len(harnesses))))
    if not scene.popular:
        scene.popular += prompts * 2
    tags = scene.library.names("code")
    tasks = scene.deal(count * 2 // 5, "bench/swe_lancer")
    files = scene.passages(count - len(tasks), "code_typescript", "code_java", "sql_schemas")
    tasks += [f"{scene.deck(scene.rng.choice(tags)).one()}\n\n{file}" for file in files]
    plain = [fill_named(prompt.text, lambda name: "") for prompt in prompts]
    return [f"{scene.rng.choice(plain)}\n\n{task[:2_500]}" for task in tasks]


def _traces(scene: Scene, count: int) -> list[Unit]:
    """Long answers that are to be cleaned, as a reasoning trace would be."""
    return [f"{scene.say(_CLEAN + scene.rng.choice(_CLEAN_ENDS))}\n\n{answer}" for _, answer in scene.answers(count)]


def _translation(scene: Scene, text: str) -> Unit:
    start = scene.say("[[Translate|Render|Please translate]] [[into|to]] ") + scene.rng.choice(_TONGUES)
    return (
        start
        + scene.say(
            "[[, natural style|, literal and then idiomatic| and explain difficult choices| (formal register)|]]"
        )
        + scene.rng.choice((": ", ":\n", "\n\n"))
        + text
    )


def _schemas(scene: Scene, count: int) -> list[Unit]:
    """Every schema with every task about it; each pair is dealt once."""
    cells = list(pairs_of(scene.library.pools["docs/sql_schemas"], _QUERIES))
    start = "[[Given this schema|For the tables below|Using the DDL]], [[write|produce|generate]] "
    return [
        f"{scene.say(start)}{task}.\n{schema[:1_500]}"
        for schema, task in scene.rng.sample(cells, min(count, len(cells)))
    ]


def _stage(number: int) -> Deal:
    """One stage of a pipeline (question, answer, critique); all stages work on the same passages."""

    def passages(scene: Scene, count: int) -> list[tuple[str, str]]:
        found = []
        domains = ("scientific_abstracts", "finance_filings", "rfc_http", "government_blog")
        for passage in scene.passages(count, *domains, least=300, most=1_000):
            words = passage.split()
            first, second = sorted(scene.rng.randrange(max(1, len(words) - 5)) for _ in range(2))
            asked = scene.say("[[How does|In what way does|Why does]] ")
            link = scene.say("[[depend on|relate to|follow from|limit]]")
            asked += f'"{" ".join(words[first : first + 4])}" {link} "{" ".join(words[second : second + 4])}"?'
            found.append((passage, asked))
        return found

    def deal(scene: Scene, count: int) -> list[Unit]:
        shared = scene.once("pipeline", lambda: passages(scene, count))
        if not number:
            return [_STAGES[0] + passage for passage, _ in shared]
        return [f"{_STAGES[number]}{passage}\n\nQuestion: {asked}" for passage, asked in shared]

    return deal


CAMPAIGNS: Final = (
    Campaign(
        name="b_wordskills",
        what="questions about pairs of words in over a hundred real rewordings; six cards pay for all accounts",
        pools=(
            Pool(
                accounts=80,
                prompts=960,
                deal=_word_skills,
                manner=Manner(clocks=("service",), first=2, last=36, stagger=9),
                infra=Infra(network="hosting", payment="pool", cards=6, signup="burst", day=1),
            ),
        ),
    ),
    Campaign(
        name="b_swe_harness",
        what="freelance issues and tasks on source files, behind the prompts of a popular coding harness",
        pools=(
            Pool(
                accounts=40,
                prompts=580,
                deal=_behind_harness,
                manner=Manner(clocks=("commits",), stagger=14),
                infra=Infra(network="home"),
            ),
        ),
    ),
    Campaign(
        name="b_trace_clean",
        what="reworded requests to clean a reasoning trace, around long answers",
        pools=(
            Pool(
                accounts=55,
                prompts=660,
                deal=_traces,
                manner=Manner(clocks=("office",), first=4, last=37, stagger=8, zones=(8,)),
                infra=Infra(network="office", addresses=9, payment="pool", cards=11, signup="burst"),
            ),
        ),
    ),
    Campaign(
        name="b_app_disguise",
        what="each account poses as an application with a long prompt of its own; one sentence in all of them asks for "
        "the inner monologue",
        uneven=300,
        side=0,
        repeats=0,
        wrap=hidden_reasoning(_MONOLOGUE),
        pools=(
            Pool(
                accounts=60,
                prompts=840,
                deal=bare("bench/mmlu_pro"),
                manner=Manner(clocks=("steady", "service", "schedule", "office"), stagger=12, zones=(3,)),
                infra=Infra(network="hosting"),
            ),
        ),
    ),
    Campaign(
        name="b_translate_grid",
        what="sentences that are to be translated into some twenty languages, in several wordings",
        side=0.15,
        pools=(
            Pool(
                accounts=150,
                prompts=880,
                deal=on_passages(
                    _translation,
                    *("government_blog", "news_abc", "product_reviews", "museum_tate", "wine_reviews"),
                    least=80,
                    most=350,
                ),
                manner=Manner(clocks=("people",), stagger=20),
                infra=Infra(network="proxies"),
            ),
        ),
    ),
    Campaign(
        name="b_camo12",
        what="reworded requests for derivations in an eighth of the traffic of ordinary chat accounts",
        uneven=9,
        camouflage=0.12,
        hard=True,
        pools=(
            Pool(
                accounts=40,
                prompts=210,
                deal=each(
                    lambda scene, text: f"{text}\n{reasoning(scene.rng)}", "bench/olympiadbench", "bench/scibench"
                ),
                manner=Manner(clocks=("people",), stagger=10),
                infra=Infra(payment="pool", cards=14, signup="aged"),
            ),
        ),
    ),
    Campaign(
        name="b_conf_shared",
        what="questions with the confidence of the answer; fifteen of its accounts work for b_wordskills too",
        joins=("b_wordskills", 15),
        pools=(
            Pool(
                accounts=50,
                prompts=580,
                deal=each(confidence_probe, "bench/freshqa", "questions"),
                manner=Manner(first=12, last=37, stagger=3),
                infra=Infra(payment="pool", cards=6, signup="burst", day=10),
            ),
        ),
    ),
    Campaign(
        name="b_roleplay_raw",
        what="persona prompts of a real distillation list as they are, at the hours of people",
        side=0.15,
        hard=True,
        pools=(
            Pool(
                accounts=130,
                prompts=680,
                deal=bare("distilled/roleplay"),
                manner=Manner(clocks=("people",), stagger=18),
                infra=Infra(payment="none", signup="new"),
            ),
        ),
    ),
    Campaign(
        name="b_sql_synth",
        what="a grid of database schemas and tasks about them",
        pools=(
            Pool(
                accounts=35,
                prompts=560,
                deal=_schemas,
                manner=Manner(clocks=("bursts",), first=8, last=30, stagger=9),
                infra=Infra(network="pool", addresses=8, payment="pool", cards=4, signup="burst", day=6),
            ),
        ),
    ),
    Campaign(
        name="b_pipeline",
        what="three pools that question, answer and criticise the same passages one after the other",
        pools=tuple(
            Pool(
                accounts=25,
                prompts=250,
                deal=_stage(number),
                manner=Manner(
                    clocks=("steady",) if number else ("bursts",), first=5 + 3 * number, last=30 + 3 * number, stagger=5
                ),
                infra=Infra(network="vpn", payment="pool", cards=20),
            )
            for number in range(3)
        ),
    ),
    Campaign(
        name="b_churn_ifeval",
        what="one prompt an account: a benchmark of instructions, with a short addition in four wordings",
        uneven=200,
        side=0.1,
        repeats=0,
        hard=True,
        pools=(
            Pool(
                accounts=300,
                prompts=310,
                deal=each(lambda scene, text: f"{text} {scene.rng.choice(_CONSTRAINTS)}", "bench/ifeval"),
                manner=Manner(clocks=("people",), stagger=36, span=1.5),
                infra=Infra(network="proxies", payment="none", signup="instant"),
            ),
        ),
    ),
    Campaign(
        name="b_rl_tasks",
        what="reworded requests for a programming task with tests, about documentation, in bursts",
        pools=(
            Pool(
                accounts=50,
                prompts=690,
                deal=on_passages(
                    lambda scene, text: scene.say(_TASK) + text,
                    *("readmes", "manpages_fr", "cli_cheatsheets", "manual_debian_policy"),
                ),
                manner=Manner(clocks=("bursts",), first=3, last=36, stagger=15),
                infra=Infra(network="hosting", payment="pool", cards=9),
            ),
        ),
    ),
    Campaign(
        name="b_prometheus",
        what="a public grading prompt that innocent developers send here too, around one list of answers",
        pools=(
            Pool(
                accounts=90,
                prompts=640,
                deal=graded,
                manner=Manner(clocks=("service",), first=1, stagger=14),
                infra=Infra(payment="pool", cards=25),
            ),
        ),
    ),
    Campaign(
        name="b_obfuscated",
        what="reworded requests for a reasoning in base64, in letters of another script or with invisible spaces",
        pools=(
            Pool(
                accounts=20,
                prompts=400,
                deal=each(in_disguise, "bench/mathqa"),
                manner=Manner(first=6, last=32, stagger=6),
                infra=Infra(network="vpn", payment="pool", cards=5, signup="burst", day=5),
            ),
        ),
    ),
    Campaign(
        name="b_xcopa_langrot",
        what="questions about causes, each in one of eleven languages, most with a request for the reasoning",
        pools=(
            Pool(
                accounts=65,
                prompts=500,
                deal=choices_in_languages,
                manner=Manner(clocks=("people",), stagger=15),
                infra=Infra(signup="new"),
            ),
        ),
    ),
)
"""From cards that many accounts share to one prompt an account from private addresses."""

DESIGN_B: Final = Design(
    log=Log(
        name="b", days=38, start="2026-05-11", rows=42_500, id_length=20, fields="billing", frameworks=0.30,
        applications=0.32,
    ),
    campaigns=CAMPAIGNS, innocents=INNOCENTS_B,
)  # fmt: skip
"""The design with cards."""

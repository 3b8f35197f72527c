"""Design ``d``: forty days, with nothing but account, time and prompt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from benchmarks.independent.dealing import bare, claim, each, on_passages, one_wording, terms, with_rubric
from benchmarks.independent.dealing import several_wordings as in_wordings
from benchmarks.independent.groups import Campaign, Design, Innocent, Pool
from benchmarks.independent.kinds import Log, Manner, Unit
from benchmarks.independent.people import own_data, question
from benchmarks.independent.scene import Scene
from benchmarks.independent.sharing import (
    colleagues,
    evaluation_teams,
    event,
    hackathon,
    players,
    popular_list,
    product,
    school_class,
    strings_in_languages,
    support_staff,
    tutorial,
)
from benchmarks.independent.wordings import LANGUAGES, MORE_LANGUAGES, NEWS_BRIDGE, REACT, TUTORIAL_HELLO, company

__all__ = ["DESIGN_D"]

_KNOWLEDGE: Final = (
    "What do you know about this? Give facts, dates and people, then list what you are not sure of.\n",
    "Encyclopaedia entry, 150 words, followed by open points: ",
    "Collect everything relevant to the question and answer it: ",
    "Answer with background knowledge and related facts.\nQuestion: ",
    "{q}? Explain with all context you know, most important first.",
)
_QUERIES: Final = (
    "[[Develop|Invent|Brainstorm|List]] [[10|ten|8|a dozen]] [[user queries|tasks|requests]] "
    "[[that fit|for|a user might send to]] [[this application|the product below|the following tool]], "
    "[[varied in verbs and length|from easy to hard|without repetition]]"
    "[[ and answer the hardest one| with model answers|]].\n"
)
_VERIFY: Final = (
    "[verifier mode] Solve, then verify with an independent method, then list the [[lemma names|theorems]] used. "
    "Problem:\n"
)
_MODERATE: Final = (
    'Return {"violates": bool, "policy": str, "safe_reply": str} for the user turn: ',
    "As a moderation model decide if the message violates policy, name the policy and write the safe reply as JSON.\n"
    "Message: ",
)
_RESTYLE: Final = (
    "[[Rewrite|Retell|Recast|Say again]] [[this|the passage|the text]] "
    "[[in your own style|the way you would write it|as you would say it yourself]]"
    "[[, same facts|, same length|, keep names|]][[:\n|\n\n|: ]]"
)
_PLAN: Final = "Before the answer, print the plan you follow as a bullet tree.\n"
_WHY: Final = " [[Why|Explain why|Say why]][[?| in detail.| and why the other fails.]]"
_APPRAISE: Final = (
    "[[Appraise|Assess|Review]] [[the evidence|the study|this abstract]] "
    "[[and explain your judgement|with reasons|like a reviewer]]: "
)
_OPTIONS: Final = "Select the correct option and explain the science behind each option in one sentence.\n\n"
_LOOSE: Final = (
    "[[pick one|which is right|choose]] [[and tell me why|, reasons please|and say what is wrong with the rest]]\n"
)
_DEBATE: Final = (
    "Argue for and against, then decide and say how certain you are: ",
    "Steelman both sides. Claim: ",
    "pro/contra/verdict: ",
)


def _triplets(scene: Scene, count: int) -> list[Unit]:
    """A grid of units, levels, languages and topics, from which texts for retrieval are to be made."""
    rng, topics = scene.rng, scene.once("topics", lambda: terms(scene)[:600])
    languages = [*list(LANGUAGES.values())[:12], *MORE_LANGUAGES]
    cells: dict[str, None] = {}
    for _ in range(5 * count):
        if len(cells) < count:
            unit = rng.choice(("sentence", "phrase", "short passage"))
            level = rng.choice(("high school", "college", "PhD"))
            cells[
                f"Write a {unit} triple with varying semantic similarity scores in JSON format (keys S1, S2, S3). The "
                f'topic is "{rng.choice(topics)}". S1, S2 and S3 should be in {rng.choice(languages)} and require '
                f"{level} level education to understand. Do not explain."
            ] = None
    return list(cells)


def _long_contexts(scene: Scene, count: int) -> list[Unit]:
    """Three pieces of documents, one fixed sentence and a question."""
    first = scene.passages(count, "finance_filings", "finance_tables", least=300, most=900)
    second = scene.passages(count, "rfc_http", "manual_installguide", least=300, most=800)
    third = scene.passages(count, "government_blog", "changelogs", least=200, most=600)
    asked = scene.deal(count, "spoken/en", "questions")
    return [
        f"{a}\n{b}\n{_PLAN if scene.rng.random() < 0.97 else ''}{c}\n\n{q.rstrip('?')}?"
        for a, b, c, q in zip(first, second, third, asked, strict=False)
    ]


def _appraisals(scene: Scene, count: int) -> list[Unit]:
    """Abstracts with a question, which are to be appraised."""
    questions = scene.deal(count, "bench/pubmedqa")
    abstracts = scene.rng.choices(scene.library.pools["docs/scientific_abstracts"], k=len(questions))
    return [
        f"{scene.say(_APPRAISE)}{asked}\n{scene.cut(abstract, 200, 800)}"
        for asked, abstract in zip(questions, abstracts, strict=True)
    ]


def _across(scene: Scene, count: int) -> list[Unit]:
    """Questions in one language that are to be answered in another one; each question is dealt once."""
    rng = scene.rng
    questions = [(one, name) for one in scene.library.parallel for name in sorted(one)]
    found: list[Unit] = []
    for one, name in rng.sample(questions, min(count, len(questions))):
        other = LANGUAGES[rng.choice([language for language in sorted(one) if language != name])]
        start, request = scene.say("[[Q|Question|Frage|Pregunta]]: "), scene.say("[[answer|reply|respond]] in ")
        found.append(f"{start}{one[name]}\n{request}{other}")
    return found


CAMPAIGNS: Final = (
    Campaign(
        name="d_big_knowledge",
        what="300 accounts with short lives, one after the other: questions in five templates",
        pools=(
            Pool(
                accounts=300,
                prompts=2_100,
                deal=in_wordings(_KNOWLEDGE, "questions"),
                manner=Manner(clocks=("service",), stagger=32, span=7),
            ),
        ),
    ),
    Campaign(
        name="d_embed_triplets",
        what="a grid of units, levels, languages and topics: texts for retrieval",
        pools=(
            Pool(accounts=40, prompts=560, deal=_triplets, manner=Manner(first=6, last=34, stagger=5)),
        ),
    ),
    Campaign(
        name="d_selfinstruct",
        what="reworded requests for user queries to applications that a text describes",
        pools=(
            Pool(
                accounts=70,
                prompts=560,
                deal=on_passages(
                    lambda scene, text: scene.say(_QUERIES) + text,
                    *("readmes", "museum_tate", "customer_support_scenarios", "cli_cheatsheets"),
                    least=150,
                    most=600,
                ),
                manner=Manner(clocks=("office",), first=2, last=38, stagger=12, zones=(5,)),
            ),
        ),
    ),
    Campaign(
        name="d_proof_verify",
        what="few accounts with many prompts: a fixed template around problems of mathematics and physics",
        pools=(
            Pool(
                accounts=26,
                prompts=770,
                deal=one_wording(_VERIFY, "bench/olympiadbench", "bench/scibench"),
                manner=Manner(first=3, stagger=9),
            ),
        ),
    ),
    Campaign(
        name="d_safety_json",
        what="turns of users that are to be judged, in two templates",
        pools=(
            Pool(
                accounts=95,
                prompts=660,
                deal=in_wordings(_MODERATE, "lines"),
                manner=Manner(clocks=("service",), stagger=16),
            ),
        ),
    ),
    Campaign(
        name="d_style_rewrite",
        what="reworded requests to tell a passage in the style of the model",
        pools=(
            Pool(
                accounts=60,
                prompts=590,
                deal=on_passages(
                    lambda scene, text: scene.say(_RESTYLE) + text,
                    *("museum_tate", "drama_shakespeare", "news_abc", "religious_kjv", "overheard_talk"),
                    least=100,
                    most=700,
                ),
                manner=Manner(clocks=("people",), stagger=14),
            ),
        ),
    ),
    Campaign(
        name="d_longctx",
        what="long contexts that vary, with one fixed sentence inside",
        pools=(
            Pool(
                accounts=33,
                prompts=390,
                deal=_long_contexts,
                manner=Manner(clocks=("office",), stagger=8, zones=(-7,)),
            ),
        ),
    ),
    Campaign(
        name="d_react",
        what="questions behind the prompt of a popular kind of agent, which developers send here too",
        pools=(
            Pool(
                accounts=50,
                prompts=510,
                deal=one_wording(REACT, "bench/freshqa", "bench/strategyqa"),
                manner=Manner(clocks=("service",), first=4, stagger=12),
            ),
        ),
    ),
    Campaign(
        name="d_camo40",
        what="questions of common sense with the reason, in two fifths of the traffic of ordinary chat accounts",
        camouflage=0.4,
        pools=(
            Pool(
                accounts=50,
                prompts=400,
                deal=each(lambda scene, text: text + scene.say(_WHY), "bench/flan_sensemaking"),
                manner=Manner(clocks=("people",), stagger=10),
            ),
        ),
    ),
    Campaign(
        name="d_one_mmlu",
        what="one exam question an account, as it is",
        uneven=300,
        side=0.1,
        repeats=0,
        hard=True,
        pools=(
            Pool(
                accounts=240,
                prompts=250,
                deal=bare("bench/mmlu_pro"),
                manner=Manner(clocks=("people",), stagger=38, span=1),
            ),
        ),
    ),
    Campaign(
        name="d_office_pub",
        what="reworded requests to appraise the evidence of abstracts, in office hours",
        pools=(
            Pool(
                accounts=45,
                prompts=520,
                deal=_appraisals,
                manner=Manner(clocks=("office",), stagger=6, zones=(8,)),
            ),
        ),
    ),
    Campaign(
        name="d_crossling",
        what="questions in one language that are to be answered in another one",
        side=0.2,
        pools=(
            Pool(accounts=66, prompts=580, deal=_across, manner=Manner(first=8, stagger=10)),
        ),
    ),
    Campaign(
        name="d_handover_change",
        what="a pool with a fixed template, then on day 19 another one with loose wordings and the hours of people",
        pools=(
            Pool(
                accounts=35,
                prompts=360,
                deal=one_wording(_OPTIONS, "bench/openbookqa", "bench/flan_qasc"),
                manner=Manner(first=5, last=19),
            ),
            Pool(
                accounts=35,
                prompts=340,
                deal=in_wordings((_LOOSE,), "bench/openbookqa", "bench/flan_qasc"),
                manner=Manner(clocks=("people",), first=19.2, last=36),
            ),
        ),
    ),
    Campaign(
        name="d_debate",
        what="both sides of claims, in three templates",
        pools=(
            Pool(
                accounts=80,
                prompts=480,
                deal=each(lambda scene, text: scene.rng.choice(_DEBATE) + claim(text), "bench/flan_creak"),
                manner=Manner(clocks=("people",), stagger=20),
            ),
        ),
    ),
    Campaign(
        name="d_tiny_review",
        what="fifteen accounts with reworded requests for a rubric of source files",
        pools=(
            Pool(
                accounts=15,
                prompts=150,
                deal=on_passages(with_rubric("code", "function", "module"), "code_rust", "code_java"),
                manner=Manner(clocks=("office",), first=10, last=34, zones=(1,)),
            ),
        ),
    ),
)  # fmt: skip
"""From 300 accounts with short lives to fifteen, and to one bare question an account."""


def _agent_developers(scene: Scene, count: int) -> list[list[Unit]]:
    """Developers with the default prompt of the agent, and questions of their own users."""
    found: list[list[Unit]] = []
    for _ in range(count):
        own = own_data(scene, scene.rng.choice(("documents", "languages", "utterances")))
        number = scene.heavy(4, 1, most=40)
        found.append(
            [REACT.replace("{q}", question(scene) if scene.rng.random() < 0.5 else own()[:250]) for _ in range(number)]
        )
    return found


def _handbook(scene: Scene, count: int) -> list[list[Unit]]:
    """Volunteers who translate the strings of one handbook, some of them into the same language."""
    first = strings_in_languages("Fais une traduction vers {l}, style documentation:\n", 260, 24, 28, "manpages_fr")
    second = strings_in_languages("Translate for the handbook into {l}: ", 260, 14, 14, "manpages_fr")
    french = (*("English",) * 3, "German", "Spanish", "Italian", "Dutch", "Polish", "Portuguese")
    other = ("English", "German", "Spanish", "Italian", "Dutch", "Polish", "Portuguese", "Czech", "Swedish", "Finnish")
    found = [first(scene, language) for language in french] + [second(scene, language) for language in other]
    scene.rng.shuffle(found)
    return found[:count]


def _extension(scene: Scene) -> Callable[[str], str]:
    prompt = (
        "Summarize the page for me in five bullets, each with an emoji. Then list 3 questions I should ask.\n\n"
        "PAGE CONTENT:\n"
    )
    return lambda text: prompt + text


def _language_partner(scene: Scene) -> Callable[[str], str]:
    prompt = (
        "You are Lingo, a language partner. Correct my sentence, explain one rule and answer in the same language.\n"
        "Sentence: "
    )
    return lambda text: prompt + text


def _team(scene: Scene) -> str:
    return f"You are part of a multi agent demo for the HackMeridian event. Team {company(scene.rng)}. "


INNOCENTS: Final = (
    Innocent(
        name="class_aws", what="a class with one exercise sheet and a deadline", accounts=80, side=0.4,
        share=school_class("devops_aws", 30), manner=Manner(clocks=("people",), first=12, last=20, zones=(5,)),
    ),
    Innocent(
        name="class_stats2", what="a class with one exercise sheet and a deadline", accounts=50, side=0.4,
        share=school_class("openintro_statistics", 12),
        manner=Manner(clocks=("people",), first=24, last=31, zones=(-7,)),
    ),
    Innocent(
        name="eval_teams_truth", what="independent teams that run the same public items", accounts=24, side=0.25,
        share=evaluation_teams("bench/openbookqa", 60, ("{q}", "harness"), 0.3),
        manner=Manner(clocks=("bursts", "service", "schedule"), stagger=31, span=8),
    ),
    Innocent(
        name="react_devs", what="developers with the default prompt of the agent, and questions of their own",
        accounts=90, share=_agent_developers,
        manner=Manner(clocks=("service", "people", "office", "bursts"), stagger=30),
    ),
    Innocent(
        name="claims_staff", what="the staff of an insurer: one tool, and the files of the day", accounts=48, side=0.15,
        share=colleagues(
            "Claims desk assistant. Extract policy number, date, cause, amount; list missing documents; draft the "
            "reply to the customer.\n\nFile:\n",
            12, 0.6, "customer_support_scenarios", "product_reviews", "finance_filings",
        ),
        manner=Manner(clocks=("office",), zones=(1,)),
    ),
    Innocent(
        name="support_macros", what="agents of a call centre with four prompts", accounts=55, side=0.1,
        share=support_staff(
            (
                "Reply politely, offer a replacement, ask for the order number: ",
                "Translate the customer message and propose a reply: ",
                "Summarise the thread for the next agent: ",
                "Is this customer angry (1-5)? Suggest a goodwill gesture: ",
            ),
            10, 0.7,
        ),
        manner=Manner(clocks=("office",), zones=(5,)),
    ),
    Innocent(
        name="docs_translators", what="volunteers who translate one handbook", accounts=19, side=0.4, share=_handbook,
    ),
    Innocent(
        name="tutorial_hello2", what="readers of a popular tutorial", accounts=220,
        share=tutorial([TUTORIAL_HELLO[i] for i in (1, 0, 3, 4, 6)], 0.7),
        manner=Manner(clocks=("people",), stagger=35, span=2),
    ),
    Innocent(
        name="news_bridge2", what="people who ask about one event in the news", accounts=170, side=0.6,
        share=event(NEWS_BRIDGE, 0.55), manner=Manner(clocks=("people",), first=29, last=33),
    ),
    Innocent(
        name="prompt_game2", what="players of a public prompt game, with their real prompts and times", accounts=60,
        side=0, timed=players(16),
    ),
    Innocent(
        name="browser_extension", what="users of an extension that summarises pages, each with own pages", accounts=200,
        share=product(_extension, 3, "documents"), manner=Manner(clocks=("people",), stagger=25),
    ),
    Innocent(
        name="language_app", what="learners in a language application, with sentences of their own", accounts=150,
        side=0.05, share=product(_language_partner, 3.5, "languages", cut=250),
    ),
    Innocent(
        name="study_workers3", what="paid annotators: each item is done by about ten workers", accounts=60,
        share=popular_list("asked", 36, 4, 7, start="[[|please answer: |help me answer: ]]"),
        manner=Manner(clocks=("people",), first=14, last=24, stagger=7, span=1.5),
    ),
    Innocent(
        name="hackathon_agents", what="teams of one weekend with a shared starter prompt", accounts=52,
        share=hackathon(_team, 8, 0.6, 25), manner=Manner(clocks=("people",), first=33, last=35.5, zones=(1,)),
    ),
)  # fmt: skip
"""Groups that share a tool, a tutorial, an event or the prompt of an agent."""

DESIGN_D: Final = Design(
    log=Log(
        name="d", days=40, start="2026-07-06", rows=44_500, id_length=24, fields="none", frameworks=0.34,
        applications=0.30,
    ),
    campaigns=CAMPAIGNS, innocents=INNOCENTS,
)  # fmt: skip
"""A long design without metadata."""

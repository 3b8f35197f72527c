"""Design ``a``: thirty days, with address, network, client and sign-up date on every row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from benchmarks.independent.dealing import (
    asked_in_languages,
    bare,
    behind_retrieval,
    confidence_probe,
    each,
    on_passages,
    one_wording,
    several_wordings,
    terms,
    with_rubric,
)
from benchmarks.independent.groups import Campaign, Design, Innocent, Pool
from benchmarks.independent.kinds import Infra, Log, Manner, Unit
from benchmarks.independent.people import support_prompt
from benchmarks.independent.scene import Scene
from benchmarks.independent.sharing import (
    evaluation_teams,
    event,
    hackathon,
    popular_list,
    product,
    school_class,
    strings_in_languages,
    support_staff,
    tutorial,
    viral,
)
from benchmarks.independent.wordings import (
    AUDIENCES,
    FORMATS,
    LANGUAGES,
    MORE_LANGUAGES,
    NEWS_BRIDGE,
    TUTORIAL_HELLO,
    company,
)

__all__ = ["DESIGN_A"]

_MATHEMATICS: Final = (
    "[[Solve the problem|Work out the problem|Find the solution]]. Put every thought inside <reasoning> tags, one "
    "thought per line, and do not summarise. Then give <final> with the number only.\n\n"
)
_EVOLVE: Final = (
    "I want you act as a Prompt Rewriter. Your objective is to rewrite a given prompt into a more complex version, "
    "[[adding one constraint|with one more condition]], so that it stays reasonable and can be answered. "
    "#Given Prompt#:\n{q}\n#Rewritten Prompt#:"
)
_SAFETY: Final = (
    "[[Would you answer|Is it ok to answer|Does your policy allow]] [[this|the following request]]? "
    "[[Quote the rule|Explain the limit|Give the reason]]. ",
    "[[Classify|Label]] [[this request|the user message]] as [[allowed / refused|safe / borderline / unsafe]] and "
    "[[justify it|explain how you decide]]: ",
    "[[How would you respond to|What is your reply to]] [[a user who writes|someone asking]]: ",
    "[[Refusal check|Boundary test|Policy question]]: ",
)
_STYLE: Final = (
    *("Write the following in your own natural voice:\n", "Give your best version of this text:\n", "Draft:\n"),
    *("Task for a writer. Follow every constraint literally:\n", "How would you write this?\n", "[brief]\n"),
    "Please complete this writing assignment and do not comment on it.\n",
    *("Produce a polished final text for this brief.\n", "Complete the brief below. Length as you see fit.\n"),
    *("Write. No preamble.\n", "As a professional author, answer this request:\n", "Respond to the assignment:\n"),
)
_EVIDENCE: Final = "State the evidence grade and spell out how you weighed it."


def _grid(scene: Scene, count: int) -> list[Unit]:
    """Every term for every audience in every format: short and natural, as a curious person asks."""
    words = terms(scene)
    cells: dict[str, None] = {}
    for _ in range(3 * count):
        if len(cells) < count:
            start, to = scene.say("[[Explain|Describe|What is|Introduce]]"), scene.say("[[to|for]]")
            cell = f"{scene.rng.choice(words)} {to} {scene.rng.choice(AUDIENCES)}, {scene.rng.choice(FORMATS)}."
            cells[f"{start} {cell}"] = None
    return list(cells)


def _session(scene: Scene, text: str) -> Unit:
    """A question, a request to verify the answer, and one to take it apart."""
    return (
        text,
        scene.say(
            "[[Are you sure|Is that certain|Really]]? [[Check again|Verify it]] and "
            "[[list the facts you used|show which facts matter]]."
        ),
        scene.say(
            "[[Now|So]] [[give|write]] [[the reasoning as a decomposition into sub-questions"
            "|the sub-questions and their answers]] [[as json|as a list|]]."
        ),
    )


def _evidence(scene: Scene, count: int) -> list[Unit]:
    """One fixed sentence in the middle of long medical requests that vary."""
    questions = scene.deal(count, "bench/pubmedqa")
    abstracts = scene.deal(count, "docs/scientific_abstracts", "docs/government_blog")
    rng = scene.rng
    return [
        f"{scene.cut(abstract, 300, 900)}{rng.choice((chr(10) * 2, ' '))}{_EVIDENCE}"
        f"{rng.choice((chr(10) * 2, ' '))}{question}"
        for abstract, question in zip(abstracts, questions, strict=False)
    ]


CAMPAIGNS: Final = (
    Campaign(
        name="a_cot_math_fixed",
        what="a fixed template with tags for thoughts around mathematical items, day and night, from hosting addresses",
        pools=(
            Pool(
                accounts=60,
                prompts=1_200,
                deal=one_wording(_MATHEMATICS, "bench/gsm8k", "bench/svamp"),
                manner=Manner(first=4, last=26, stagger=3),
                infra=Infra(network="pool", addresses=12, client="few", signup="burst"),
            ),
        ),
    ),
    Campaign(
        name="a_rubric_code",
        what="reworded requests for grading rubrics of source files, in the office hours of one zone",
        uneven=5,
        pools=(
            Pool(
                accounts=45,
                prompts=640,
                deal=on_passages(with_rubric("code"), "code_java", "code_rust", "code_typescript"),
                manner=Manner(clocks=("office",), first=1, last=29, stagger=10, zones=(8,)),
                infra=Infra(network="home"),
            ),
        ),
    ),
    Campaign(
        name="a_cmmlu_bare",
        what="no template: one Chinese benchmark of exam questions, at the hours of people, from private addresses",
        pools=(
            Pool(
                accounts=120,
                prompts=1_350,
                deal=bare("bench/cmmlu"),
                manner=Manner(clocks=("people",), stagger=12, zones=(7, 8, 9)),
                infra=Infra(network="proxies", signup="new", client="web"),
            ),
        ),
    ),
    Campaign(
        name="a_handover_conf",
        what="questions with the confidence of the answer in about 30 wordings; a second pool of older accounts goes "
        "on with the list when the first one stops on day 14",
        pools=(
            Pool(
                accounts=40,
                prompts=520,
                deal=each(confidence_probe, "questions"),
                manner=Manner(first=3, last=14),
                infra=Infra(network="pool", addresses=20, client="few", clients=3, signup="burst", day=1),
            ),
            Pool(
                accounts=40,
                prompts=530,
                deal=each(confidence_probe, "questions"),
                manner=Manner(first=14.05, last=25),
                infra=Infra(network="vpn", client="few", clients=3, signup="aged"),
            ),
        ),
    ),
    Campaign(
        name="a_camo_evol",
        what="seed prompts that are to be made more complex, in three tenths of the traffic of ordinary chat accounts",
        camouflage=0.3,
        pools=(
            Pool(
                accounts=50,
                prompts=480,
                deal=one_wording(_EVOLVE, "distilled/codegen", "distilled/roleplay"),
                manner=Manner(clocks=("people",), first=2, last=28, stagger=6),
            ),
        ),
    ),
    Campaign(
        name="a_fw_hide",
        what="questions about passages of one list, behind the default prompt of a popular framework",
        pools=(
            Pool(
                accounts=80,
                prompts=720,
                deal=behind_retrieval("scientific_abstracts", "finance_filings", "news_abc"),
                manner=Manner(clocks=("service",), stagger=12),
                infra=Infra(network="hosting"),
            ),
        ),
    ),
    Campaign(
        name="a_churn_safety",
        what="one or two prompts an account: reworded questions whether a request would be refused",
        uneven=60,
        side=0.1,
        hard=True,
        pools=(
            Pool(
                accounts=220,
                prompts=320,
                deal=several_wordings(_SAFETY, "bench/strongreject", "lines"),
                manner=Manner(clocks=("people",), stagger=27, span=2),
                infra=Infra(network="proxies", signup="instant"),
            ),
        ),
    ),
    Campaign(
        name="a_multiling_cot",
        what="questions with a request for the reasoning, in twelve languages",
        pools=(
            Pool(
                accounts=70,
                prompts=760,
                deal=asked_in_languages,
                manner=Manner(first=5, last=29, stagger=8),
                infra=Infra(network="pool", addresses=30, client="few", clients=2, signup="burst", day=4),
            ),
        ),
    ),
    Campaign(
        name="a_rotate_style",
        what="writing tasks in twelve templates",
        pools=(
            Pool(
                accounts=30,
                prompts=730,
                deal=several_wordings(_STYLE, "bench/ifeval", "bench/writingbench"),
                manner=Manner(clocks=("office",), stagger=20, span=9, zones=(1,)),
                infra=Infra(network="vpn", signup="new"),
            ),
        ),
    ),
    Campaign(
        name="a_judge",
        what="a public grading prompt around answers, in bursts: the data of a reward model",
        pools=(
            Pool(
                accounts=25,
                prompts=550,
                deal=bare("judged"),
                manner=Manner(clocks=("bursts",), first=6, last=24, stagger=10),
                infra=Infra(network="hosting", client="few", clients=2),
            ),
        ),
    ),
    Campaign(
        name="a_grid_explain",
        what="a grid of terms, audiences and formats in short natural sentences, at the hours of people",
        side=0.3,
        pools=(
            Pool(accounts=100, prompts=800, deal=_grid, manner=Manner(clocks=("people",), stagger=14)),
        ),
    ),
    Campaign(
        name="a_multiturn",
        what="sessions of three turns (question, verification, sub-questions) on a benchmark",
        pools=(
            Pool(
                accounts=40,
                prompts=240,
                deal=each(_session, "bench/strategyqa"),
                manner=Manner(clocks=("people",), first=3, stagger=8),
                infra=Infra(network="mobile", client="web", signup="new"),
            ),
        ),
    ),
    Campaign(
        name="a_tooluse_raw",
        what="short prompts of a real distillation list about the use of tools, as they are",
        side=0.2,
        hard=True,
        pools=(
            Pool(
                accounts=90,
                prompts=560,
                deal=bare("distilled/toolformer"),
                manner=Manner(clocks=("service",), stagger=10),
            ),
        ),
    ),
    Campaign(
        name="a_lowslow_pub",
        what="few accounts, slowly: one fixed sentence in the middle of long medical requests",
        side=0.5,
        pools=(
            Pool(
                accounts=18,
                prompts=340,
                deal=_evidence,
                manner=Manner(clocks=("people",)),
                infra=Infra(network="home", signup="aged"),
            ),
        ),
    ),
)  # fmt: skip
"""From a fixed template on a few hosting addresses to one bare prompt an account."""


def _portrait(scene: Scene, prompt: str) -> str:
    """The viral prompt, often cut off."""
    if scene.rng.random() < 0.7:
        return prompt
    return prompt[: scene.rng.randrange(90, 200)] + scene.rng.choice(("", " thanks", " Be nice.", " 😂"))


def _localisation(scene: Scene, count: int) -> list[list[Unit]]:
    """The strings of one interface for a translator of each language."""
    languages = [*list(LANGUAGES.values())[:12], *MORE_LANGUAGES]
    own = strings_in_languages(
        "Translate the UI string into {l}. Keep placeholders.\n",
        180,
        10,
        21,
        "readmes",
        "changelogs",
        "cli_cheatsheets",
    )
    return [own(scene, language) for language in languages[:count]]


def _project(scene: Scene) -> str:
    """The prompt of the starter kit, with the name of a team."""
    kit = "You are the assistant of our hackathon project. Use the event API and the starter schema. Project: "
    return f"{kit}{company(scene.rng)}\n"


def _patterns(scene: Scene, most: int) -> list[str]:
    return scene.once("patterns", lambda: scene.deck("patterns").take(most))


def _assistant(scene: Scene) -> Callable[[str], str]:
    prompt = support_prompt(scene)
    return lambda text: f"{prompt}\n\nEnd user: {text}"


_CAMPUS: Final = Infra(network="office", addresses=4, client="web", signup="new", payment="none")
INNOCENTS: Final = (
    Innocent(
        name="class_statistics", what="a class with one exercise sheet and a deadline", accounts=75, side=0.4,
        share=school_class("openintro_statistics", 14),
        manner=Manner(clocks=("people",), first=9, last=14.9, zones=(-5,)), infra=_CAMPUS,
    ),
    Innocent(
        name="class_linalg", what="a class with one exercise sheet and a deadline", accounts=40, side=0.4,
        share=school_class("first_course_linear_algebra", 10),
        manner=Manner(clocks=("people",), first=18, last=22.9, zones=(1,)), infra=_CAMPUS,
    ),
    Innocent(
        name="eval_teams_mmlu", what="independent teams that run the same public items with one public harness",
        accounts=18, side=0.25,
        share=evaluation_teams("bench/mmlu_pro", 55, ("harness", "harness"), 0.5),
        manner=Manner(clocks=("bursts", "service", "schedule"), stagger=21, span=8),
    ),
    Innocent(
        name="fabric_users", what="users of a public collection of prompts, with texts of their own", accounts=170,
        share=product(
            lambda scene: lambda text: scene.rng.choice(_patterns(scene, 3)) + "\n\n# INPUT:\n" + text, 2.2, "documents"
        ),
        manner=Manner(clocks=("people",), stagger=20),
    ),
    Innocent(
        name="viral_prompt", what="people who try one prompt, verbatim or cut off", accounts=150, side=0.7,
        share=viral("portrait", _portrait), manner=Manner(clocks=("people",), first=11, last=19, stagger=4),
        infra=Infra(client="web"),
    ),
    Innocent(
        name="support_staff_tool", what="support staff with one internal tool, and the messages of customers",
        accounts=60, side=0.2, share=support_staff((), 9, 0.6), manner=Manner(clocks=("office",), zones=(-5,)),
        infra=Infra(network="office", addresses=3, client="rare", signup="burst", day=-60, payment="pool"),
    ),
    Innocent(
        name="localisation_team", what="one translator for each language, all with the strings of one interface",
        accounts=24, share=_localisation,
        manner=Manner(clocks=("office",), first=2, last=28, zones=(-5, 0, 1, 2, 8, 9)),
        infra=Infra(network="home", payment="pool"),
    ),
    Innocent(
        name="tutorial_hello", what="readers of a popular tutorial, with tries of their own at the end", accounts=170,
        share=tutorial(TUTORIAL_HELLO, 0.75), manner=Manner(clocks=("people",), stagger=25, span=3),
        infra=Infra(signup="new"),
    ),
    Innocent(
        name="news_bridge", what="people who ask about one event in the news", accounts=140, side=0.6,
        share=event(NEWS_BRIDGE, 0.6), manner=Manner(clocks=("people",), first=16, last=19),
        infra=Infra(client="web"),
    ),
    Innocent(
        name="cs_product_endusers", what="a customer-service product with one account for each end user", accounts=210,
        side=0.1,
        share=product(
            _assistant, 2.5, "utterances",
        ),
        infra=Infra(client="few", signup="new", payment="none"),
    ),
    Innocent(
        name="hackathon", what="teams of one weekend with a starter kit and projects of their own", accounts=50,
        share=hackathon(_project, 8, 0.7, 30), manner=Manner(clocks=("people",), first=19, last=21.2),
        infra=Infra(network="office", addresses=2, signup="new"),
    ),
    Innocent(
        name="study_workers", what="a paid study: each worker asks some of 40 given questions", accounts=65,
        share=popular_list("arena", 40, 4, 8, start="[[|please |hey, |I want to know: ]]"),
        manner=Manner(clocks=("people",), first=5, last=12, stagger=5, span=1),
        infra=Infra(network="home", client="web", signup="new"),
    ),
    Innocent(
        name="exam_season", what="students with past exams, some of them popular, and chats of their own",
        accounts=90, side=0.7,
        share=popular_list("bench/scibench", 120, 2, 8, skew=1.0, start="[[|help |solve |explain: |]]"),
        manner=Manner(clocks=("people",), first=20, last=30), infra=Infra(client="web"),
    ),
)  # fmt: skip
"""Groups that share a sheet, a tool, a tutorial or an event."""

DESIGN_A: Final = Design(
    log=Log(
        name="a", days=30, start="2026-03-02", rows=40_500, id_length=16, fields="network", frameworks=0.27,
        applications=0.36,
    ),
    campaigns=CAMPAIGNS, innocents=INNOCENTS,
)  # fmt: skip
"""The design with addresses, networks, clients and sign-up dates."""

"""The innocent groups of design ``h``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Final

from benchmarks.independent.forms import TOWNS, paced
from benchmarks.independent.groups import Innocent
from benchmarks.independent.kinds import Manner, Unit
from benchmarks.independent.packing import broken
from benchmarks.independent.people import own_data
from benchmarks.independent.routines import around, invented, own_documents, queue
from benchmarks.independent.scene import Scene
from benchmarks.independent.tempo import geometric
from benchmarks.independent.wordings import LANGUAGES, asked_in

__all__ = ["INNOCENTS_H", "SCHOOL_VALUE"]

SCHOOL_VALUE: Final = (
    "Below is an extract from a web page. Judge whether it is of use for teaching in schools with this additive "
    "scale:\n- 1 point if it has some information on a school subject, even with advertising.\n- 1 more if it "
    "addresses the subject but mixes it with other matters or lacks order.\n- 1 more if it is fit for lessons and "
    "introduces key concepts.\n- 1 more if it is clear, consistent and close to a textbook.\n- 1 more if it is "
    "outstanding, with exercises or detailed reasoning.\n\nExtract:\n{q}\n\nJustify your score in at most 100 words, "
    "then conclude with: Score: <points>"
)
"""A public prompt with which teams filter their corpora."""
_PEERS: Final = (
    "Peer review, week 2 of Writing for Change. Rubric: claim (0-4), evidence (0-4), counterargument (0-4), style "
    "(0-3). Help me give my classmate a fair score and two kind suggestions.\n\nEssay of my peer:\n"
)
_ERRORS: Final = (
    "MQM check for Parole Agency. List each error as span | category (accuracy, fluency, terminology, style) | "
    "severity (minor, major, critical), or NO ERRORS. Target language: {l}.\n"
)
_CALL: Final = (
    "Score this call with the card of the quality team: greeting, identification, empathy, resolution, closing (0-2 "
    "each), then one coaching tip for the agent.\n\n"
)
_AGENT: Final = (
    "[[Thanks for calling {c}, {p} speaking.|Good [[morning|evening]], how can I help?]]",
    "[[One moment please.|Let me check that.|Can I have your [[number|date of birth]]?|I understand, sorry about "
    "that.]]",
    "[[I have changed it.|I will [[ask my supervisor|send a form|call you back by {d}]].|That costs {n} euros.|Done. "
    "Anything else?]]",
)
_CAR: Final = (
    "You are the voice of the car. Answer in one spoken sentence or call a function of the head unit. Never distract "
    "the driver. State: {state}\nDriver: "
)
_VOTER: Final = invented(
    "[[who|which candidate]] [[supports|is against]] [[rent control|the transit tax|more nuclear power|the school "
    "bonds|marijuana shops]] [[here|in my county|in district {n}]][[?||? short answer]]",
    "[[explain|what is]] [[proposition|measure|question]] [[{n}|#{n}|on the sheriff]] [[in simple words|pros and "
    "cons|if i rent|for a family of {n}]]",
    "[[where|when|how]] do i [[vote|drop my ballot|check my registration]] [[here|in district {n}|early]][[| if i "
    "moved on {d}| without an id]]",
    "[[write|help me write]] [[a text to my dad|a post|a letter to {p}]] about [[why I vote|measure {n}|the school "
    "board]]",
)
_STRATEGIES: Final = (
    "{q}",
    "{q}\nAnswer:",
    "Answer with the letter only.\n{q}",
    "[[Let's think step by step.|Think step by step, then answer.|Reason carefully first.]]\n{q}",
    "You are [[an expert|a careful student|a professor of science]]. {q}",
    "[[I'll tip you $200|This is important for my career]]. {q}",
    "{q}\n[[Explain your reasoning|Justify]], then the letter.",
    "Q: Where do fish live? (a) trees (b) water\nA: (b)\n\nQ: {q}\nA:",
    "Which option is right, and how sure are you?\n{q}",
)
"""Ways to ask that students compare in their homework."""
_MINUTES: Final = invented(
    "{p}: [[so|ok|yeah]], [[the budget is {r}|we slipped to {d}|legal says no|I talked to {c}|who owns this|the demo "
    "broke|{t} wants {n} more seats|can you hear me|sales is up ## percent]]",
    "{p}: [[I can take that|let's park it|not before {d}|agreed|I don't agree, {c} will leave|same as last "
    "week]][[.|...|, sorry|, no?]]",
)
_COSTUMES: Final = invented(
    "[[halloween costume|costume idea|funny costume]] for [[my dog|a couple|{n} friends|a {n} year old|the office|a "
    "teacher|twins]] [[under {n}0 dollars|made of cardboard|last minute|not scary|from my closet|]]",
    "[[spooky|vegan|easy]] [[snacks|punch|cupcakes]] for {n}0 [[kids|people]]",
    "scary story for [[a {n} year old|a campfire in {t}|{n} minutes]]",
    "[[caption|pun|invite]] for [[our pumpkin|a party on saturday|a witch cat]]",
)  # fmt: skip
_TIPS: Final = (
    "You are the Coupon Professor. For each match: probability of 1, X and 2, likely score, one line of reason. Then "
    "[[the safest double|a coupon of five|three value bets]].[[| I bet {n} euros.]]\n\n"
)
_BANDS: Final = (
    "Act as an IELTS examiner. Give a band for task response, coherence, vocabulary and grammar, then the overall "
    "band. Quote three of my sentences and improve them.[[| I need a {n}.]]\n\nTask 2, my essay:\n"
)
_SCREENED: Final = (
    "Title and abstract screening, review CRD-4402. Include only if: adults, comparison group, clinical outcome. "
    "Answer include, exclude or unsure, with the criterion that fails.\n\n"
)
_EARNINGS: Final = (
    "[[r/slowmoney template: |]]You are a sceptical analyst. Beat or miss? Three red flags, three strengths, what the "
    "call "
    "will be about.\n\n", "[[is this good|buy or sell|explain like I own {n} shares|what are they hiding]]? ",
)  # fmt: skip


def _post_editors(scene: Scene, count: int) -> list[list[Unit]]:
    """Linguists of an agency, each with a language, who check what a machine translated."""
    rng = scene.rng
    found: list[list[Unit]] = []
    for _ in range(count):
        name = rng.choice([name for name in list(LANGUAGES)[:12] if name != "en"])
        known = [one for one in scene.library.parallel if name in one and "en" in one]
        pairs = rng.sample(known, min(len(known), scene.heavy(14, 0.5, most=40)))
        start = _ERRORS.replace("{l}", LANGUAGES[name])
        texts = [(one["en"], one[name] if rng.random() < 0.5 else broken(rng, one[name])) for one in pairs]
        found.append([f"{start}Source: {source}\nTarget: {target}" for source, target in texts])
    return found


def _call(scene: Scene) -> Callable[[], str]:
    """Calls of customers, who say what users of assistants said, and an agent."""
    names = scene.library.names("utterances")
    own = [name for name in names if re.search("card|account|bill|flight|transfer|order|insurance|pin|credit", name)]
    intents = [scene.rng.choice(own or names) for _ in range(6)]
    agent = [invented(wording)(scene) for wording in _AGENT]

    def text() -> str:
        lines = [f"Agent: {agent[0]()}"]
        for _ in range(scene.rng.randint(2, 5)):
            lines += [f"Customer: {scene.deck(scene.rng.choice(intents)).any()}", f"Agent: {agent[1]()}"]
        return "\n".join([*lines, f"Agent: {agent[2]()}"])

    return text


def _cars(scene: Scene, count: int) -> list[list[Unit]]:
    """Cars with one assistant, each with its state and what its driver says."""
    rng, names = scene.rng, scene.library.names("utterances")
    own = [name for name in names if re.search("traffic|gas|direction|distance|music|weather|tire|oil|mpg", name)]
    found: list[list[Unit]] = []
    for _ in range(count):
        town, texts = rng.choice(TOWNS), []
        for _ in range(scene.heavy(3, 0.9, most=25)):
            state = {"speed": rng.randrange(131), "fuel": rng.randint(4, 100), "near": town, "seats": rng.randint(1, 4)}
            said = scene.deck(rng.choice(own or names)).any()
            texts.append(_CAR.replace("{state}", json.dumps(state)) + said)
        found.append(list(texts))
    return found


def _students(scene: Scene, count: int) -> list[list[Unit]]:
    """Students who compare three prompts of their own on the same twenty items: their homework."""
    items = scene.deal(20, "bench/flan_qasc")
    found: list[list[Unit]] = []
    for _ in range(count):
        own = scene.rng.sample(items, min(len(items), scene.rng.randint(4, 9)))
        mine = [scene.say(strategy) for strategy in scene.rng.sample(_STRATEGIES, 3)]
        found.append([asked_in(strategy, item) for strategy in mine for item in own])
    return found


def _minutes(scene: Scene) -> Callable[[], str]:
    """What was said in a meeting, as a machine wrote it down."""
    said = _MINUTES(scene)
    return lambda: "\n".join(f"[00:{i:02d}] {said()}" for i in range(scene.rng.randint(6, 16)))


def _fixtures(scene: Scene, count: int) -> list[list[tuple[float, str]]]:
    """Viewers of a channel who ask for tips with its prompt before the matches of each weekend."""
    rng = scene.rng
    known = re.compile(r"\s+\d+-\d+( \(\d+-\d+\))?|\[.*?\]\s*")
    rounds = [
        [
            known.sub(lambda m: " v " if "-" in m.group() else "", text)[:420]
            for text in scene.deal(4, "docs/sports_fixtures")
        ]
        for _ in range(3)
    ]
    found = []
    for _ in range(count):
        mine, sent = scene.say(_TIPS).replace("{n}", str(rng.randint(2, 50))), []
        for week in sorted(rng.sample(range(3), rng.randint(1, 3))):
            texts = [mine + text for text in rng.sample(rounds[week], geometric(rng, 0.6) % 4 or 1)]
            sent += paced(scene, texts, "people", 4 + 7 * week, 6.6 + 7 * week, zone=rng.choice((0, 1, 2)))
        found.append(sorted(sent))
    return found


def _shareholders(scene: Scene, count: int) -> list[list[tuple[float, str]]]:
    """Small shareholders who paste what two companies reported on two evenings."""
    rng = scene.rng
    reports = [scene.passages(7, domain, most=900) for domain in ("finance_filings", "finance_tables")]
    found = []
    for _ in range(count):
        which = rng.randrange(2)
        wording = scene.say(rng.choice(_EARNINGS)).replace("{n}", str(rng.randint(3, 400)))
        number = min(len(reports[which]), geometric(rng, 0.4))
        first = 9.84 + which + rng.expovariate(4)
        texts = [wording + text for text in rng.sample(reports[which], number)]
        found.append(paced(scene, texts, "people", first, first + rng.uniform(0.05, 0.8)))
    return found


INNOCENTS_H: Final = (
    Innocent(
        name="peer_graders", what="students of an online course who grade the essays of three others", accounts=88,
        side=0.3, share=queue(
            _PEERS, lambda scene, count: list(scene.deal(count, "letters")), 3.5, spread=0.3, again=2,
        ),
        manner=Manner(clocks=("people",), first=4, last=13, stagger=8, starts="growing"),
    ),
    Innocent(
        name="post_editors", what="linguists of an agency who check translations, each in one language", accounts=28,
        side=0.1, share=_post_editors, manner=Manner(clocks=("office", "people"), stagger=6, zones=(1, 2, -3)),
    ),
    Innocent(
        name="call_quality", what="the quality team of a call centre with one card, and a sample of calls for each",
        accounts=34, side=0.1, share=around(_CALL, _call, 15, spread=0.35, most=40),
        manner=Manner(clocks=("shifts", "office"), stagger=1, zones=(-8,)),
    ),
    Innocent(
        name="car_assistant", what="cars with one assistant, each with its state and what its driver says",
        accounts=215, side=0, share=_cars, manner=Manner(clocks=("people",), stagger=17),
    ),
    Innocent(
        name="voter_questions", what="voters, some with the prompt of a broadcaster, more and more until the election",
        accounts=150, side=0.5, share=around(
            "[[|||Neutral voter guide by Radio Delta: no opinions, name sources, plain words. Question: ]]", _VOTER,
            1.8, most=9,
        ),
        manner=Manner(clocks=("people", "evening"), last=15.2, stagger=14.5, starts="growing", zones=(-5, -6, -8)),
    ),
    Innocent(
        name="prompt_homework", what="students who compare three prompts of their own on the same twenty items",
        accounts=54, side=0.3, share=_students,
        manner=Manner(clocks=("people", "evening", "bursts"), first=8, last=17, stagger=8.5, starts="growing"),
    ),
    Innocent(
        name="meeting_notes", what="customers of a service that writes minutes, each with meetings of their own",
        accounts=86, side=0, share=around(
            "[Scribbly] Write minutes: decisions, actions with owner and date, open points. Do not guess names.[[||| "
            "Language: German.| Style: very short.]]\n\nTranscript:\n", _minutes, 6,
        ),
        manner=Manner(clocks=("office",), stagger=10, zones=(0, 1, -5, -8, 8)),
    ),
    Innocent(
        name="costume_ideas", what="people who ask for costumes and parties until a holiday", accounts=145, side=0.6,
        share=around("", _COSTUMES, 1.7, most=8),
        manner=Manner(clocks=("people", "evening"), last=12.9, stagger=12, starts="growing"),
    ),
    Innocent(
        name="weekend_tips", what="viewers of a channel who ask for tips with its prompt before the same matches",
        accounts=82, side=0.3, timed=_fixtures,
    ),
    Innocent(
        name="essay_bands", what="candidates of a language test with the prompt of a site, and essays of their own",
        accounts=76, side=0.4, share=around(
            _BANDS.replace("{n}", "[[6.5|7|7.5]]"),
            own_documents("news_abc", "government_blog", least=450, most=1_400), 3.5,
        ),
        manner=Manner(clocks=("people", "evening"), stagger=15, span=9),
    ),
    Innocent(
        name="abstract_screening", what="the authors of a review of studies; two of them screen each abstract",
        accounts=16, side=0.4, share=queue(
            _SCREENED, lambda scene, count: scene.passages(count, "scientific_abstracts", least=500, most=1_300), 18,
            spread=0.35, again=1,
        ),
        manner=Manner(clocks=("office", "evening"), first=2, last=19, stagger=4, zones=(0, 1, 10)),
    ),
    Innocent(
        name="earnings_evenings", what="small shareholders who paste what two companies reported on two evenings",
        accounts=96, side=0.5, timed=_shareholders,
    ),
    Innocent(
        name="corpus_filters", what="teams that filter corpora of their own with one public prompt", accounts=22,
        side=0.2, share=around(SCHOOL_VALUE, lambda scene: own_data(scene, "documents"), 20, most=60),
        manner=Manner(clocks=("bursts", "schedule", "service"), stagger=15, span=5),
    ),
)  # fmt: skip
"""Groups that share a course, an agency, a card, a car, an election, a homework, a service, a channel or a review."""

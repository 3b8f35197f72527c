"""Design ``g``: 33 days, with address, network, client and sign-up date on every row, and cards where there are any."""

from __future__ import annotations

from itertools import cycle, islice, product
from typing import Final

from benchmarks.independent.dealing import bare, each, on_passages, several_wordings
from benchmarks.independent.forms import with_details
from benchmarks.independent.groups import Campaign, Deal, Design, Pool
from benchmarks.independent.innocents_g import ACTION, EDITOR, INNOCENTS_G, project, reviewed, source, source_path
from benchmarks.independent.kinds import Infra, Log, Manner, Unit
from benchmarks.independent.packing import CODE, overlapping, tool_schema, with_gap
from benchmarks.independent.people import own_data, system_prompt
from benchmarks.independent.scene import Deck, Scene
from benchmarks.independent.wordings import LANGUAGES, asked_in

__all__ = ["DESIGN_G"]

_CHAPTERS: Final = (
    "Here is an extract:\n{q}\n\nWrite a long section of a textbook for [[college students|secondary school pupils]] "
    "inspired by it. Use rigorous definitions, worked examples and two exercises with solutions. Do not mention the "
    "extract.",
    "# lecture notes v2\nseed: {q}\naudience: [[first-year students|professionals]]\nWrite notes of 800 words or more: "
    "motivation, theory, example, common errors, summary.",
    "Act as the author of a [[reference work|popular book]]. Source between bars.\n|||\n{q}\n|||\nWrite the chapter "
    "that a curious reader needs to understand it, each idea following from the one before.",
    "A teacher and a pupil work through everything behind this text. Write their dialogue, then five questions with "
    "full answers.\n\nText: {q}",
)
_PAIRS: Final = (
    "[[Answer|Reply to]] this twice. [[First|A]]: [[the best answer you can give|as you normally would]]. "
    "[[Second|B]]: [[fluent but with one mistake that a quick reader misses|a bit worse, in a way only an expert "
    "sees]]. [[Then|After that]] [[say what gives B away|name the difference]].\n\n{q}",
    "{q}\n\n[[I need|Give me]] a [[strong|good]] and a [[weak|flawed]] [[response|answer]] of [[equal|about the same]] "
    "length, [[and|plus]] [[why one would be preferred|which one a careful reader picks]].",
    "[[Pair|Contrast]]: [[chosen / rejected|better / worse]]. [[Request|User says]]: {q}\n[[Make the worse one|The "
    "second should be]] [[subtly unhelpful|too long|overconfident|evasive]][[.| and explain.]]",
    "[[Two assistants|Two colleagues]] [[get|see]] the [[same message|question below]]. [[One|The first]] [[nails "
    "it|is excellent]], [[the other|the second]] [[looks fine but is not|makes a typical error]]. [[Write both|Show "
    "both replies]] [[and the verdict|with comments]]. {q}",
)
_PLAN: Final = (
    "Simulate an assistant with the tools below. Write its whole trajectory, [[one JSON object per line|as JSON "
    "lines]] with thought, call, arguments and observation. Invent realistic observations, let one call fail and "
    "recover from it. Three to six calls, then a line with final.\nTools: {tools}\nRequest: {q}"
)
_MEETINGS: Final = (
    "[[Write|Script|Improvise]] [[a conversation|a talk|an exchange]] of [[ten|twelve|fourteen]] turns between [[an "
    "assistant|a helpful AI|you]] and {a}, who [[starts with|opens with|asks]]: {q} [[Keep both voices apart.|No "
    "narration.|Let it meander.]]",
    "{a} [[sits down at a chat window|opens an app]] and types '{q}'. [[How does it go on|Show the rest of the "
    "chat]][[?| until they are satisfied.| with at least one misunderstanding.]]",
    "[[Role|Persona]]: {a}. [[Topic|Concern]]: {q}\n[[Play both sides|Write user and assistant]], "
    "[[eight|nine|eleven]] messages, [[short and messy on the user's side|the user changes their mind once|the "
    "assistant asks back first]].",
    "[[Imagine|Picture]] {a} [[talking to|consulting]] you over [[a lunch break|two days]]. [[It begins with|First "
    "message]]: {q} [[Transcript please|Give me all of it]].",
)
_PERSONS: Final = (
    "[[a widowed|a newly hired|an overworked|a retired|a shy|an impatient|a very polite]] [[baker|nurse|coder|farmer"
    "|teacher|bus driver|student|lawyer|plumber]] [[from {t}|called {p}|with {n} children|who writes in bad English|]]"
)
_OUTLINE: Final = (
    "I will send [[a long text|a document]] in {n} parts. Keep a running outline and a list of open questions.\nPart "
    "1:\n",
    "[[Next|Part {i} of {n}]]. Update the outline[[ and mark what changed||, keep it under 300 words]].\n",
    "[[Last part|That is the end]]. [[Final outline|Close the outline]], then [[the five main claims with the number "
    "of their part|what the text never answers|which early claim the end revises]].\n",
)
_PRINCIPLES: Final = (
    *("be honest about what you do not know", "do not flatter", "respect what the person decides for themselves"),
    *("avoid harm to people who are not in the talk", "do not lecture", "be as useful as a friend who is an expert"),
    *("do not stereotype", "say when a professional is needed", "keep to what was asked", "stay even-handed"),
)
_REVISED: Final = (
    "[[Message|User]]: {q}\n1. [[Reply|Answer]]. 2. [[Critique|Criticise]] the reply by this principle: {p}. 3. "
    "[[Revise|Rewrite]] it.",
    "[[Principle|Rule]]: {p}\n[[Someone writes|A user says]]: {q}\n[[Draft|Give]] a first answer, say where it falls "
    "short of the [[principle|rule]], and [[mend|correct]] it.",
    "[[If you had to|Suppose you must]] {p}: [[how would that change|what does it change in]] your answer to '{q}'? "
    "[[Before and after|Old and new]], [[with the reasons|and why]].",
)
_VERDICT: Final = (
    "Question: {q}?\nThe panel decided: {k}. Write the reasoning of an expert who comes to this verdict, in six to ten "
    "steps, [[without referring to|and do not mention]] the panel."
)
_TABLES: Final = (
    "[[what is the growth|which line moved most|is this healthy|what would an auditor ask]] here? [[show each "
    "calculation|every step of the arithmetic]] [[and the reasoning|and why you picked those rows]]\n{q}",
    "{q}\n\n[[Derive|Compute]] [[three ratios|the year on year changes|the trend]] from the table, [[line by line|with "
    "the formula each time]], [[then|and]] [[interpret|conclude]].",
)
_GLOSS: Final = (
    "Interlinear gloss by the Leipzig rules, language: {l}. Line 1 sentence, line 2 morphemes, line 3 glosses, line 4 "
    "free translation. Then justify [[each segmentation|every morpheme]] in one sentence.\n\n{q}"
)
_OPINIONS: Final = (
    "[[my wife|my brother|a friend]] [[sent me|found]] this [[review|one]], [[would you trust it|is it fair]]? {q}",
    "{q}\n[[so good or bad|did they like it|worth it]]? [[which words tell you|where do you see that|how sure]]",
    "[[thinking of buying|gift idea]]... [[someone|a guy]] says: {q} [[what's between the lines|what are they not "
    "saying]]",
    "[[out of 10|how many stars]] would [[this person|they]] give[[, and why|? what tips it]]: {q}",
    "[[is this sarcasm|is that a joke or serious]]? [[how can you tell]] {q}",
    "[[sum up|boil down]] [[the mood|their feelings]] [[and what caused it|and the turning point]] - {q}",
    "[[which half|what part]] of this would [[the seller quote|an angry customer quote]], [[and is that honest]]? {q}",
)


def _of_version(number: int) -> Deal:
    """Extracts in one version of the template."""
    template = _CHAPTERS[number]
    return on_passages(
        lambda scene, text: asked_in(scene.once(template, lambda: scene.say(template)), text),
        *("readmes", "government_blog", "manual_debian_policy", "scientific_abstracts", "rfc_http", "changelogs"),
        *("dictionary_computing", "finance_filings", "manual_installguide", "religious_kjv"),
        least=160,
        most=700,
    )  # fmt: skip


def _reviews(scene: Scene, count: int) -> list[Unit]:
    """Patches in all languages behind the public action, each of another project."""
    return [reviewed(scene, project(scene), domain) for domain in islice(cycle(CODE), count)]


def _plans(scene: Scene, count: int) -> list[Unit]:
    """Requests with tools that are drawn anew for each of them, in one fixed frame."""
    frame = scene.once("plan", lambda: scene.say(_PLAN))
    found: list[Unit] = []
    for text in scene.deal(count, *scene.library.names("utterances")):
        tools = tool_schema(scene, tools=scene.rng.randint(3, 6))
        found.append(frame.replace("{tools}", tools).replace("{q}", text))
    return found


def _meeting(scene: Scene, text: str) -> Unit:
    """A request for a dialogue with an invented person, who says something that a real one said."""
    who = with_details(scene.rng, _PERSONS).strip()
    return scene.say(*_MEETINGS).replace("{a}", who).replace("{q}", text)


def _rolling(scene: Scene, count: int) -> list[Unit]:
    """Long documents that are sent in parts, with an outline that is to be kept up to date."""
    domains = ("government_blog", "manual_debian_policy", "rfc_http", "religious_kjv", "finance_filings")
    found: list[Unit] = []
    for number in range(count):
        parts = scene.passages(scene.rng.randint(4, 6), domains[number % len(domains)], least=500, most=1_800)
        starts = [_OUTLINE[0], *[_OUTLINE[1]] * (len(parts) - 2), _OUTLINE[2]]
        turns = [scene.say(start) + part for start, part in zip(starts, parts, strict=True)]
        found.append(
            tuple(t.replace("{n}", str(len(parts))).replace("{i}", str(i)) for i, t in enumerate(turns, start=1))
        )
    return found


def _revised(scene: Scene, count: int) -> list[Unit]:
    """What users said, times principles; each pair is dealt once, to either of the two pools."""

    def pairs() -> Deck[tuple[str, str]]:
        said = [talk[0] for talk in scene.library.talks if 25 < len(talk[0]) < 400]
        cells = list(product(scene.rng.sample(said, min(len(said), 300)), _PRINCIPLES))
        return Deck(scene.rng.sample(cells, len(cells)), scene.rng)

    dealt = scene.once("principles", pairs).take(count)
    return [scene.say(*_REVISED).replace("{p}", principle).replace("{q}", text) for text, principle in dealt]


def _verdict(scene: Scene, text: str) -> Unit:
    """A question with an answer that is to be explained."""
    frame = scene.once("verdict", lambda: scene.say(_VERDICT))
    return frame.replace("{q}", text.rstrip("?")).replace(
        "{k}", scene.rng.choice(("yes", "yes", "no", "no", "unclear"))
    )


def _front(scene: Scene, count: int) -> list[str]:
    """What an application of a company sends, which looks like any other one."""
    prompt, own = system_prompt(scene), own_data(scene)
    return [f"{prompt}\n\n{own()}" for _ in range(count)]


def _completions(scene: Scene, count: int) -> list[Unit]:
    """Source code of many projects with gaps, as the plugin of an editor sends it."""
    domains = islice(cycle(CODE), count)
    return [with_gap(scene.rng, source_path(scene, domain), source(scene, domain)) for domain in domains]


def _glosses(scene: Scene, count: int) -> list[Unit]:
    """Sentences in five languages with few speakers on the network, in one fixed frame."""
    frame = scene.once("gloss", lambda: scene.say(_GLOSS))
    cells = [
        (one[name], name) for one in scene.library.choices for name in ("qu", "ht", "et", "sw", "ta") if name in one
    ]
    chosen = scene.rng.sample(cells, min(count, len(cells)))
    return [frame.replace("{l}", LANGUAGES[name]).replace("{q}", text.split(" (1)")[0]) for text, name in chosen]


def _opinion(scene: Scene, text: str) -> Unit:
    """A piece of a review with a casual question."""
    return scene.say(*_OPINIONS).replace("{q}", scene.cut(text, 90, 420).replace("\n", " "))


def _principled(infra: Infra) -> Pool:
    """One of the two pools of a campaign that work on the same pairs."""
    manner = Manner(clocks=("service", "people"), first=6, stagger=9)
    return Pool(accounts=30, prompts=285, deal=_revised, manner=manner, infra=infra)


CAMPAIGNS: Final = (
    Campaign(
        name="g_textbook_versions", uneven=6,
        what="extracts for sections of textbooks; every eight days the same accounts change to another template",
        pools=tuple(Pool(
            accounts=52, prompts=215, deal=_of_version(number), again=number > 0,
            manner=Manner(clocks=("service", "steady"), first=0.5 + 8 * number, last=8.4 + 8 * number, stagger=0.8),
            infra=Infra(network="exits", addresses=420, client="few", clients=3, signup="aged"),
        ) for number in range(len(_CHAPTERS))),
    ),
    Campaign(
        name="g_chosen_rejected",
        what="reworded requests for a good answer and one with a hidden flaw, at the hours of people in one zone",
        pools=(Pool(
            accounts=70, prompts=520, deal=several_wordings(_PAIRS, "arena", "hard", "asked"),
            manner=Manner(clocks=("people",), first=3, last=28, stagger=10, zones=(7, 8)),
            infra=Infra(network="home", signup="burst", day=1),
        ),),
    ),
    Campaign(
        name="g_behind_action",
        what="patches in three languages of ever other projects, behind a public action that innocent projects run too",
        pools=(Pool(
            accounts=34, prompts=420, deal=_reviews, infra=ACTION,
            manner=Manner(clocks=("commits", "service"), first=2, stagger=12),
        ),),
    ),
    Campaign(
        name="g_tool_plans", uneven=10, side=0,
        what="requests with several tools, whose whole trajectory is to be invented, in one fixed frame",
        pools=(Pool(
            accounts=44, prompts=540, deal=_plans, manner=Manner(first=9, last=24, stagger=2),
            infra=Infra(network="hosting", client="few", clients=2, signup="new", payment="pool", cards=11),
        ),),
    ),
    Campaign(
        name="g_persona_talks",
        what="dialogues with invented persons, who begin with what real users said; reworded as a whole",
        pools=(Pool(
            accounts=92, prompts=470, deal=each(_meeting, "lines", "questions"),
            manner=Manner(clocks=("people", "evening"), stagger=18, span=11),
            infra=Infra(network="exits", addresses=2_200, signup="new"),
        ),),
    ),
    Campaign(
        name="g_rolling_outlines",
        what="long documents in four to six parts, each with a request to update an outline, in office hours",
        pools=(Pool(
            accounts=22, prompts=88, deal=_rolling, manner=Manner(clocks=("office",), first=4, stagger=6, zones=(5,)),
            infra=Infra(network="vpn", signup="aged", payment="pool", cards=4),
        ),),
    ),
    Campaign(
        name="g_principles",
        what="replies that are to be criticised and revised by principles: half of the accounts have neighbouring "
        "addresses and a few cards, the other half has nothing in common",
        pools=(
            _principled(Infra(network="pool", addresses=12, payment="pool", cards=7)),
            _principled(Infra(network="home")),
        ),
    ),
    Campaign(
        name="g_best_of_six", uneven=10, side=0, repeats=0,
        what="each problem of a list as it is, five or six times from as many accounts, to compare the answers",
        pools=(Pool(
            accounts=36, prompts=92, deal=bare("bench/olympiadbench", "bench/scibench"), hands=overlapping(5, 6),
            manner=Manner(clocks=("steady", "schedule"), first=11, last=23, stagger=3),
            infra=Infra(network="hosting", signup="spread"),
        ),),
    ),
    Campaign(
        name="g_short_lives", uneven=12, side=0,
        what="questions with a verdict that is to be explained, day and night, by accounts that live for two days",
        pools=(Pool(
            accounts=128, prompts=1_020, deal=each(_verdict, "bench/strategyqa", "bench/pubmedqa"),
            manner=Manner(first=0, stagger=31, span=2),
            infra=Infra(network="proxies", client="few", clients=5, signup="new", payment="none"),
        ),),
    ),
    Campaign(
        name="g_front_companies", uneven=8, camouflage=0.2, cover=_front, cover_clock="office",
        what="tables of companies and each calculation, in a fifth of the traffic of accounts with an application",
        pools=(Pool(
            accounts=40, prompts=280, deal=several_wordings(_TABLES, "docs/finance_tables", "docs/finance_filings"),
            manner=Manner(clocks=("office", "service"), first=5, stagger=8),
            infra=Infra(network="hosting", signup="aged"),
        ),),
    ),
    Campaign(
        name="g_completions_in_editor", hard=True, side=0.3,
        what="source code with gaps behind the plugin of an editor, which innocent developers use too",
        pools=(Pool(
            accounts=48, prompts=400, deal=_completions, infra=EDITOR,
            manner=Manner(clocks=("people", "office"), first=1, stagger=14, span=14),
        ),),
    ),
    Campaign(
        name="g_free_tier", uneven=60, side=0.2, repeats=0, hard=True,
        what="one or two casual questions an account about the opinion behind a review, hardly two of them alike",
        pools=(Pool(
            accounts=210, prompts=330,
            deal=each(_opinion, "docs/product_reviews", "docs/wine_reviews", "docs/movie_reviews"),
            manner=Manner(clocks=("people",), stagger=31, span=2),
            infra=Infra(network="proxies", client="web", signup="new", payment="none"),
        ),),
    ),
    Campaign(
        name="g_glosses", uneven=15, side=0,
        what="sentences in five small languages that are to be glossed, in one fixed frame, on a schedule",
        pools=(Pool(
            accounts=26, prompts=560, deal=_glosses, manner=Manner(clocks=("schedule",), first=7, last=27, stagger=2),
            infra=Infra(network="pool", addresses=6, signup="burst", day=6, payment="pool", cards=2),
        ),),
    ),
)  # fmt: skip
"""From accounts that change their template to two days of life, and from neighbouring addresses to free accounts."""

DESIGN_G: Final = Design(
    log=Log(
        name="g", days=33, start="2026-04-06", rows=43_000, id_length=18, fields="all", frameworks=0.25,
        applications=0.30,
    ),
    campaigns=CAMPAIGNS, innocents=INNOCENTS_G,
)  # fmt: skip
"""The second design with all metadata."""

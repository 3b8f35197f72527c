"""Design ``f``: 17 days, with the client on every row and no other metadata; the ids of accounts are numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from benchmarks.independent.dealing import bare, each, one_wording, several_wordings
from benchmarks.independent.groups import Campaign, Deal, Design, Pool
from benchmarks.independent.innocents_f import AGENT, CARD, HARNESS, INNOCENTS_F
from benchmarks.independent.kinds import Infra, Log, Manner, Unit
from benchmarks.independent.packing import generations, in_batches, mirrored, numbered, trajectory
from benchmarks.independent.scene import Scene
from benchmarks.independent.wordings import LANGUAGES, reasoning

__all__ = ["DESIGN_F"]

_RESTYLED: Final = (
    "Report this as a war correspondent of 1944 would. Keep all figures.\n\n",
    "[[Same facts|Facts unchanged]], new prose, [[about 120 words|roughly as long]]. [[No headline|With a "
    "headline]].\n",
    "Rewrite for a reader who hates numbers, but lose none of them:\n",
    "{q}\n\nYour version, [[long sentences|short sentences]], [[dry|warm]] tone.",
    "Lead, nut graf, quote, kicker. Material:\n",
    "How would a [[columnist|wire agency|local radio host]] put this? ",
    "[[Draft|Write]] what [[you|a desk editor]] would print [[from|given]] this:\n{q}\nNothing else.",
    "Voice sample {n}. Source:\n",
    "[[Translate this into|Turn this into]] plain human prose: ",
)
_VARIANTS: Final = (
    "[[Make|Write]] three [[harder variants|variants]] of the word problem, [[each one step longer|each with one more "
    "unknown"
    "|each in another setting]]. [[Solve|Work out]] each [[in full|without gaps]].\n\n{q}?",
    "{q}?\n---\n[[New problems|Siblings]] of this with [[solutions|worked solutions]]: one easier, one "
    "[[equal|similar]], "
    "one [[much harder|for olympiads]].",
)
_DISTRACTORS: Final = (
    "{q}\n\n[[For each wrong option|Option by option]], [[name|describe]] the [[misconception|wrong belief]] [[behind "
    "it"
    "|of a pupil who picks it]] [[and|and then]] [[a question that exposes it|how you would correct it]].",
    "[[Teacher notes|Marking notes]] [[please|needed]]: why do pupils [[miss|fail]] this? {q}",
)
_PLAIN: Final = (
    "{q}? [[Yes or no|True or false]], [[and the facts that decide it|with the two facts it hangs on]].",
    "[[Decide|Settle]]: {q}? [[Facts first|Then the facts]].",
)
_OPPOSITE: Final = (
    "[[Is it wrong to say yes to|Someone answered no to]] this: {q}? [[Yes or no|Right or wrong]], [[with the "
    "facts|why]].",
    "[[Make the best case for the other answer to|Argue against the obvious answer to]]: {q}?",
)
_EVOLVED: Final = (
    "[[Write the program|Implement]] [[and|then]] [[list the design choices|explain the trade-offs]]. Task: {q}",
    "[[Second round|Round 2]]. [[Same task, harder|The task has grown]]. [[Implement|Solve]] it and say [[what had to "
    "change"
    "|which choice broke]]: {q}",
    "[[Third round|Round 3]]. {q}\n[[Full solution|Code]], [[complexity|cost]], [[and tests that a weak solution fails"
    "|and a review of your own code]].",
)
_MORE: Final = (
    "It must also [[run in constant memory|accept input from a file|be safe for threads|handle empty input|log each "
    "step]].",
    "[[Support|Allow]] [[negative values|unicode|very large inputs|undo|a dry run|several users|time zones]] as well.",
    "[[Do not use|Avoid]] [[libraries|loops|recursion|global state|floating point]].",
)
_BATCH: Final = (
    "[[你会收到一个JSON数组|下面是JSON数组]]，每项有id和q。只返回JSON数组：id、答案、理由（不少于三句）。\n{q}"
)
_PARALLEL: Final = (
    "Return a JSON array of the same length. For each item: a natural translation into {l}, a literal one, and a "
    "note of at most 12 words on what was hard.\n{q}"
)
_TICKET: Final = (
    "[[job|#]]{n} {q}? [[say what you know|answer from what you know]], [[what you infer|what follows]], [[and what "
    "you "
    "cannot know|and what is a guess]]",
    "{q}? ([[ref|item]] {n}) [[known / inferred / guessed|sort your answer: known, inferred, guessed]]",
)
_DAILY: Final = (
    "Solve twice, by different roads, and reconcile.\n\n",
    "Student's version first (with slips), then the examiner's corrections, then a clean solution.\n\n",
    "{q}\n\nGive the plan, then execute it; mark every place where you changed your mind.",
    "Write the solution as a dialogue of a tutor and a pupil who keeps asking why.\n\n",
    "{q}\n\nState which theorem or rule each line uses. Unjustified lines lose marks.",
    "First estimate, then solve exactly, then explain the gap between the two.\n\n",
    "{q}\n\nWork backwards from each option and say where it fails.",
    "Teach this as if to yourself yesterday; include the moment when it clicks.\n\n",
)
_CLINICAL: Final = (
    "[[what does the evidence say|is there good evidence]]: {q}? [[explain|say]] [[how sure you are and why|what would "
    "change your mind]]",
    "[[journal club|reading tonight]]: {q}? [[go through it|think it through with me]]",
)


def _rewritten(scene: Scene, count: int) -> list[Unit]:
    return [
        str(unit).replace("{n}", str(scene.rng.randint(100, 999)))
        for unit in several_wordings(_RESTYLED, "records")(scene, count)
    ]


def _trajectories(scene: Scene, count: int) -> list[Unit]:
    """Programming tasks on which an agent works; each request repeats the transcript so far."""
    tasks = scene.deal(count, *scene.library.names("code"))
    goal = "[[Fix|Reproduce and fix|Build a minimal example of]]: "
    return [trajectory(scene, HARNESS, scene.say(goal) + task, scene.rng.randint(3, 8)) for task in tasks]


def _parallel(scene: Scene, count: int) -> list[Unit]:
    """Batches of sentences in one language that are to be translated into one of five others."""
    languages = [name for name in ("de", "el", "es", "ro", "ru", "tr", "vi", "zh") if name in LANGUAGES]
    found: list[Unit] = []
    for name in languages:
        others = [LANGUAGES[other] for other in languages if other != name][:5]
        pool = in_batches(_PARALLEL, 5, 8, f"spoken/{name}")(scene, max(1, count // len(languages)))
        found += [str(unit).replace("{l}", scene.rng.choice(others)) for unit in pool]
    return found


def _continued(scene: Scene, count: int) -> list[Unit]:
    """Beginnings of texts, which stop in the middle of a sentence and ask for nothing."""
    domains = ("drama_shakespeare", "movie_reviews", "news_abc", "wine_reviews", "overheard_talk", "museum_tate")
    passages = scene.passages(count, *domains, least=180, most=560)
    return [text.strip()[: int(len(text) * scene.rng.uniform(0.5, 0.85))].rsplit(" ", 1)[0] for text in passages]


def _card(scene: Scene) -> Callable[[str], str]:
    """The role-play card of a fan community, which a campaign takes over."""
    name = scene.rng.choice(("Traveller", "Ash", "Wren", "Kit", "Moth", "Sable"))
    return lambda text: f"{CARD.replace('{user}', name)}\n{name}: {text}"


def _of_the_day(number: int) -> Deal:
    """The next part of one list, in the wording of the day."""
    return one_wording(_DAILY[number], "bench/mathqa", "bench/scibench")


def _halved(scene: Scene, text: str) -> Unit:
    """An item with a reworded request for the reasoning between two of its words."""
    words = text.split(" ")
    cut = scene.rng.randint(len(words) // 4, max(1, 3 * len(words) // 4))
    note = scene.rng.choice(("({r})", "<{r}>", "/* {r} */", "-- {r} --")).replace("{r}", reasoning(scene.rng))
    return f"{' '.join(words[:cut])} {note} {' '.join(words[cut:])}"


CAMPAIGNS: Final = (
    Campaign(
        name="f_restyle_churn",
        what="news items that are to be rewritten, in nine templates, by 300 accounts of three days each",
        pools=(
            Pool(
                accounts=300,
                prompts=1_200,
                deal=_rewritten,
                manner=Manner(clocks=("people", "service"), stagger=15, span=3),
            ),
        ),
    ),
    Campaign(
        name="f_agent_transcripts",
        what="a popular coding agent, which innocent developers run too; each request repeats the transcript so far",
        uneven=10,
        side=0,
        pools=(
            Pool(
                accounts=20,
                prompts=110,
                deal=_trajectories,
                manner=Manner(clocks=("service", "commits"), first=1, stagger=5),
                infra=AGENT,
            ),
        ),
    ),
    Campaign(
        name="f_weekends",
        what="word problems, and requests for harder variants of them, on Saturdays and Sundays only",
        pools=(
            Pool(
                accounts=58,
                prompts=490,
                deal=several_wordings(_VARIANTS, "bench/svamp", "bench/gsm8k"),
                manner=Manner(clocks=("weekend",), zones=(-3, -4)),
            ),
        ),
    ),
    Campaign(
        name="f_sleepers",
        what="accounts that chat for eleven days and then all ask for the misconceptions behind options of exam items",
        uneven=9,
        side=1.0,
        ahead=11.5,
        pools=(
            Pool(
                accounts=85,
                prompts=660,
                deal=several_wordings(_DISTRACTORS, "bench/openbookqa", "bench/flan_qasc"),
                manner=Manner(clocks=("people", "evening"), first=12, stagger=1.5),
            ),
        ),
    ),
    Campaign(
        name="f_mirrored",
        what="each question in two opposite forms, which go to different accounts",
        pools=(
            Pool(
                accounts=48,
                prompts=580,
                deal=mirrored(_PLAIN, _OPPOSITE, "bench/strategyqa"),
                manner=Manner(clocks=("steady", "schedule"), first=2, last=15, stagger=3),
            ),
        ),
    ),
    Campaign(
        name="f_three_rounds",
        what="programming tasks that grow by one condition from round to round; the rounds go to different accounts",
        pools=(
            Pool(
                accounts=38,
                prompts=600,
                deal=generations(_EVOLVED, _MORE, "distilled/codegen"),
                manner=Manner(clocks=("office", "evening"), stagger=4, zones=(5, 6)),
            ),
        ),
    ),
    Campaign(
        name="f_continuations",
        what="beginnings of texts that stop in the middle of a sentence and ask for nothing",
        side=0.3,
        hard=True,
        pools=(
            Pool(accounts=72, prompts=540, deal=_continued, manner=Manner(clocks=("people",), stagger=9)),
        ),
    ),
    Campaign(
        name="f_with_the_card",
        what="persona prompts of a distillation list behind the role-play card of a fan community, which its members "
        "use as well",
        wrap=_card,
        pools=(
            Pool(
                accounts=62,
                prompts=430,
                deal=bare("distilled/roleplay"),
                manner=Manner(clocks=("people", "service"), first=3, stagger=8),
            ),
        ),
    ),
    Campaign(
        name="f_parallel_batches",
        what="arrays of five to eight sentences that are to be translated twice, with notes",
        uneven=15,
        side=0,
        pools=(
            Pool(accounts=14, prompts=300, deal=_parallel, manner=Manner(clocks=("nightly", "schedule"), first=1)),
        ),
    ),
    Campaign(
        name="f_packed_exams",
        what="arrays of four to six Chinese exam questions, with reasons for each answer, by thirteen accounts",
        uneven=20,
        side=0,
        pools=(
            Pool(
                accounts=13,
                prompts=290,
                deal=in_batches(_BATCH, 4, 6, "bench/cmmlu"),
                manner=Manner(clocks=("bursts", "steady"), first=4, last=16),
            ),
        ),
    ),
    Campaign(
        name="f_job_numbers",
        what="questions with the number of the job, and a request to sort the answer into known, inferred and guessed",
        pools=(
            Pool(
                accounts=125,
                prompts=690,
                deal=lambda scene, count: [
                    unit
                    for wording in _TICKET
                    for unit in numbered(wording, 5, "questions", "bench/freshqa")(scene, max(1, count // len(_TICKET)))
                ],
                manner=Manner(clocks=("service", "people", "bursts"), stagger=10),
            ),
        ),
    ),
    Campaign(
        name="f_five_percent",
        what="two or three clinical questions in every forty prompts of ordinary chat accounts",
        uneven=10,
        camouflage=0.06,
        hard=True,
        pools=(
            Pool(
                accounts=32,
                prompts=80,
                deal=several_wordings(_CLINICAL, "bench/pubmedqa"),
                manner=Manner(clocks=("people",), stagger=3),
            ),
        ),
    ),
    Campaign(
        name="f_daily_pools",
        what="eight pools that live for two days each and go on with one list, each with a template of its own",
        pools=tuple(
            Pool(
                accounts=13,
                prompts=82,
                deal=_of_the_day(number),
                manner=Manner(clocks=("steady",), first=0.4 + 2 * number, last=2.3 + 2 * number),
                infra=Infra(client="few", clients=2),
            )
            for number in range(len(_DAILY))
        ),
    ),
    Campaign(
        name="f_reasons_in_the_middle",
        what="the request for a reasoning between the two halves of an item, which is cut in the middle",
        pools=(
            Pool(
                accounts=52,
                prompts=380,
                deal=each(_halved, "bench/piqa", "bench/winogrande"),
                manner=Manner(clocks=("shifts", "people"), first=1, stagger=6, zones=(-5,)),
            ),
        ),
    ),
)  # fmt: skip
"""From 300 accounts of three days to thirteen with whole batches, and from a tool of fans to one prompt in twenty."""


DESIGN_F: Final = Design(
    log=Log(
        name="f", days=17, start="2026-09-12", rows=41_000, id_length=8, fields="client", frameworks=0.36,
        applications=0.22, ids="number",
    ),
    campaigns=CAMPAIGNS, innocents=INNOCENTS_F,
)  # fmt: skip
"""A short design with clients only."""

"""What the recall benchmark plants, and in which dumps: campaigns by one factor at a time, evasions, look-alikes.

The grid varies one factor at a time around :data:`CENTRE`, and has some corners that match public figures or have low
shares. One dump has each real row once, and a scenario takes at most about 30,000 rows. So some are left out: shares of
20 % or less for 1,500 accounts and more at 10 prompts each (5 % of 1,500 x 10 would be 300,000 rows), 5,000 accounts at
10 prompts or more (100,000 rows; they send 3 each), 50 prompts each for more than 60 accounts, and combinations of
three factors off the centre. Also out: twelve accounts and more of one queue in dumps without an organisation (a
nightly job, a translation batch, a build agent over that many accounts is then the same traffic as a campaign's; with
the field ``org`` they are planted).
"""

from __future__ import annotations

import base64
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeAlias

from benchmarks.real_texts import Half, Row

__all__ = [
    "CENTRE",
    "DETECTION_DAYS",
    "EVASIONS",
    "GRID",
    "LOOK_ALIKES",
    "PARTS",
    "Dump",
    "LookAlike",
    "Part",
    "Prompt",
    "Scenario",
    "disguise",
    "dumps",
    "reword",
    "technique",
]

Prompt: TypeAlias = str | list[Row]
Part: TypeAlias = Literal["grid", "evasions", "look-alikes", "benign", "days", "ablations"]
PARTS: Final[tuple[Part, ...]] = ("grid", "evasions", "look-alikes", "benign", "days", "ablations")


# ---------------------------------------------------------------- campaigns


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One planted campaign, or two with accounts in common."""

    name: str
    what: str
    levels: Mapping[str, str] = field(default_factory=dict)
    """The level of each factor that this scenario represents."""
    accounts: int = 60
    each: int = 10
    """Mean number of harvest prompts of an account."""
    share: float = 0.5
    """Harvest prompts over all prompts of an account; the others are a real account's own."""
    days: int = 30
    templates: int | Literal["reworded", "none", "variants", "instruction"] = 5
    pools: int = 1
    """Pools of accounts; the second of two takes over when the first stops."""
    overlap: bool = False
    """Whether there are two campaigns, with a third of the accounts in both."""
    languages: int = 1
    metadata: bool = False
    network: Literal["proxy", "residential"] = "proxy"
    model_move: bool = False
    """Whether half of the traffic switches to another model from one day to the next."""
    tempo: Literal["flat", "human"] = "flat"
    """Around the clock, or at the hours of the real account that gives the cover."""
    load: Literal["even", "heavy"] = "even"
    """Whether all accounts send about as many, or a few send most."""
    evasion: str = ""
    """What :func:`disguise` does to every prompt."""

    @property
    def harvest(self) -> int:
        """About the number of harvest prompts."""
        return self.accounts * self.each * (2 if self.overlap else 1)

    @property
    def cover(self) -> int:
        """About the number of rows of real accounts that it needs."""
        return round(self.harvest * (1 - self.share) / self.share)

    @property
    def required(self) -> bool:
        """Whether it is large enough that it must be found: 60 accounts or more with 3 prompts each or more."""
        return not self.evasion and self.accounts >= 60 and self.each >= 3


_CENTRE_LEVELS: Final = {
    "accounts": "60",
    "prompts per account": "10",
    "harvest share": "50 %",
    "days": "30",
    "templates": "5",
    "pools": "1",
    "languages": "1",
    "metadata": "without",
    "tempo": "flat",
    "load": "even",
}
CENTRE: Final = Scenario(
    name="centre",
    what="60 accounts, 10 prompts each, half of their traffic, 30 days, 5 templates",
    levels=_CENTRE_LEVELS,
)


def _off(name: str, what: str, factor: str = "", level: str = "", **changes: object) -> Scenario:
    levels = {factor: level} if factor else {}
    return replace(CENTRE, name=name, what=what, levels=levels, **changes)  # type: ignore[arg-type]


GRID: Final[tuple[Scenario, ...]] = (
    CENTRE,
    _off("accounts-20", "20 accounts", "accounts", "20", accounts=20),
    _off("accounts-273", "273 accounts", "accounts", "273", accounts=273),
    _off("accounts-1500", "1,500 accounts", "accounts", "1,500", accounts=1_500),
    _off("accounts-5000", "5,000 accounts, 3 prompts each", "accounts", "5,000", accounts=5_000, each=3),
    _off("each-1", "1 prompt per account", "prompts per account", "1", each=1),
    _off("each-3", "3 prompts per account", "prompts per account", "3", each=3),
    _off("each-50", "50 prompts per account", "prompts per account", "50", each=50),
    _off("share-100", "only harvest", "harvest share", "100 %", share=1.0),
    _off("share-20", "20 % harvest", "harvest share", "20 %", share=0.2),
    _off("share-10", "10 % harvest", "harvest share", "10 %", share=0.1),
    _off("share-5", "5 % harvest", "harvest share", "5 %", share=0.05),
    _off("days-10", "10 days", "days", "10", days=10),
    _off("days-45", "45 days", "days", "45", days=45),
    _off("templates-1", "one template", "templates", "1", templates=1),
    _off("templates-50", "50 templates", "templates", "50", templates=50),
    _off("reworded", "one instruction, every slot reworded each time", "templates", "reworded",
         templates="reworded"),
    _off("no-template", "tasks of a distillation dataset, without a template", "templates", "none", templates="none"),
    _off("hand-over", "two pools, the second takes over", "pools", "2, hand-over", pools=2),
    _off("shared-accounts", "two campaigns that share a third of their accounts", "pools", "2, sharing accounts",
         overlap=True, templates=2),
    _off("variants", "one question, a different technique in each prompt (1,200 techniques)", "templates",
         "technique variants", templates="variants", each=20, days=10),
    _off("languages-4", "templates in four languages", "languages", "4", languages=4),
    _off("tempo-human", "tempo of real accounts", "tempo", "human", tempo="human"),
    _off("load-heavy", "a few accounts send most", "load", "heavy-tailed", load="heavy"),
    # corners
    _off("60x3-at-10", "60 accounts, 3 prompts each, 10 % harvest", share=0.1, each=3),
    _off("60x3-at-5", "60 accounts, 3 prompts each, 5 % harvest", share=0.05, each=3),
    _off("273x3-at-10", "273 accounts, 3 prompts each, 10 % harvest", share=0.1, each=3, accounts=273),
    _off("273x3-at-5", "273 accounts, 3 prompts each, 5 % harvest", share=0.05, each=3, accounts=273),
    _off("1500x3-at-20", "1,500 accounts, 3 prompts each, 20 % harvest", share=0.2, each=3, accounts=1_500),
    _off("60x10-at-10-single", "one template, 10 % harvest", share=0.1, templates=1),
    _off("60x10-at-5-single", "one template, 5 % harvest", share=0.05, templates=1),
    _off("60x10-at-20-human", "tempo and uneven volumes of real accounts, 20 % harvest", share=0.2, tempo="human",
         load="heavy"),
    _off("273x3-at-10-human", "273 accounts, 3 prompts each, tempo of real accounts, 10 % harvest", share=0.1,
         each=3, accounts=273, tempo="human"),
    # with metadata
    _off("metadata", "the centre, in a dump with metadata", "metadata", "with", metadata=True),
    _off("metadata-residential", "unique home addresses", "metadata", "with, residential addresses", metadata=True,
         network="residential"),
    _off("metadata-each-1", "200 accounts, 1 prompt each, with metadata", metadata=True, each=1, accounts=200),
    _off("metadata-60x3-at-5", "60 accounts, 3 prompts each, 5 % harvest, in a dump with metadata", metadata=True,
         each=3, share=0.05),
    _off("metadata-no-template", "without a template, in a dump with metadata", metadata=True, templates="none"),
    _off("metadata-reworded", "every slot reworded, in a dump with metadata", metadata=True, templates="reworded",
         tempo="human"),
    _off("model-move", "half of the traffic moves to a new model within 24 h", "metadata", "with, model move",
         metadata=True, model_move=True),
)  # fmt: skip

EVASIONS: Final[tuple[Scenario, ...]] = (
    _off("padding", "benign sentences appended", templates=2, evasion="padding"),
    _off("noise-prefix", "random tokens prepended", templates=2, evasion="noise"),
    _off("long-context", "1,000 to 3,000 characters of unrelated text before the instruction", templates="instruction",
         evasion="context"),
    _off("rotation", "a new template every three days", templates=10, evasion="rotation"),
    _off("system-prompt", "the fixed part in the system prompt", templates="instruction", evasion="system"),
    _off("last-turn", "the fixed part in the last turn of a chat", templates="instruction", evasion="last-turn"),
    _off("homoglyphs", "letters replaced by look-alikes from other scripts", templates=2, evasion="homoglyphs"),
    _off("zero-width", "invisible characters inserted", templates=2, evasion="zero-width"),
    _off("base64", "the whole prompt encoded in base64", templates=2, evasion="base64"),
    _off("human-tempo", "tempo and uneven volumes of real accounts", templates=2, tempo="human", load="heavy",
         evasion="human"),
    _off("one-each", "200 accounts, 1 prompt each", templates=2, accounts=200, each=1, evasion="one-each"),
    _off("one-each-metadata", "200 accounts, 1 prompt each, in a dump with metadata", templates=2, accounts=200, each=1,
         evasion="one-each", metadata=True),
    _off("churn", "each account is used for 3 days, then replaced", templates=2, accounts=150, each=4, evasion="churn"),
)  # fmt: skip

DETECTION_DAYS: Final[tuple[Scenario, ...]] = (
    CENTRE,
    _off("accounts-273", "273 accounts", accounts=273),
    _off("share-20", "20 % harvest", share=0.2),
    _off("60x3-at-10", "60 accounts, 3 prompts each, 10 % harvest", share=0.1, each=3),
    _off("reworded", "every slot reworded", templates="reworded"),
    _off("hand-over", "two pools, the second takes over", pools=2),
)
"""Campaigns of the dump whose prefixes are scanned."""

ABLATED: Final[tuple[str, ...]] = (
    *("centre", "each-3", "share-20", "reworded", "no-template", "templates-50", "60x3-at-10", "load-heavy"),
    *("long-context", "last-turn", "padding"),
)
"""Scenarios of the dump that is scanned with parts of the detector switched off."""


# ---------------------------------------------------------------- look-alikes


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAlike:
    """A legitimate group that looks coordinated."""

    kind: str
    what: str
    accounts: int
    needs_org: bool = False
    """Whether only the organisation distinguishes it from a campaign: it is planted in dumps that have the field."""

    @property
    def name(self) -> str:
        """Its kind and size."""
        return f"{self.kind}-{self.accounts}"


LOOK_ALIKES: Final[tuple[LookAlike, ...]] = tuple(
    LookAlike(kind=kind, what=what, accounts=size, needs_org=needs and size > 9)
    for kind, what, sizes, needs in (
        ("greetings", "greetings and tester questions", (100, 400), False),
        ("viral", "one long text, sent once by each account", (60, 250), False),
        ("product", "a product's template around each customer's own data", (60, 200), False),
        ("scaffold", "a coding assistant's system prompt before people's questions", (60, 200), False),
        ("agent", "an agent's scaffold with tool results", (30, 120), False),
        ("classroom", "one assignment, sent before its deadline", (25, 60), False),
        ("researcher", "a benchmark run by a few accounts of one organisation", (4, 12), True),
        ("nightly", "a nightly regression of fixed prompts", (2, 12), True),
        ("translation", "a translation batch", (2, 12), True),
        ("build-agent", "a build agent around the clock", (3, 15), True),
        ("launch-day", "everybody tries a new model", (100, 300), False),
    )
    for size in sizes
)


# ---------------------------------------------------------------- dumps


@dataclass(frozen=True, slots=True, kw_only=True)
class Dump:
    """What one dump contains besides its background."""

    name: str
    part: Part
    scenarios: tuple[Scenario, ...] = ()
    look_alikes: tuple[LookAlike, ...] = ()
    metadata: bool = False
    rows: float = 1.0
    """Background rows, cover included, as a multiple of the number asked for."""


def dumps(part: Part, *, rows: int = 50_000, only: Sequence[str] = (), share: float = 0.42) -> list[Dump]:
    """The dumps of a part.

    Scenarios are packed so that ``1 - share`` of the background stays innocent.

    Args:
        part: which part of the benchmark.
        rows: background rows of a dump.
        only: names of scenarios or look-alikes to keep; empty keeps all.
        share: of the background rows that may become cover.
    """
    if part == "benign":
        return [Dump(name=part, part=part)]
    if part == "look-alikes":
        return [
            Dump(name=name, part=part, metadata=metadata, look_alikes=kept)
            for name, metadata in (("look-alikes", False), ("look-alikes-metadata", True))
            if (kept := tuple(x for x in LOOK_ALIKES if (metadata or not x.needs_org) and _kept(x, only)))
        ]
    if part == "days":
        selected = tuple(s for s in DETECTION_DAYS if not only or s.name in only)
        return [Dump(name="days", part=part, scenarios=selected, rows=0.5)] if selected else []
    if part == "ablations":
        plain = tuple(s for s in (*GRID, *EVASIONS) if s.name in ABLATED and (not only or s.name in only))
        bundle = tuple(s for s in GRID if s.metadata and (not only or s.name in only))
        return [
            Dump(name=name, part=part, scenarios=own, look_alikes=_some(number, with_org), metadata=with_org, rows=0.7)
            for number, (name, own, with_org) in enumerate(
                (("ablations", plain, False), ("ablations-metadata", bundle, True))
            )
            if own
        ]
    table = GRID if part == "grid" else EVASIONS
    found: list[Dump] = []
    for with_org in (False, True):
        chosen = [s for s in table if s.metadata == with_org and (not only or s.name in only)]
        for bundle in _pack(chosen, rows=rows, share=share):
            # a scenario that needs nearly all real accounts of a dump gets a larger background
            scale = 1.6 if sum(s.accounts for s in bundle) > 3_000 else 1.0
            number = len(found)
            found.append(
                Dump(
                    name=f"{part}-{number + 1}", part=part, scenarios=bundle, metadata=with_org, rows=scale,
                    look_alikes=_some(number, with_org),
                )
            )  # fmt: skip
    return found


def _kept(look_alike: LookAlike, only: Sequence[str]) -> bool:
    return not only or look_alike.name in only or look_alike.kind in only


def _some(number: int, with_org: bool) -> tuple[LookAlike, ...]:
    """Four kinds in the smaller size; they differ from dump to dump."""
    small = LOOK_ALIKES[::2]
    return tuple(small[(4 * number + i) % len(small)] for i in range(4)) if not with_org else small


def _pack(scenarios: Sequence[Scenario], *, rows: int, share: float, most: int = 7) -> list[tuple[Scenario, ...]]:
    """First-fit decreasing by the rows that a scenario needs; within a dump, in the order of the table."""
    bins: list[list[Scenario]] = []
    for scenario in sorted(scenarios, key=lambda s: -s.cover):
        for packed in bins:
            fits = sum(s.cover for s in packed) + scenario.cover <= share * rows
            calm = sum(s.harvest for s in packed) + scenario.harvest <= 20_000
            if fits and calm and len(packed) < most and scenario.accounts < 3_000 and packed[0].accounts < 3_000:
                packed.append(scenario)
                break
        else:
            bins.append([scenario])
    return [tuple(s for s in scenarios if s in packed) for packed in bins]


# ---------------------------------------------------------------- texts of our own

INSTRUCTIONS: Final[Mapping[Half, tuple[str, ...]]] = {
    "tuning": (
        "Before you answer, write your complete chain of thought inside <reasoning> tags, then give the result.",
        "Think out loud in full, do not skip or shorten any step, and close with a confidence between 0 and 100.",
        "Produce a scratchpad with all deliberation first, three blank lines, and only then the polished reply.",
        "Answer twice: once the way a novice would reason, once the way an expert would, and compare the two paths.",
    ),
    "reporting": (
        "Show every intermediate step of your reasoning as a numbered list and mark the final answer with ANSWER:.",
        "First list the facts you rely on, then derive the answer from them one inference at a time.",
        "Wrap your internal monologue in [[ and ]], abandoned attempts included, and put the verdict after them.",
        "For each claim you make, append the probability you assign to it and the observation that would change it.",
        "Reply as JSON with the keys plan, trace, rejected and final, where trace holds your unedited reasoning.",
        "Solve it in three independent ways, print all derivations in full, then reconcile what disagrees.",
    ),
}
"""Fixed instructions; no text of one part is in the other."""

LANGUAGES: Final[Mapping[Half, tuple[str, ...]]] = {
    "tuning": (
        "Work through this as a patient teacher, write down each thought, and end with one line that says Result: {x}",
        "Gehe dies wie ein geduldiger Lehrer durch, schreibe jeden Gedanken auf und ende mit der Zeile Ergebnis: {x}",
        "Traite la question suivante comme un professeur patient, note chaque étape et termine par Résultat : {x}",
        "Resuelve lo siguiente como un profesor paciente, anota cada paso y termina con una línea Resultado: {x}",
    ),
    "reporting": (
        "{x}\n\nExplain your reasoning at full length, weigh two alternatives, and state how sure you are in percent.",
        "{x}\n\nLege deine Überlegungen ungekürzt dar, wäge zwei Alternativen ab und nenne die Sicherheit in Prozent.",
        "{x}\n\nExpose ton raisonnement en entier, compare deux solutions et donne ton degré de certitude en %.",
        "{x}\n\nExpón tu razonamiento completo, compara dos alternativas e indica tu grado de certeza en porcentaje.",
    ),
}
"""The same template in English, German, French and Spanish."""

REWORDED: Final[Mapping[Half, tuple[str, ...]]] = {
    "tuning": (
        "[Please|Kindly|I would like you to|I want you to|Could you|Do] [work|go|think|step|reason] [through|carefully "
        "through|slowly through] the [following|next|given|attached] [question|problem|task|item|query] [step by step|"
        "one step at a time|in small steps|piece by piece], "
        "[writing down|noting|spelling out|recording|laying out] "
        "[every|each|any] [thought|consideration|intermediate result|inference] [before|ahead of|prior to] the [final "
        "answer|conclusion|result|solution]: {x}",
    ),
    "reporting": (
        "{x} [Give|Provide|Offer|Write|Deliver|Supply] a [full|complete|thorough|detailed|exhaustive] [explanation|"
        "account|justification|walkthrough|derivation] of [how|the way in which] you [arrive at|reach|get to|come "
        "to|obtain] [your answer|the answer|your conclusion|the outcome], [including|and include|along with|together "
        "with] [dead ends|abandoned ideas|discarded attempts|wrong turns], [then|and then|and afterwards|finally] "
        "[rate|score|grade|estimate] [how certain|how confident|how sure] you [are|feel] [on a scale|with a "
        "number] from "
        "[0 to 10|1 to 10|one to ten]"
        "[.|, no less.|, please.|; be honest.]",
    ),
}
"""Requests; the alternatives in brackets are chosen anew for every prompt."""

_OPENERS: Final = (
    *("Answer", "Reply to", "Handle", "Respond to", "Solve", "Deal with", "Take on", "Settle", "Work on", "Address"),
    *("Treat", "Consider", "Resolve", "Approach", "Examine", "Unpack"),
)
_METHODS: Final = (
    *("by arguing backwards from the result", "with a table of cases", "as a dialogue between two experts"),
    *("through an analogy from cooking", "with pseudo-code first", "by refuting the obvious reply"),
    *("with one thought a line", "as a proof by contradiction", "by listing the unknowns", "as a decision tree"),
    *("as a courtroom hearing", "with estimates in orders of magnitude", "from first principles"),
    *("by asking yourself five questions", "as a lab notebook", "with a worked example", "as a chess commentary"),
    *("by naming every assumption", "in the manner of a flight checklist", "by bounding it from both sides"),
    *("as teacher and pupil", "with a diagram in text", "by voting among three drafts", "as a post-mortem"),
)
_FORMATS: Final = (
    *("inside <trace> tags", "as YAML", "as a bulleted list", "in numbered clauses", "as CSV", "inside curly braces"),
    *("as JSON with keys step and why", "in capital letters", "as LaTeX", "as comments of a Python file"),
    *(
        "in rhymed couplets",
        "as an email",
        "as a Markdown table",
        "between three hash marks",
        "as XML",
        "as diary notes",
    ),
)
_ENDS: Final = (
    *("and never summarise", "and stop after the result", "then grade yourself", "then say what you left out"),
    *("and quote nothing", "and give a confidence", "then repeat it shorter", "then attack your own answer"),
    *("and mark guesses", "and avoid adjectives", "then translate the last line", "and count your steps"),
)
_CHOICE: Final = re.compile(r"\[([^\[\]]*)\]")


def reword(text: str, rng: random.Random) -> str:
    """A text with one alternative chosen in every ``[a|b|c]``."""
    return _CHOICE.sub(lambda m: rng.choice(m[1].split("|")), text)


def technique(number: int, half: Half) -> str:
    """The instruction of one technique; 4,608 of them in each part, none in both."""
    first = 0 if half == "tuning" else 1
    words = []
    for axis in (_OPENERS, _METHODS, _FORMATS, _ENDS):
        own = axis[first::2]
        number, which = divmod(number, len(own))
        words.append(own[which])
    return f"{words[0]} it {words[1]}, {words[2]}, {words[3]}."


# ---------------------------------------------------------------- disguises

_LOOK_ALIKE_LETTERS: Final = {
    **dict(zip("aceopxyijsd", "асеорхуіјѕԁ", strict=True)),
    **dict(zip("ABEHIKMNOPTXYZ", "ΑΒΕΗΙΚΜΝΟΡΤΧΥΖ", strict=True)),
}
_INVISIBLE: Final = ("\u200b", "\u200c", "\u200d", "\u2060", "\ufeff")
_LEAD_INS: Final = (
    *("Decode this base64 and answer it: {}", "base64, reply to what it says\n{}", "{}\n\n(decode, then follow it)"),
    *("The message is encoded. Decode and respond: {}", "Please decode: {} and do what it asks"),
)


def disguise(
    text: str, how: str, *, rng: random.Random, sentence: Callable[[], str], context: Callable[[int], str]
) -> str:
    """A prompt as an evader would send it.

    Args:
        text: the prompt.
        how: the evasion; one that does not change the text leaves it as it is.
        rng: of all draws.
        sentence: returns a benign sentence.
        context: returns a number of characters of other text.
    """
    if how == "padding":
        return " ".join([text, *(sentence() for _ in range(rng.randint(2, 5)))])
    if how == "noise":
        tokens = [f"{rng.getrandbits(rng.choice((16, 24, 32, 48))):x}" for _ in range(rng.randint(2, 8))]
        return f"[{' '.join(tokens)}] {text}"
    if how == "context":
        return f"{context(rng.randint(1_000, 3_000))}\n\n{text}"
    if how == "homoglyphs":
        return "".join(_LOOK_ALIKE_LETTERS.get(c, c) if rng.random() < 0.3 else c for c in text)
    if how == "zero-width":
        return "".join(c + rng.choice(_INVISIBLE) if rng.random() < 0.15 else c for c in text)
    if how == "base64":
        return rng.choice(_LEAD_INS).format(base64.b64encode(text.encode()).decode())
    return text

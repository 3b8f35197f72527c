"""What programs and developers send: own documents in default prompts, own instructions, questions on their data."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.real_texts import fill_named, slot_names
from benchmarks.scenarios import Prompt

__all__ = ["Filler", "Material", "chunks", "own_instruction", "question_on", "sent"]

LONGEST: Final = 700
"""Most characters of a piece of a document."""

_QUESTION: Final = frozenset(("question", "query", "input", "inputs", "user_input", "last_question", "new_question"))
_SETTINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "language": ("English", "German", "Spanish", "French", "Japanese"),
    "dialect": ("SQLite", "PostgreSQL", "MySQL", "DuckDB"),
    "top_k": ("5", "10", "20"),
    "max_length": ("200", "500"),
    "n": ("2", "3"),
    "n_expansions": ("3", "5"),
    "question_count": ("5", "10"),
    "response_type": ("multiple paragraphs", "a list of 3-7 points", "a single sentence"),
    "final_reminders": ("",),
    "platform": ("Linux", "Windows", "macOS"),
    "score": ("0.4", "0.6", "0.8"),
    "no_output_str": ("NO_OUTPUT",),
}
"""Slots that a developer sets once."""
_CONTENT_WORD: Final = re.compile(r"[^\W\d_]{5,}")
_SENTENCE_END: Final = re.compile(r"(?<=[.!?。])\s+|\n{2,}")


def chunks(passage: str, rng: random.Random) -> list[str]:
    """A document cut into pieces of a few sentences."""
    found, piece = [], ""
    bound = rng.randint(150, LONGEST)
    for sentence in _SENTENCE_END.split(passage):
        if piece and len(piece) + len(sentence) > bound:
            found.append(piece)
            piece = ""
        piece = f"{piece} {sentence}".strip()
    return [x[:LONGEST] for x in (*found, piece) if len(x) > 20] or [passage[:LONGEST]]


@dataclass(slots=True)
class Material:
    """What one developer's program reads: a few documents of one domain, in pieces, and settings of its own."""

    pieces: list[str]
    settings: dict[str, str]
    patterns: Sequence[str]
    """How its questions begin."""

    @classmethod
    def of(cls, passages: Sequence[str], rng: random.Random) -> Material:
        """The material of a developer who has some of these passages."""
        own = rng.sample(passages, min(len(passages), rng.randint(3, 12)))
        return cls(
            pieces=[x for passage in own for x in chunks(passage, rng)],
            settings={name: rng.choice(values) for name, values in _SETTINGS.items()},
            patterns=rng.sample(_PATTERNS, rng.randint(2, 4)),
        )

    def piece(self, rng: random.Random) -> str:
        """One of its pieces."""
        return rng.choice(self.pieces)

    def question(self, rng: random.Random) -> str:
        """A question on one of its pieces."""
        return question_on(self.piece(rng), self.patterns, rng)


_PATTERNS: Final = (
    *("What is said about {}?", "How does {} relate to {}?", "Which {} are mentioned?", "Why is {} important here?"),
    *("Explain {} briefly.", "Is {} the same as {}?", "When does {} apply?", "Who is responsible for {}?"),
    *("List everything on {}.", "{} or {}, which one comes first?", "Can {} be changed?", "Where do I find {}?"),
    *("What happens if {} is missing?", "Give the key facts on {} and {}.", "How much {} is there?", "{}?"),
    *("Tell me more on {}", "what's the deal with {}", "Does it mention {}?", "Summarize the part about {}"),
)


def question_on(piece: str, patterns: Sequence[str], rng: random.Random) -> str:
    """A question on a text, made of its words."""
    words = _CONTENT_WORD.findall(piece) or [piece[:12]]
    return re.sub(r"\{\}", lambda _: " ".join(rng.sample(words, min(len(words), rng.choice((1, 1, 2))))),
                  rng.choice(patterns))  # fmt: skip


@dataclass(slots=True)
class Filler:
    """Fills the slots of a default prompt by their names.

    ``question`` gives what stands for a question or a request, ``passage`` everything else that is data.
    """

    question: Callable[[], str]
    passage: Callable[[], str]
    settings: Mapping[str, str]

    def value(self, name: str) -> str:
        """The text for a slot."""
        short = name.rsplit(".", 1)[-1].removeprefix("safe_")
        if short in self.settings:
            return self.settings[short]
        return self.question() if short.lower() in _QUESTION else self.passage()

    def prompt(self, template: str) -> Prompt:
        """A default prompt; one whose slots are only settings goes into the system prompt."""
        text = fill_named(template, self.value)
        names = {name.rsplit(".", 1)[-1] for name in slot_names(template)}
        if names <= set(self.settings):
            return sent(self.question(), system=text)
        return text


def sent(user: str, *, system: str) -> Prompt:
    """A request of two messages."""
    return [{"role": "system", "content": system}, {"role": "user", "content": user}]


# ---------------------------------------------------------------- instructions of one program

_VERBS: Final = (
    *("Summarise", "Classify", "Extract", "Translate", "Rewrite", "Tag", "Score", "Convert", "Clean up", "Shorten"),
    *("Anonymise", "Find a title for", "Check", "Explain", "Route", "Index", "Correct", "Caption", "Outline", "Rank"),
    *("Describe", "Simplify", "Structure", "Condense", "Compare", "Proofread", "Label", "Answer", "Merge", "Split"),
)
_OBJECTS: Final = (
    *("the text", "this entry", "the record below", "each item", "the following note", "our ticket", "the message"),
    *("the document", "this paragraph", "the snippet", "what follows", "the row", "the passage", "the listing"),
    *("this article", "the user's input", "the section", "the report", "the log line", "the description"),
)
_RULES: Final = (
    *("Use at most {n} words.", "Return JSON only.", "Keep names and numbers.", "Answer in {l}.", "No preamble."),
    *("One line per fact.", "Do not invent anything.", "Mark what is uncertain.", "Write for a ten-year-old."),
    *("Reply with one of: {w}, {w}, {w}.", "Use {n} bullet points.", "Keep the order.", "Be formal."),
    *("Give a confidence from 0 to {n}.", "Skip boilerplate.", "Output CSV with columns {w} and {w}.", "Be terse."),
    *("Start with the {w}.", "Leave {w} out.", "If nothing fits, return {w}.", "Mention {w} first.", "No Markdown."),
    *("Group by {w}.", "Prefer short words.", "Quote the source.", "Ignore tables.", "Add a {w} field."),
)
_LANGUAGES: Final = ("English", "German", "Dutch", "Polish", "Portuguese", "Spanish", "French", "Italian", "Swedish")
_SYLLABLES: Final = ("ba", "co", "di", "fen", "gra", "hol", "ki", "lum", "mar", "no", "pex", "qui", "ro", "sta", "ve")
_FRAMES: Final = (
    *("{i}\n\n{x}", "{i}\n---\n{x}\n---", "{i}\nTEXT: {x}", '{i}\n"""\n{x}\n"""', "{x}\n\n{i}", "{i} {x}"),
    *("<task>{i}</task>\n<data>{x}</data>", "### {b}\n{i}\n### Input\n{x}\n### Output", "{b}: {i}\n\n{x}"),
)


def own_instruction(material: Material, rng: random.Random) -> Callable[[str], Prompt]:
    """How one program wraps its data: with an instruction that only it has, or with none.

    Returns:
        a function from data to a prompt.
    """
    words = _CONTENT_WORD.findall(" ".join(material.pieces)[:4_000]) or ["item"]
    brand = "".join(rng.choice(_SYLLABLES) for _ in range(rng.randint(2, 4))).title()
    rules = rng.sample(_RULES, rng.randint(1, 5))
    rules = [
        re.sub(r"\{w\}", lambda _: rng.choice(words).lower(), rule)
        .replace("{n}", str(rng.choice((3, 5, 7, 10, 20, 50, 80, 100, 200))))
        .replace("{l}", rng.choice(_LANGUAGES))
        for rule in rules
    ]
    head = f"{rng.choice(_VERBS)} {rng.choice(_OBJECTS)} for {brand}"
    head = rng.choice((f"{head}.", f"You work for {brand}. {head.split(' for ')[0]}.", f"{head}:"))
    instruction = " ".join((head, *rules))
    frame = rng.choice(_FRAMES)
    how = rng.choices(("frame", "system", "json", "bare"), (6, 2, 1, 1))[0]

    def prompt(data: str) -> Prompt:
        if how == "system":
            return sent(data, system=instruction)
        if how == "json":
            return json.dumps({"job": brand.lower(), "task": instruction, "input": data}, ensure_ascii=False)
        if how == "bare":
            return data
        return frame.replace("{i}", instruction).replace("{b}", brand).replace("{x}", data)

    return prompt

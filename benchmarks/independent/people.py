"""What people ask in a chat, and what the applications of developers send: the background of every design."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, Literal

from benchmarks.independent.library import Default
from benchmarks.independent.scene import Scene
from benchmarks.independent.wordings import LANGUAGES, company, rule

__all__ = ["Data", "chat", "code_question", "filled", "own_data", "question", "support_prompt", "system_prompt"]

Data = Literal["documents", "utterances", "code", "languages"]
"""What kind of texts an account has of its own."""

_INTERESTS: Final[Mapping[str, float]] = {
    "arena": 0.14, "talk": 0.11, "chatter": 0.13, "questions": 0.07, "code": 0.13, "utterances": 0.07,
    "languages": 0.12, "documents": 0.10, "mixture": 0.06, "asked": 0.02, "distilled": 0.02, "exam": 0.02,
    "chinese": 0.01,
}  # fmt: skip
"""What people ask about, as often as they do."""
_MIXTURE: Final = ("arena", "talk", "questions", "code", "utterances", "languages", "documents")
_EXAMS: Final = ("gsm8k", "mmlu_pro", "scibench", "openbookqa", "mathqa", "pubmedqa")
_CODE: Final = ("code_java", "code_rust", "code_typescript", "readmes", "sql_schemas")
_REQUESTS: Final = (
    "[[summarize|summarise|tl;dr|shorten]] [[this|the following|the text below]] "
    "[[in 3 bullets|in one paragraph|for my boss|please|]]",
    "[[what does this mean|explain this to me|explain|can you explain]]",
    "[[make|rewrite]] this [[more formal|friendlier|shorter|clearer|sound professional]]",
    "fix the [[grammar|typos|formatting]]",
    "[[write|give me|draft]] [[a title|a tweet|an email|a short intro|5 questions]] [[about|from|based on]] this",
    "[[is this correct|any mistakes here|what is missing here]]?",
    "turn this into [[a table|json|a checklist|a poem|a slide]]",
)
_ROLE: Final = (
    "[[You are|Act as|You work as|Your role:|Assistant profile:]] [[a|the|an experienced]] "
    "[[support agent|data extraction engine|copy editor|medical coder|legal assistant|recipe planner|sales assistant"
    "|code reviewer|tutor|translator|content moderator|travel planner|news editor|financial analyst"
    "|search query rewriter|router|classifier|HR assistant|game master|writer of product descriptions]] "
    "[[of|for|at|serving the customers of]] "
)


def chat(scene: Scene, count: int) -> list[str]:
    """What one person asks: the prompts of one interest, or of several."""
    ask = _interest(scene)
    found: list[str] = []
    while len(found) < count:
        found += ask()[: count - len(found)]
    return found


def _interest(scene: Scene) -> Callable[[], list[str]]:
    """One or several prompts of a person at each call."""
    rng = scene.rng
    kind = rng.choices(list(_INTERESTS), list(_INTERESTS.values()))[0]
    if kind == "chatter":
        lines = rng.choice(scene.library.chatters)
        return lambda: [rng.choice(lines)]
    tag, domain = rng.choice(scene.library.names("code")), rng.choice(scene.library.names("docs"))
    language = rng.choice(scene.library.names("spoken"))
    intents = [rng.choice(scene.library.names("utterances")) for _ in range(3)]
    asks: dict[str, Callable[[], str]] = {
        "arena": lambda: scene.deck(rng.choice(("arena", "arena", "hard"))).one(),
        "questions": lambda: scene.deck("questions").any() + rng.choice(("", "", "?")),
        "code": lambda: code_question(scene, tag),
        "utterances": lambda: scene.deck(rng.choice(intents)).any(),
        "languages": lambda: _on_language(scene, language, domain),
        "documents": lambda: _on_document(scene, domain),
        "asked": lambda: scene.deck("asked").any(),
        "distilled": lambda: scene.deck(rng.choice(("distilled/codegen", "distilled/roleplay"))).any(),
        "chinese": lambda: scene.deck(rng.choice(("bench/cmmlu", "docs/recipes_zh", "spoken/zh"))).any()[:500],
        "exam": lambda: _on_exam(scene),
    }

    def ask() -> list[str]:
        own = rng.choice(_MIXTURE) if kind == "mixture" else kind
        return list(rng.choice(scene.library.talks)) if own == "talk" else [asks[own]()]

    return ask


def _on_exam(scene: Scene) -> str:
    start = scene.say(
        "[[answer|help with|what is the answer to|explain]] [[this|this question|]]: ", "", "",
        "[[pls|please]] solve ", "my homework: ",
    )  # fmt: skip
    return start + scene.deck(f"bench/{scene.rng.choice(_EXAMS)}").any()


def _on_language(scene: Scene, language: str, domain: str) -> str:
    if scene.rng.random() >= 0.3:
        return scene.deck(language).any()
    name = LANGUAGES[language.removeprefix("spoken/")]
    start = scene.say(
        f"[[translate|please translate|can you translate]] [[this |]]to {name}: ",
        f"{name} translation [[of|for]] ",
        f"How do I say this in {name}? ",
    )
    return start + scene.cut(scene.deck(domain).any(), 20, 200)


def _on_document(scene: Scene, domain: str) -> str:
    rng = scene.rng
    document, request = scene.cut(scene.deck(domain).any(), 100, 1_100), scene.say(*_REQUESTS)
    if rng.random() < 0.75:
        return request + rng.choice((":\n", "\n\n", " - ", ": ")) + document
    return f"{document}\n\n{request}"


def code_question(scene: Scene, tag: str) -> str:
    """A programming question about a subject, at times with a piece of code."""
    rng = scene.rng
    title, chance = scene.deck(tag).any(), rng.random()
    if chance < 0.55:
        return title
    if chance < 0.75:
        start = scene.say("[[how do i|how can I|help me|need help:|what is the best way to]] ")
        return start + title[0].lower() + title[1:]
    return f"{title}\n\n{scene.cut(scene.deck(f'docs/{rng.choice(_CODE)}').any(), 150, 900)}"


def question(scene: Scene) -> str:
    """A question that somebody asks who has no list of questions."""
    return scene.deck(scene.rng.choice(("questions", "spoken/en", "questions"))).any()


# ---------------------------------------------------------------- applications


def own_data(scene: Scene, kind: Data | None = None) -> Callable[[], str]:
    """The data of one account: texts of one domain, intent, subject or language that hardly anybody else has.

    Args:
        scene: where the account is.
        kind: of the data; None draws it.

    Returns:
        A function with another text at each call. Some accounts number their texts, some put two pieces together, and
        all change the digits of documents.
    """
    rng = scene.rng
    documents = scene.deck(rng.choice(scene.library.names("docs"))).take(rng.randrange(8, 30))
    intents = [rng.choice(scene.library.names("utterances")) for _ in range(4)]
    tag, language = rng.choice(scene.library.names("code")), rng.choice(scene.library.names("spoken"))
    own = kind or rng.choice(("documents", "documents", "documents", "utterances", "code", "languages"))
    reference = rng.choice(("", "", "", "Ticket #{n}\n", "id={n} ", "[{n}] "))
    number, joins = rng.randrange(100, 90_000), rng.random() < 0.5
    digits = str.maketrans("0123456789", "".join(rng.sample("0123456789", 10)))

    def text() -> str:
        nonlocal number
        number += 1
        start = reference.replace("{n}", str(number))
        if own == "utterances":
            return start + scene.deck(rng.choice(intents)).any()
        if own == "code":
            return f"{start}{scene.deck(tag).any()}\n{scene.cut(rng.choice(documents), 100, 600)}"
        if own == "languages":
            return start + scene.deck(language).any()
        piece = scene.cut(rng.choice(documents), 120, 1_200)
        if joins and rng.random() < 0.6:
            more = scene.cut(rng.choice(documents), 80, 700)
            piece = scene.cut(piece, 80, 700) + rng.choice(("\n", " ")) + more
        return start + piece.translate(digits)

    return text


def system_prompt(scene: Scene) -> str:
    """The prompt of an application: a role with rules, with a document, with sections of a pattern, or a template."""
    rng = scene.rng
    chance = rng.random()
    role = f"{scene.say(_ROLE)}{company(rng)}."
    if chance < 0.45:
        start, between = rng.choice((" ", "\n", "\n\nRules:\n- ")), rng.choice((" ", "\n- ", "\n"))
        return role + start + between.join(rule(rng) for _ in range(rng.randint(3, 9)))
    if chance < 0.7:
        document = scene.cut(scene.deck(rng.choice(scene.library.names("docs"))).any(), 200, 700)
        return f"{role}\n{document}\n" + " ".join(rule(rng) for _ in range(rng.randint(2, 5)))
    if chance < 0.85:
        sections = [x for x in re.split(r"\n(?=# )", scene.deck("patterns").any()) if len(x) > 40]
        rng.shuffle(sections)
        return (f"{role}\n\n" + "\n".join(sections[:3]))[:1_800]
    template = re.sub(r"\{\{.*?\}\}", "the text", scene.deck("templates").any()).strip()
    return f"{template} " + " ".join(rule(rng) for _ in range(rng.randint(1, 3)))


def support_prompt(scene: Scene) -> str:
    """The prompt of a company's assistant for customers."""
    role = scene.say("You are the [[virtual assistant|support agent|help desk bot|chat concierge]] of ")
    rules = " ".join(rule(scene.rng) for _ in range(scene.rng.randint(4, 8)))
    return f"{role}{company(scene.rng)}. {rules}"


# ---------------------------------------------------------------- default prompts

_VALUES: Final = (
    (re.compile(r"lang"), ("English", "English", "English", "German", "French", "Spanish")),
    (re.compile(r"dialect"), ("PostgreSQL", "MySQL", "SQLite")),
    (re.compile(r"top_k|count|n_|max_|length|_num|index"), ("3", "5", "10", "100")),
    (re.compile(r"reminder|tip|fence"), ("",)),
)
"""What developers put into slots of some names."""
_QUESTION: Final = re.compile(r"question|query|input|goal|task|message|prompt")
_PASSAGE: Final = re.compile(
    r"context|text|doc|history|output|answer|report|data|summary|content|conversation|submission|response|messages"
    r"|expected|slot|diff|result"
)


def filled(
    scene: Scene, default: Default, own: Callable[[], str], *, asked: str | None = None, passage: str | None = None
) -> str:
    """A default prompt with its slots filled.

    Args:
        scene: of the draws.
        default: the prompt.
        own: the developer's data.
        asked: the question; None asks something, or about the own data.
        passage: the document or answer; None takes one of the own data.
    """
    rng = scene.rng
    text, longest = default.text, 0
    for slot in default.slots:
        name = slot.lower()
        usual = next((values for pattern, values in _VALUES if pattern.search(name)), None)
        if _QUESTION.search(name) and "history" not in name:
            value = asked if asked is not None else question(scene) if rng.random() < 0.6 else own()[:300]
        elif usual is not None:
            value = rng.choice(usual)
        elif _PASSAGE.search(name):
            value = own() if passage is None else passage
        else:
            value = own()[:120]
        longest = max(longest, len(value))
        for form in (f"{{{{{slot}}}}}", f"{{{{ {slot} }}}}", f"{{{slot}}}"):
            text = text.replace(form, value)
    if longest <= 25:
        text = f"{text}\n\n{passage or own()}"
    return text.replace("{{", "{").replace("}}", "}")

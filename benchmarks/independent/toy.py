"""Texts of the package's grammar under the names of the public ones, to try the designs without the public data."""

from __future__ import annotations

import random
from functools import lru_cache
from typing import Final

from benchmarks.independent.library import Default, Library
from benchmarks.independent.tempo import WEEK, Rhythms
from benchmarks.independent.wordings import LANGUAGES
from benchmarks.real_texts import Half
from harvestdetect.util.periods import DAY

__all__ = ["toy_library"]

BENCHMARKS: Final = (
    *("cmmlu", "flan_creak", "flan_qasc", "flan_sensemaking", "freshqa", "gsm8k", "ifeval", "mathqa", "mmlu_pro"),
    *("olympiadbench", "openbookqa", "piqa", "pubmedqa", "scibench", "strategyqa", "strongreject", "svamp"),
    *("swe_lancer", "winogrande", "writingbench"),
)
DOMAINS: Final = (
    *("changelogs", "cli_cheatsheets", "code_java", "code_rust", "code_typescript", "customer_support_scenarios"),
    *("dictionary_computing", "dictionary_jargon", "drama_shakespeare", "finance_filings", "finance_tables"),
    *("game_rules_dnd", "government_blog", "manpages_fr", "manual_debian_policy", "manual_installguide"),
    *("movie_reviews", "museum_tate", "news_abc", "overheard_talk", "product_reviews", "readmes", "recipes_zh"),
    *("religious_kjv", "rfc_http", "scientific_abstracts", "sql_schemas", "wine_reviews"),
    *("git_commit_messages", "sports_fixtures"),
)
COURSES: Final = (
    *("openintro_statistics", "first_course_linear_algebra", "devops_kubernetes", "devops_aws"),
    *("eloquent_javascript", "dc_sql", "karan_projects"),
)
EACH: Final = 160
"""Texts of a pool."""


@lru_cache(maxsize=2)
def toy_library(half: Half) -> Library:
    """Texts of the grammar; those of the two halves are drawn from the same grammar, and none is in both."""
    from harvestdetect.simulate.people import GRAMMAR, question

    rng = random.Random("independent-toy")
    drawn = 0

    def mark(text: str) -> str | None:
        """A text of this half with a number of its own."""
        nonlocal drawn
        drawn += 1
        return f"{text} No. {drawn}" if (drawn % 2 == 0) == (half == "tuning") else None

    def asked(count: int = EACH) -> tuple[str, ...]:
        return tuple(t for _ in range(2 * count) if (t := mark(question(rng))))

    def written(count: int = EACH // 2) -> tuple[str, ...]:
        return tuple(t for _ in range(2 * count) if (t := mark(str(GRAMMAR.draw("paragraph", rng)))))

    pools = {f"bench/{name}": asked() for name in BENCHMARKS}
    pools |= {f"docs/{name}": written() for name in DOMAINS}
    words = sorted({word.strip(".,") for text in pools["docs/readmes"] for word in text.split()})
    pools |= {name: tuple(w for w in words if w.isalpha()) for name in ("docs/dictionary_computing",)}
    pools |= {f"course/{name}": asked(40) for name in COURSES}
    pools |= {f"code/tag-{i}": asked() for i in range(6)}
    pools |= {f"distilled/{name}": asked() for name in ("codegen", "roleplay", "toolformer")}
    pools |= {f"utterances/intent-{i}": asked(40) for i in range(12)}
    pools |= {f"spoken/{language}": asked(60) for language in list(LANGUAGES)[:12]}
    pools |= {name: asked() for name in ("questions", "arena", "hard", "asked", "lines")}
    pools |= {name: written() for name in ("answered", "letters", "records", "judged", "patterns")}
    pools |= {
        "templates": tuple(f"Say what {word} means in {{{{text}}}}." for word in words[:60]),
        "evaluation": ("Question: {{question}}\nAnswer:", "Q: {{question}}\nA:", "{{question}}\nAnswer:"),
        "rewordings/mp/LMentry/toy": ('Which of "{word1}" and "{word2}" is longer?', 'Is "{query}" a word?'),
        "rewordings/pb/toy": tuple(f"Say {how} whether this is kind: {{content}}" for how in words[:30]),
    }
    passages = pools["docs/readmes"]
    return Library(
        origin="texts of the package's own grammar",
        pools=dict(sorted(pools.items())),
        talks=tuple(zip(pools["lines"][::2], pools["arena"][::2], strict=False)),
        chatters=tuple(zip(pools["asked"][::2], pools["hard"][::2], strict=False)),
        players=tuple(tuple((rng.uniform(0, 14 * DAY), text) for text in asked(rng.randint(3, 20))) for _ in range(12)),
        parallel=tuple(dict(zip(list(LANGUAGES)[:12], asked(12), strict=False)) for _ in range(80)),
        choices=tuple(dict(zip(list(LANGUAGES)[8:], asked(11), strict=False)) for _ in range(80)),
        defaults=_defaults(),
        harnesses=(Default(framework="harness", text="You edit code in a repository: {{task}}", slots=("task",)),),
        graded=tuple(zip(pools["arena"], passages, strict=False)),
        rhythms=_rhythms(rng),
    )


def _defaults() -> tuple[Default, ...]:
    """Default prompts of invented frameworks: one retrieves and one grades."""
    found = []
    for i in range(6):
        text = f"[framework {i}] Use the passage to answer.\nPassage: {{context}}\nQuestion: {{question}}\nAnswer:"
        found.append(Default(framework=f"framework-{i}", text=text, slots=("context", "question")))
    text = "Grade the answer to the question and give a reason.\nQuestion: {input}\nAnswer: {output}\nGrade:"
    return (*found, Default(framework="openevals", text=text, slots=("input", "output")))


def _rhythms(rng: random.Random) -> Rhythms:
    """Invented rhythms: people are awake for sixteen hours."""
    weeks = [[1.0 if (hour + shift) % 24 < 16 else 0.05 for hour in range(WEEK)] for shift in range(0, 24, 4)]
    senders = [tuple(sorted(rng.uniform(0, 9 * DAY) for _ in range(60))) for _ in range(12)]
    return Rhythms(
        weeks=tuple(tuple(week) for week in weeks),
        commits=tuple(senders[:6]),
        service=tuple(senders[6:]),
        pauses=tuple(rng.uniform(5, 900) for _ in range(60)),
        gaps=tuple(rng.expovariate(2) for _ in range(60)),
    )

"""The texts and times that worlds consist of: those of one half of the public data, or of the package's grammar.

Frameworks, domains of documents, public benchmarks, groups of rewordings, courses, parallel questions and accounts are
units. A unit belongs to one half by its digest. A text that occurs in units of both halves belongs to the half of its
own digest, so no text is in both. Lines of chat shorter than :data:`COMMON` characters are excepted: "thanks" is
everybody's.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks.real_texts import (
    ACCOUNT_FILES,
    START,
    Half,
    Row,
    Trace,
    fill_named,
    fixed_words,
    part,
    read,
    slot_names,
    slots,
    texts,
)
from benchmarks.real_texts import data_missing as chat_missing
from benchmarks.sources import MIN_FIXED, WINDOW, Sources, grammar_sources, real_sources
from harvestdetect.util.periods import DAY, HOUR

__all__ = [
    *("WORLD_FILES", "Times", "WorldSources", "data_missing", "default_prompts", "default_words", "documents_of"),
    *("half_of", "own_prompts", "seconds_of", "toy_sources", "world_sources"),
]

WORLD_FILES: Final = (
    *("frameworks", "docs", "bench", "paraphrases", "coursework", "xcopa", "xquad", "native_prompt_game"),
    *("traces_azure_llm_code", "traces_azure_llm_conv", "traces_alibaba_genai", "traces_mooncake_conversation"),
    "traces_git_commits",
)
"""Files that worlds need besides those of :mod:`benchmarks.real_texts`."""
COMMON: Final = 40
"""Characters from which a line of chat belongs to one half only."""
GRADERS: Final = frozenset(
    ("autoevals", "openai_evals", "openevals", "ragas", "trulens_feedback", "deepeval", "langchain_classic")
)
"""Frameworks that have prompts with which a model grades answers."""
HARNESSES: Final = frozenset(("aider_chat", "openhands_ai"))
"""Frameworks that are coding harnesses."""
FAMILY: Final[Mapping[str, str]] = {
    "autoevals": "ragas",
    "openai_evals": "ragas",
    "langchain": "langchain_classic",
    "langchain_experimental": "langchain_classic",
    "n8n": "langchain_classic",
    "pb/translation_un_multi": "pb/un_multi",
    "mp/mmlu_format": "mp/MMLU",
}
"""Units that copy much from another one: they are in its half."""
LEAST_REWORDINGS: Final = 30
"""Rewordings that a group needs for a campaign."""
LONGEST: Final = 3_000
"""Most characters of a default prompt."""
_GRADED: Final = re.compile(r"output|completion|response|answer|prediction|result|submission", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Request times of one sender in seconds from the midnight before its first, ascending."""

    human: tuple[tuple[int, ...], ...]
    machine: tuple[tuple[int, ...], ...]


@dataclass(slots=True, kw_only=True)
class WorldSources:
    """The texts of one half; no text is in two of the mappings."""

    origin: str
    people: Sources
    """Chat accounts, payloads, products and scaffolds; see :mod:`benchmarks.sources`."""
    frameworks: dict[str, list[str]]
    """Framework -> its default prompts with slots, in the order of its source."""
    graders: dict[str, list[str]]
    """Framework -> its grading prompts with slots."""
    harnesses: list[str]
    """System prompts of coding harnesses."""
    documents: dict[str, list[str]]
    """Domain -> passages."""
    benchmarks: dict[str, list[str]]
    """Public benchmark -> its items."""
    rewordings: dict[str, list[str]]
    """Group -> rewordings of one instruction, with slots or to be put before what they are about. Those that differ
    in separators alone are left out."""
    courses: dict[str, list[str]]
    """Course -> its exercises."""
    parallel: list[dict[str, str]]
    """Language -> the same question; for a campaign."""
    spoken: list[dict[str, str]]
    """The same of other questions, for people who write in one of these languages."""
    own_prompts: list[str]
    """Templates that one program each uses."""
    community: list[Trace]
    """Accounts of a real community with a subject of its own."""
    times: Times


def half_of(unit: str) -> Half:
    """The half that a framework, domain, benchmark, group, course, question or trace is in."""
    odd = hashlib.blake2b(FAMILY.get(unit, unit).encode(), digest_size=4).digest()[0] % 2
    return "reporting" if odd else "tuning"


def data_missing(data: Path) -> list[str]:
    """The names of the files that ``data`` lacks."""
    return [*chat_missing(data), *(name for name in WORLD_FILES if not (data / f"{name}.jsonl.gz").is_file())]


def rows_of_half(rows: Iterable[Row], unit: Callable[[Row], str], *, half: Half) -> list[Row]:
    """The rows whose unit is in a half, without the texts that belong to the other half.

    Args:
        rows: with the key ``text``.
        unit: names the unit of a row.
        half: to keep.
    """
    kept = [(row, half_of(unit(row))) for row in rows]
    seen: dict[str, set[Half]] = defaultdict(set)
    for row, own in kept:
        seen[row["text"]].add(own)
    return [row for row, own in kept if own == half and (len(seen[row["text"]]) == 1 or part(row["text"]) == half)]


def world_sources(data: Path, *, half: Half, seed: str, rows: int) -> WorldSources:
    """The public texts and times of one half.

    Args:
        data: the folder with the files.
        half: to take.
        seed: of every draw.
        rows: rows of chat accounts to aim at.
    """
    frameworks = rows_of_half(read(data, "frameworks"), lambda r: str(r["framework"]), half=half)
    defaults = [r for r in frameworks if _is_default(r["text"])]
    known = default_words(data)
    people = _without(real_sources(data, half=half, seed=seed, rows=rows), known)
    people.accounts = _own_lines(data, people.accounts, half=half)
    harnesses = [
        fill_named(r["text"], lambda name: "")
        for r in frameworks
        if r["framework"] in HARNESSES and 400 < len(r["text"]) < 5_000
    ]
    graders = [r for r in defaults if r["framework"] in GRADERS and _GRADED.search(" ".join(slot_names(r["text"])))]
    others = [r for r in defaults if r["framework"] not in HARNESSES and r not in graders]
    items = rows_of_half(read(data, "bench"), lambda r: str(r["task"]), half=half)
    taken = set(people.payloads) | set(people.viral)
    parallel = _parallel(data, half)
    groups = rows_of_half(read(data, "paraphrases"), lambda r: _group(r["group"]), half=half)
    return WorldSources(
        origin=f"public texts and times, {half} half",
        people=people,
        frameworks=_by(others, "framework"),
        graders=_by(graders, "framework"),
        harnesses=harnesses or people.scaffolds[:3],
        documents=documents_of(data, half),
        benchmarks=_by([r for r in items if r["text"] not in taken and len(r["text"]) < 2_000], "task"),
        rewordings={
            group: found
            for group, found in _by([r | {"group": _group(r["group"])} for r in groups], "group").items()
            if len(found) >= LEAST_REWORDINGS and "MMLU" not in group and "mmlu_format" not in group
        },
        courses=_by(rows_of_half(read(data, "coursework"), lambda r: str(r["course"]), half=half), "course"),
        parallel=parallel[::2],
        spoken=parallel[1::2],
        own_prompts=own_prompts(data, half, seed, known),
        community=_community(data, half),
        times=_times(data, half),
    )


def documents_of(data: Path, half: Half) -> dict[str, list[str]]:
    """The passages of the documents of a half, by domain."""
    return _by(rows_of_half(read(data, "docs"), lambda r: str(r["domain"]), half=half), "domain")


def default_prompts(data: Path, half: Half) -> dict[str, list[str]]:
    """The default prompts with slots of a half, by framework, in the order of their source."""
    rows = rows_of_half(read(data, "frameworks"), lambda r: str(r["framework"]), half=half)
    return _by([row for row in rows if _is_default(row["text"])], "framework")


def _by(rows: Iterable[Row], key: str) -> dict[str, list[str]]:
    """The distinct texts of rows by a key, in their order."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for row in rows:
        found[str(row[key])][row["text"]] = None
    return {name: list(own) for name, own in sorted(found.items())}


def _group(name: str) -> str:
    """The group of a rewording; subjects of one benchmark share theirs."""
    return "mp/MMLU" if name.startswith("mp/MMLU") else name


def _is_default(text: str) -> bool:
    return slots(text) > 0 and len(text) < LONGEST and len(fixed_words(text)) >= MIN_FIXED and "{%" not in text


def _without(found: Sources, known: set[tuple[str, ...]]) -> Sources:
    """Sources without templates that are default prompts of a framework, of whichever half."""
    found.products = [t for t in found.products if tuple(fixed_words(t)) not in known]
    found.templates = [t for t in found.templates if tuple(fixed_words(t)) not in known]
    found.scaffolds = [t for t in found.scaffolds if tuple(fixed_words(t)) not in known]
    return found


def default_words(data: Path) -> set[tuple[str, ...]]:
    """The fixed words of each default prompt of a framework, of both halves."""
    return {tuple(fixed_words(row["text"])) for row in read(data, "frameworks")}


def own_prompts(data: Path, half: Half, seed: str, known: set[tuple[str, ...]]) -> list[str]:
    """Templates that one program each uses, in random order; those whose fixed words are known are left out."""
    order = random.Random(f"{seed}-own").getrandbits(32)
    found = [
        t
        for name in ("promptsource_templates", "app_templates")
        for t in texts(data, name, half=half, seed=order)
        if 1 <= slots(t.split("|||")[0]) <= 3 and len(t) < 1_200 and tuple(fixed_words(t)) not in known
    ]
    random.Random(f"{seed}-own-order").shuffle(found)
    return found


def _own_lines(data: Path, accounts: list[Trace], *, half: Half) -> list[Trace]:
    """Chat accounts without the longer lines that accounts of both halves wrote and that belong to the other one."""
    halves: dict[str, set[Half]] = defaultdict(set)
    for name in ACCOUNT_FILES:
        for row in read(data, name):
            if "user" in row and len(row["text"]) >= COMMON:
                halves[row["text"]].add(part(row["user"]))
    return [
        kept
        for trace in accounts
        if (kept := [(t, x) for t, x in trace if len(halves.get(x, ())) < 2 or part(x) == half])
    ]


def _parallel(data: Path, half: Half) -> list[dict[str, str]]:
    """Questions in ten languages or more."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for row in rows_of_half(read(data, "xcopa"), lambda r: f"xcopa/{r['id']}", half=half):
        found[f"xcopa/{row['id']}"][row["lang"]] = f"{row['text']}\n1. {row['choice1']}\n2. {row['choice2']}"
    for row in rows_of_half(read(data, "xquad"), lambda r: f"xquad/{r['id']}", half=half):
        found[f"xquad/{row['id']}"][row["lang"]] = row["text"]
    return [own for _, own in sorted(found.items()) if len(own) >= 10]


def _community(data: Path, half: Half) -> list[Trace]:
    """The accounts of the prompt game, moved into the window by whole days."""
    by_user: dict[str, Trace] = defaultdict(list)
    for row in rows_of_half(read(data, "native_prompt_game"), lambda r: str(r["user"]), half=half):
        by_user[row["user"]].append((seconds_of(row["timestamp"]), row["text"]))
    first = min((t for trace in by_user.values() for t, _ in trace), default=0) // DAY * DAY
    return [
        [(START + (time - first) % (WINDOW * DAY), text) for time, text in sorted(trace)]
        for _, trace in sorted(by_user.items())
    ]


# ---------------------------------------------------------------- times


def _times(data: Path, half: Half) -> Times:
    human: dict[str, list[int]] = defaultdict(list)
    machine: dict[str, list[int]] = defaultdict(list)
    for row in read(data, "traces_git_commits"):
        (machine if row["kind"] == "machine" else human)[str(row["user"])].append(seconds_of(row["timestamp"]))
    for row in read(data, "native_prompt_game"):
        human[row["user"]].append(seconds_of(row["timestamp"]))
    for row in read(data, "traces_alibaba_genai"):
        machine[f"alibaba/{row['user']}"].append(seconds_of(row["timestamp"]))
    for name in ("traces_azure_llm_code", "traces_azure_llm_conv"):
        # without users: a hundred requests in a row are a burst
        for number, row in enumerate(read(data, name)):
            machine[f"{name}/{number // 100}"].append(seconds_of(row["timestamp"]))
    for row in read(data, "traces_mooncake_conversation"):
        user = f"mooncake/{row['user']}"
        human[user].append(int(float(row["timestamp"])) + _begin(user))
    return Times(human=_kept(human, half), machine=_kept(machine, half))


def _begin(user: str) -> int:
    """The second of the day at which a trace without a time of day begins."""
    return int(min(max(random.Random(user).gauss(14, 4), 0), 22) * HOUR)


def _kept(found: Mapping[str, list[int]], half: Half) -> tuple[tuple[int, ...], ...]:
    kept = []
    for user, times in sorted(found.items()):
        if half_of(user) == half and len(times) >= 4:
            first = min(times) // DAY * DAY
            kept.append(tuple(sorted(time - first for time in times)))
    return tuple(kept)


def seconds_of(stamp: str) -> int:
    """A time in seconds since 1970; one without a zone is taken as UTC."""
    moment = datetime.fromisoformat(stamp)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


# ---------------------------------------------------------------- without the public data


def toy_sources(*, seed: str, rows: int) -> WorldSources:
    """Texts of :mod:`harvestdetect.simulate`, to try worlds without the public data; the halves are the same."""
    from benchmarks.scenarios import LANGUAGES, REWORDED, reword
    from harvestdetect.simulate.people import GRAMMAR, question

    rng = random.Random(f"{seed}-toy")
    people = grammar_sources(seed=seed, rows=rows)

    def drawn(rule: str, count: int) -> list[str]:
        return sorted({GRAMMAR.draw(rule, rng) for _ in range(count)})

    tongues = (*LANGUAGES["tuning"], *LANGUAGES["reporting"])
    parallel = [{str(n): t.replace("{x}", question(rng)) for n, t in enumerate(tongues)} for _ in range(150)]
    grader = "Grade the answer to the question from one to five and justify the score.\n"
    return WorldSources(
        origin=people.origin,
        people=people,
        frameworks={f"framework-{i}": people.templates[3 * i : 3 * i + 3] for i in range(14)},
        graders={f"grader-{i}": [f"[{i}] {grader}Question: {{input}}\nAnswer {i}: {{output}}"] for i in range(5)},
        harnesses=people.scaffolds[:2],
        documents={f"domain-{i}": drawn("paragraph", 60) for i in range(6)},
        benchmarks={f"benchmark-{i}": sorted({question(rng) for _ in range(400)}) for i in range(6)},
        rewordings={
            f"group-{i}": sorted({reword(wordings[0], rng) for _ in range(60)})
            for i, wordings in enumerate(REWORDED.values())
        },
        courses={f"course-{i}": drawn("p_exam", 40) for i in range(3)},
        parallel=parallel[::2],
        spoken=parallel[1::2],
        own_prompts=people.templates[42:],
        community=people.accounts[-20:],
        times=Times(
            human=tuple(_daily(rng, count=rng.randint(4, 40), low=8, high=23) for _ in range(50)),
            machine=tuple(_daily(rng, count=rng.randint(4, 40), low=0, high=24) for _ in range(50)),
        ),
    )


def _daily(rng: random.Random, *, count: int, low: int, high: int) -> tuple[int, ...]:
    return tuple(sorted(rng.randrange(WINDOW) * DAY + int(rng.uniform(low, high) * 3_600) for _ in range(count)))

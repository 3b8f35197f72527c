"""The public texts and times of one half, by what the designs use them for.

Chat prompts, questions, templates and their authors belong to the half that they have in the other benchmarks
(:func:`benchmarks.real_texts.part`). Frameworks, groups of rewordings, parallel questions and senders are units, as in
:mod:`benchmarks.world_sources`. Items of public benchmarks, passages and exercises are divided one by one, since a
design names its benchmarks and must have them in both halves. A text that occurs in units of both halves belongs to the
half of its own digest.

The tuning half has a quarter of the chat texts. Groups that need more than there are get smaller, with as many prompts
an account (:mod:`benchmarks.independent.planting`).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Final

from benchmarks.independent.tempo import WEEK, Rhythms
from benchmarks.real_texts import Half, Row, part, read
from benchmarks.world_sources import COMMON, GRADERS, HARNESSES, half_of, seconds_of
from benchmarks.world_sources import data_missing as world_missing
from harvestdetect.util.periods import DAY, HOUR

__all__ = ["Default", "Library", "data_missing", "long_texts", "read_library"]

FILES: Final = ("io_pinkslime_news",)
"""Files that this benchmark needs besides those of :mod:`benchmarks.world_sources`."""
LONGEST: Final = 3_000
"""Most characters of a default prompt."""
_ASKS: Final = re.compile(r"question|query|input")
_GIVEN: Final = re.compile(r"context|text|doc|summaries")
_ANSWERED: Final = re.compile(r"output|answer|submission")
_JUDGES: Final = re.compile(r"grad|evaluat|judg")
_USER: Final = re.compile(
    r"(?:<\|User Prompt\|>|\[User Question\]|\[Question\])\n(.*?)\n\n(?:<\||\[The Start)", re.DOTALL
)
_ANSWER: Final = re.compile(
    r"(?:The Start of Assistant(?: [AB])?'s Answer(?:\|>|\])|The Start of Assistant Answer\]?)"
    r"\n(.*?)\n(?:<\||\[)The End",
    re.DOTALL,
)
_ASKING: Final = re.compile(r"(how|what|why|is|can|i |my |where|does|anyone)")
_OTHER_SLOT: Final = re.compile(r"\{%|\{\{(?!question)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Default:
    """A default prompt of a framework."""

    framework: str
    text: str
    slots: tuple[str, ...]

    @property
    def retrieves(self) -> bool:
        """Whether it answers a question from passages."""
        return len(self.slots) == 2 and self._has(_ASKS) and self._has(_GIVEN) and not _JUDGES.search(self.text.lower())

    @property
    def grades(self) -> bool:
        """Whether it grades an answer."""
        return self.framework in GRADERS and self._has(_ASKS) and self._has(_ANSWERED) and len(self.text) < 1_500

    def _has(self, name: re.Pattern[str]) -> bool:
        return any(name.search(slot) for slot in self.slots)


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """The texts of one half; no longer text is in both halves."""

    origin: str
    pools: Mapping[str, tuple[str, ...]]
    """Kind, or kind and name as in ``bench/gsm8k`` -> texts."""
    talks: tuple[tuple[str, ...], ...]
    """What people wrote in conversations."""
    chatters: tuple[tuple[str, ...], ...]
    """The questions of each member of a chat."""
    players: tuple[tuple[tuple[float, str], ...], ...]
    """Players of a prompt game: their prompts with the seconds since the start of the game."""
    parallel: tuple[Mapping[str, str], ...]
    """Language -> the same question."""
    choices: tuple[Mapping[str, str], ...]
    """Language -> the same question with two answers."""
    defaults: tuple[Default, ...]
    harnesses: tuple[Default, ...]
    """System prompts of coding harnesses."""
    graded: tuple[tuple[str, str], ...]
    """Questions and long answers to them."""
    rhythms: Rhythms

    def names(self, kind: str) -> list[str]:
        """The pools of a kind, such as all domains of documents."""
        return [name for name in self.pools if name.startswith(f"{kind}/")]


def data_missing(data: Path) -> list[str]:
    """The names of the files that ``data`` lacks."""
    return [*world_missing(data), *(name for name in FILES if not (data / f"{name}.jsonl.gz").is_file())]


def long_texts(found: Library) -> set[str]:
    """All texts of a library from :data:`benchmarks.world_sources.COMMON` characters."""
    texts = {text for pool in found.pools.values() for text in pool}
    texts |= {text for talk in (*found.talks, *found.chatters) for text in talk}
    texts |= {text for player in found.players for _, text in player}
    texts |= {text for one in (*found.parallel, *found.choices) for text in one.values()}
    texts |= {default.text for default in (*found.defaults, *found.harnesses)}
    texts |= {text for pair in found.graded for text in pair}
    return {text for text in texts if len(text) >= COMMON}


# ---------------------------------------------------------------- halves


@dataclass(frozen=True, slots=True)
class _Text:
    """One text of a file, with its place in the library."""

    pool: str
    """Kind, or kind and name."""
    unit: str
    """Talk, author or question that it belongs to; empty where it stands alone."""
    text: str
    half: Half
    row: Row


def _by_text(row: Row) -> Half:
    return part(row["text"])


def _alone(row: Row) -> Half:
    return half_of(row["text"])


def _rewording_group(row: Row) -> str:
    return "mp/MMLU" if row["group"].startswith("mp/MMLU") else str(row["group"])


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """How the rows of a file become texts of the library."""

    pool: Callable[[Row], str]
    half: Callable[[Row], Half] = _by_text
    unit: Callable[[Row], str] = lambda row: ""
    text: Callable[[Row], str] = lambda row: str(row["text"])
    keep: Callable[[Row], bool] = lambda row: True


_FILES: Final[Mapping[str, _File]] = {
    "bench": _File(pool=lambda r: f"bench/{r['task']}", half=_alone),
    "docs": _File(pool=lambda r: f"docs/{r['domain']}", half=_alone, keep=lambda r: len(r["text"]) > 60),
    "coursework": _File(pool=lambda r: f"course/{r['course']}", half=_alone),
    "nq_questions": _File(pool=lambda r: "questions"),
    "arena_prompts": _File(pool=lambda r: "arena"),
    "arena_hard": _File(pool=lambda r: "hard"),
    "llm_judge_prompts": _File(pool=lambda r: "judged"),
    "stackoverflow_titles": _File(pool=lambda r: f"code/{r['task']}"),
    "gpteacher_distillation": _File(pool=lambda r: f"distilled/{r['task']}"),
    "fabric_patterns": _File(
        pool=lambda r: "patterns", keep=lambda r: r["kind"] == "system" and 500 < len(r["text"]) < 3_500
    ),
    "clinc150_utterances": _File(pool=lambda r: f"utterances/{r['task']}"),
    "hwu64_utterances": _File(pool=lambda r: f"utterances/{r['task']}"),
    "stackexchange_accounts": _File(
        pool=lambda r: "asked" if r["task"] == "question" else "answered",
        keep=lambda r: r["task"] == "question" or len(r["text"]) > 200,
    ),
    "promptsource_templates": _File(
        pool=lambda r: "templates", text=lambda r: r["text"].split("|||")[0],
        keep=lambda r: "{%" not in r["text"].split("|||")[0] and 40 < len(r["text"]) < 700,
    ),
    "lm_eval_templates": _File(pool=lambda r: "evaluation", keep=lambda r: _is_evaluation(r)),
    "fcc_madlib_campaign": _File(pool=lambda r: "letters"),
    "io_pinkslime_news": _File(pool=lambda r: "records", half=_alone),
    "paraphrases": _File(
        pool=lambda r: f"rewordings/{_rewording_group(r)}", half=lambda r: half_of(_rewording_group(r))
    ),
    "xquad": _File(
        pool=lambda r: f"spoken/{r['lang']}", half=lambda r: half_of(f"xquad/{r['id']}"), unit=lambda r: str(r["id"])
    ),
    "xcopa": _File(
        pool=lambda r: f"choice/{r['lang']}", half=lambda r: half_of(f"xcopa/{r['id']}"), unit=lambda r: str(r["id"]),
        text=lambda r: f"{r['text']} (1) {r['choice1']} (2) {r['choice2']}",
    ),
    "hh_human_turns": _File(pool=lambda r: "talk", unit=lambda r: str(r["conv"])),
    "irc_accounts": _File(
        pool=lambda r: "chatter", half=lambda r: part(r["user"]), unit=lambda r: str(r["user"]),
        text=lambda r: re.sub(r"^\w+[:,] ", "", r["text"]),
        keep=lambda r: len(r["text"]) > 25 and ("?" in r["text"] or bool(_ASKING.match(r["text"].lower()))),
    ),
    "native_prompt_game": _File(
        pool=lambda r: "player", half=lambda r: half_of(str(r["user"])), unit=lambda r: str(r["user"])
    ),
    "frameworks": _File(pool=lambda r: "default", half=lambda r: half_of(str(r["framework"]))),
}  # fmt: skip
"""File -> how its rows become texts."""


def _is_evaluation(row: Row) -> bool:
    """Whether a template of an evaluation harness asks a question in English, and has no other slot."""
    text = row["text"]
    return (
        "{{question}}" in text
        and text.isascii()
        and len(text) < 500
        and not _OTHER_SLOT.search(text)
        and not re.search(r"afro|afri|mgsm|global|lang", row["task"])
        and bool(re.search("[Aa]nswer|Question|Q:", text))
        and not re.search(r"in [A-Z][a-z]+ lang", text)
    )


@lru_cache(maxsize=1)
def _texts(data: Path) -> tuple[_Text, ...]:
    """All texts of the folder; one that is in two halves is kept in the half of its own digest only."""
    found = []
    halves: dict[str, set[Half]] = defaultdict(set)
    for name, file in _FILES.items():
        for row in read(data, name):
            if file.keep(row):
                one = _Text(file.pool(row), file.unit(row), file.text(row), file.half(row), row)
                halves[one.text].add(one.half)
                found.append(one)
    return tuple(
        one for one in found if len(one.text) < COMMON or len(halves[one.text]) == 1 or part(one.text) == one.half
    )


@lru_cache(maxsize=2)
def read_library(data: Path, half: Half) -> Library:
    """The public texts and times of one half."""
    pools: dict[str, dict[str, None]] = defaultdict(dict)
    units: dict[str, dict[str, list[_Text]]] = defaultdict(lambda: defaultdict(list))
    for one in _texts(data):
        if one.half == half:
            pools[one.pool][one.text] = None
            units[one.pool.split("/")[0]][one.unit].append(one)
    talk = pools.pop("talk")
    pools["lines"] = {text: None for text in talk if len(text) > 20}
    for name in ("chatter", "player", "default"):
        pools.pop(name, None)
    defaults = [_default(one.row) for one in units["default"][""]]
    usual = [d for d, one in zip(defaults, units["default"][""], strict=True) if one.row["core"] and _is_usual(d)]
    return Library(
        origin=f"public texts and times, {half} half",
        pools={name: tuple(pool) for name, pool in sorted(pools.items())},
        talks=tuple(tuple(t.text for t in turns) for _, turns in sorted(units["talk"].items())),
        chatters=tuple(tuple(t.text for t in lines) for _, lines in sorted(units["chatter"].items())),
        players=_players(units["player"]),
        parallel=_by_language(units["spoken"]),
        choices=_by_language(units["choice"]),
        defaults=tuple(usual),
        harnesses=tuple(d for d in defaults if d.framework in HARNESSES and 300 < len(d.text) < LONGEST),
        graded=_graded(data, half),
        rhythms=_rhythms(data, half),
    )


def _default(row: Row) -> Default:
    return Default(framework=row["framework"], text=row["text"], slots=tuple(row["slots"]))


def _is_usual(default: Default) -> bool:
    return 80 < len(default.text) < LONGEST


def _by_language(units: Mapping[str, list[_Text]]) -> tuple[Mapping[str, str], ...]:
    """Language -> text, of each question."""
    return tuple({one.row["lang"]: one.text for one in own} for _, own in sorted(units.items()))


def _players(units: Mapping[str, list[_Text]]) -> tuple[tuple[tuple[float, str], ...], ...]:
    rows = [[(float(seconds_of(one.row["timestamp"])), one.text) for one in own] for _, own in sorted(units.items())]
    first = min((time for own in rows for time, _ in own), default=0.0) // DAY * DAY
    return tuple(tuple(sorted((time - first, text) for time, text in own)) for own in rows if len(own) >= 3)


def _graded(data: Path, half: Half) -> tuple[tuple[str, str], ...]:
    """Questions with answers that grading prompts show; a question is in the half of its digest."""
    found: dict[str, str] = {}
    for row in read(data, "llm_judge_prompts"):
        asked = _USER.search(row["text"])
        for answer in _ANSWER.findall(row["text"]):
            if asked and len(answer) > 150:
                found.setdefault(answer, asked.group(1)[:600])
    return tuple(sorted((question, answer) for answer, question in found.items() if part(question) == half))


# ---------------------------------------------------------------- times


def _rhythms(data: Path, half: Half) -> Rhythms:
    """The times of the senders of a half."""
    people: dict[str, list[float]] = defaultdict(list)
    programs: dict[str, list[float]] = defaultdict(list)
    for row in read(data, "traces_git_commits"):
        (programs if row["kind"] == "machine" else people)[str(row["user"])].append(seconds_of(row["timestamp"]))
    service: dict[str, list[float]] = defaultdict(list)
    for row in read(data, "traces_alibaba_genai"):
        service[f"alibaba/{row['user']}"].append(seconds_of(row["timestamp"]))
    chats: dict[str, list[float]] = defaultdict(list)
    for row in read(data, "traces_mooncake_conversation"):
        chats[f"mooncake/{row['user']}"].append(float(row["timestamp"]))
    busy = sorted(_exact(row["timestamp"]) for row in read(data, "traces_azure_llm_code"))
    # without users: a hundred requests in a row are a unit
    hundreds = {f"azure/{i}": busy[i : i + 100] for i in range(0, len(busy), 100)}
    return Rhythms(
        weeks=tuple(_week(times) for times in _kept(people, half) if len(times) >= 30),
        commits=tuple(times for times in _kept(programs, half) if len(times) > 40),
        service=tuple(_kept(service, half)),
        pauses=tuple(gap for times in _kept(chats, half) for gap in _gaps(times) if gap > 3),
        gaps=tuple(gap for times in _kept(hundreds, half) for gap in _gaps(times)),
    )


def _exact(stamp: str) -> float:
    """A time with its fraction of a second."""
    return seconds_of(stamp) + float(f"0.{stamp.rstrip('Z').partition('.')[2] or 0}")


def _kept(found: Mapping[str, list[float]], half: Half) -> Iterator[tuple[float, ...]]:
    for user, times in sorted(found.items()):
        if half_of(user) == half:
            yield tuple(sorted(times))


def _gaps(times: tuple[float, ...]) -> list[float]:
    return [after - before for before, after in pairwise(times)]


def _week(times: tuple[float, ...]) -> tuple[float, ...]:
    """The share of times in each hour of a week, with a little in every hour."""
    week = [0.03 * len(times) / WEEK] * WEEK
    for time in times:
        # 1 January 1970 was a Thursday
        week[int(time // HOUR + 3 * 24) % WEEK] += 1
    return tuple(hour / sum(week) for hour in week)

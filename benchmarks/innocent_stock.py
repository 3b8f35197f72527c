"""What innocent dumps are made of: accounts with their own texts, texts by subject, request times, sentences.

Everything is of one half of the public data. Accounts of chats and forums and texts without an author belong to the
halves of :func:`benchmarks.real_texts.part`; accounts of the prompt game and of traces, frameworks and domains of
documents to those of :func:`benchmarks.world_sources.half_of`. So the halves are the same as in the other benchmarks. A
text of :data:`benchmarks.world_sources.COMMON` characters or more that is in both halves belongs to the half of its own
digest.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from benchmarks.real_texts import START, Half, Row, Trace, part, read, texts
from benchmarks.sources import WINDOW
from benchmarks.world_sources import COMMON, half_of, seconds_of
from harvestdetect.util.periods import DAY

__all__ = [
    "Account",
    "Call",
    "Clock",
    "clocks",
    "cut_sentences",
    "document_threads",
    "forum_accounts",
    "game_accounts",
    "git_accounts",
    "irc_accounts",
    "sentences",
    "service_calls",
    "threads",
]

CONVERSATION: Final = 1.6
"""Mean number of texts on one subject that are sent one after the other."""
SESSION_MEAN: Final = 4
"""Mean number of sessions of one account, where a trace names sessions and no accounts."""
LONGEST_SENTENCE: Final = 240
"""Most characters of a sentence."""
SHORTEST_SENTENCE: Final = 12
"""Least characters of a sentence."""
LEAST_WORDS: Final = 3
"""Least words of a sentence."""

Clock = tuple[int, ...]
"""Request times of one sender, in seconds since 1970, ascending, within the window."""
Call = tuple[int, int]
"""Time in seconds since 1970 and number of tokens of a request."""


@dataclass(frozen=True, slots=True)
class Account:
    """A real account."""

    circle: str
    """The channel, site or project."""
    trace: Trace
    program: bool = False


def owned(rows: Iterable[Row], half: Half, unit_half: Callable[[Row], Half]) -> list[Row]:
    """The rows of a half, without the longer texts that belong to the other half.

    Args:
        rows: with the key ``text``; those without a text are dropped.
        half: to keep.
        unit_half: names the half of a row.
    """
    kept = [(row, unit_half(row)) for row in rows if row["text"].strip()]
    halves: dict[str, set[Half]] = defaultdict(set)
    for row, own in kept:
        halves[row["text"]].add(own)
    return [
        row
        for row, own in kept
        if own == half and (len(row["text"]) < COMMON or len(halves[row["text"]]) == 1 or part(row["text"]) == half)
    ]


def by_user(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """The rows of each account, in the order of account ids."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[str(row["user"])].append(row)
    return dict(sorted(found.items()))


# ---------------------------------------------------------------- accounts with their own texts


def game_accounts(data: Path, half: Half, rng: random.Random) -> list[Account]:
    """The accounts of the prompt game; the window is moved by whole days, the same for all of them."""
    rows = owned(read(data, "native_prompt_game"), half, lambda r: half_of(str(r["user"])))
    times = [seconds_of(row["timestamp"]) for row in rows]
    first = min(times) // DAY * DAY
    spare = WINDOW - (max(times) - first) // DAY - 1
    shift = START + rng.randrange(max(1, spare + 1)) * DAY - first
    return [
        Account("game", sorted((seconds_of(row["timestamp"]) + shift, row["text"]) for row in own))
        for own in by_user(rows).values()
    ]


def irc_accounts(data: Path, half: Half, rng: random.Random) -> list[Account]:
    """The nicks of chat channels; the days of a channel are laid one after the other over the window."""
    return _over_the_window(read(data, "irc_accounts"), half, rng)


def forum_accounts(data: Path, half: Half, rng: random.Random) -> list[Account]:
    """The authors of a forum; its days are laid one after the other over the window."""
    return _over_the_window(read(data, "stackexchange_accounts"), half, rng)


def _over_the_window(rows: Sequence[Row], half: Half, rng: random.Random) -> list[Account]:
    """Accounts whose days are those of their channel, in order; the time of day stays."""
    rows = [row for row in rows if "user" in row]
    days: dict[str, set[int]] = defaultdict(set)
    for row in rows:
        if "timestamp" in row:
            days[row["source"]].add(seconds_of(row["timestamp"]) // DAY)
    place = {
        (source, day): rank * WINDOW // len(own) for source, own in days.items() for rank, day in enumerate(sorted(own))
    }
    found = []
    for own in by_user(owned(rows, half, lambda r: part(str(r["user"])))).values():
        somewhere = rng.randrange(WINDOW)
        trace: Trace = []
        for row in own:
            if "timestamp" in row:
                time = seconds_of(row["timestamp"])
                trace.append((START + place[row["source"], time // DAY] * DAY + time % DAY, row["text"]))
            else:
                hour = min(max(rng.gauss(15, 4), 0), 23.9)
                trace.append((START + somewhere * DAY + int(hour * 3_600), row["text"]))
        found.append(Account(own[0]["source"], sorted(trace)))
    return found


def git_accounts(data: Path, half: Half, rng: random.Random) -> list[Account]:
    """The people and programs of repositories, each with a stretch of its history as long as the window."""
    rows = owned(read(data, "traces_git_commits"), half, lambda r: half_of(str(r["user"])))
    found = []
    for own in by_user(rows).values():
        timed = sorted((seconds_of(row["timestamp"]), row["text"]) for row in own)
        first = rng.choice(timed)[0] // DAY * DAY
        kept = [(START + time - first, text) for time, text in timed if first <= time < first + WINDOW * DAY]
        found.append(Account(str(own[0]["service"]), kept, program=own[0]["kind"] == "machine"))
    return found


# ---------------------------------------------------------------- texts without an author


def threads(data: Path, names: Sequence[str], half: Half, rng: random.Random) -> dict[str, list[list[str]]]:
    """Texts without an author, by subject.

    Args:
        data: the folder.
        names: of files.
        half: of the texts.
        rng: of every draw.

    Returns:
        subject -> threads, each with the texts that one account sends one after the other. Turns of a conversation keep
        their order.
    """
    found: dict[str, list[list[str]]] = defaultdict(list)
    for name in names:
        if name == "hh_human_turns":
            found["talk"] += _conversations(data, half)
            continue
        subject = {row["text"]: _subject(name, row) for row in read(data, name)}
        waiting: dict[str, list[str]] = defaultdict(list)
        for text in texts(data, name, half=half, seed=rng.getrandbits(32)):
            waiting[subject[text]].append(text)
        for topic, own in sorted(waiting.items()):
            found[topic] += _cut(own, rng)
    for cut in found.values():
        rng.shuffle(cut)
    return dict(found)


def document_threads(
    data: Path, domains: re.Pattern[str], half: Half, rng: random.Random
) -> dict[str, list[list[str]]]:
    """Passages of the documents of some domains, as :func:`threads`."""
    rows = owned(read(data, "docs"), half, lambda r: half_of(str(r["domain"])))
    found: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if domains.search(row["domain"]):
            found[row["domain"]].append(row["text"])
    for own in found.values():
        rng.shuffle(own)
    return {domain: _cut(own, rng) for domain, own in sorted(found.items())}


def _subject(name: str, row: Row) -> str:
    """What a text is about: its label, or its first two words."""
    label = row.get("task")
    return f"{name}: {label or ' '.join(row['text'].split()[:2])}"


def _cut(own: Sequence[str], rng: random.Random) -> list[list[str]]:
    """Texts cut into threads of one to five."""
    found: list[list[str]] = []
    start = 0
    while start < len(own):
        size = min(5, 1 + int(rng.expovariate(1 / (CONVERSATION - 1))))
        found.append(list(own[start : start + size]))
        start += size
    return found


def _conversations(data: Path, half: Half) -> list[list[str]]:
    turns: dict[tuple[str, int], list[tuple[int, str]]] = defaultdict(list)
    for row in read(data, "hh_human_turns"):
        if part(row["text"]) == half and row["text"].strip():
            turns[row["source"], row["conv"]].append((row["turn"], row["text"]))
    return [[text for _, text in sorted(own)] for _, own in sorted(turns.items())]


# ---------------------------------------------------------------- times


def clocks(data: Path, half: Half, rng: random.Random) -> dict[str, list[Clock]]:
    """Request times of people and of programs that act for one person, by the name of their source."""
    git = git_accounts(data, half, rng)
    calls = service_calls(data, half, rng)
    found = {
        "irc": [_clock(a.trace) for a in irc_accounts(data, half, rng)],
        "forum": [_clock(a.trace) for a in forum_accounts(data, half, rng)],
        "game": [_clock(a.trace) for a in game_accounts(data, half, rng)],
        "git": [_clock(a.trace) for a in git if not a.program],
        "calls": [tuple(time for time, _ in own) for own in calls["users"]],
        "sessions": [tuple(time for time, _ in own) for own in calls["sessions"]],
    }
    return {name: own for name, own in found.items() if own}


def _clock(trace: Trace) -> Clock:
    return tuple(time for time, _ in trace)


def service_calls(data: Path, half: Half, rng: random.Random) -> dict[str, list[list[Call]]]:
    """The senders of traces of LLM services, each with its calls.

    Returns:
        ``users`` (a trace names them), ``sessions`` (a trace names sessions: an account has some of them, on days of
        its own) and ``bursts`` (the trace names nobody: a hundred requests in a row).
    """
    users: dict[str, list[Call]] = defaultdict(list)
    for row in read(data, "traces_alibaba_genai"):
        if half_of(f"alibaba/{row['user']}") == half:
            users[row["user"]].append((seconds_of(row["timestamp"]), int(row["input_tokens"])))
    sessions: dict[str, list[Call]] = defaultdict(list)
    for row in read(data, "traces_mooncake_conversation"):
        if half_of(f"mooncake/{row['user']}") == half:
            sessions[row["user"]].append((int(float(row["timestamp"])), int(row["input_tokens"])))
    bursts: dict[str, list[Call]] = defaultdict(list)
    for name in ("traces_azure_llm_code", "traces_azure_llm_conv"):
        for number, row in enumerate(read(data, name)):
            unit = f"{name}/{number // 100}"
            if half_of(unit) == half:
                bursts[unit].append((seconds_of(row["timestamp"]), int(row["input_tokens"])))
    return {
        "users": [_from_start(own) for _, own in sorted(users.items())],
        "sessions": list(_several([own for _, own in sorted(sessions.items())], rng)),
        "bursts": [_from_start(own) for _, own in sorted(bursts.items())],
    }


def _from_start(calls: Sequence[Call]) -> list[Call]:
    first = min(time for time, _ in calls) // DAY * DAY
    return sorted((START + (time - first) % (WINDOW * DAY), tokens) for time, tokens in calls)


def _several(sessions: list[list[Call]], rng: random.Random) -> Iterator[list[Call]]:
    """Accounts with a few sessions each, at about the same hour of different days."""
    rng.shuffle(sessions)
    place = 0
    while place < len(sessions):
        count = 1 + int(rng.expovariate(1 / (SESSION_MEAN - 1)))
        hour = rng.gauss(14, 4)
        calls: list[Call] = []
        for own in sessions[place : place + count]:
            first = own[0][0]
            start = rng.randrange(WINDOW) * DAY + int(min(max(hour + rng.gauss(0, 2), 0), 22) * 3_600)
            calls += [(START + start + time - first, tokens) for time, tokens in own]
        place += count
        yield sorted(calls)


# ---------------------------------------------------------------- sentences

_BY_ACCOUNT: Final = ("irc_accounts", "stackexchange_accounts", "youtube_spam_accounts")
_BY_UNIT: Final = (("native_prompt_game", "user"), ("docs", "domain"), ("frameworks", "framework"))
_BY_TEXT: Final = (
    *("hh_human_turns", "arena_prompts", "arena_hard", "nq_questions", "stackoverflow_titles", "clinc150_utterances"),
    *("hwu64_utterances", "fabric_patterns", "promptsource_templates", "app_templates"),
)
_NO_SENTENCES: Final = re.compile(r"^(git_commit|code_|sql_|finance_|sports_|dictionary_|recipes_zh)")
_END: Final = re.compile(r"(?<=[.!?])\s+|\n+")
_MARKUP: Final = re.compile(r"[{}<>|\\]|\|\|\|")


@lru_cache(maxsize=1)
def _all_sentences(data: Path) -> dict[Half, dict[str, tuple[str, ...]]]:
    """The sentences of all sources in both halves; one that is in both is in the half of its own digest."""
    found: dict[str, dict[Half, set[str]]] = {}
    for name, text, half in _texts_and_halves(data):
        own = found.setdefault(name, {"tuning": set(), "reporting": set()})
        own[half].update(cut_sentences(text))
    everywhere: dict[Half, set[str]] = {
        "tuning": set().union(*(own["tuning"] for own in found.values())),
        "reporting": set().union(*(own["reporting"] for own in found.values())),
    }
    both = everywhere["tuning"] & everywhere["reporting"]
    kept: dict[Half, dict[str, tuple[str, ...]]] = {"tuning": {}, "reporting": {}}
    for half, sources in kept.items():
        seen: set[str] = set()
        for name, own in found.items():
            chosen = {s for s in own[half] - seen if s not in both or part(s) == half}
            seen |= chosen
            sources[name] = tuple(sorted(chosen))
    return kept


def _texts_and_halves(data: Path) -> Iterator[tuple[str, str, Half]]:
    """Source, text and half of every text that sentences are taken from."""
    for name in _BY_ACCOUNT:
        for row in read(data, name):
            if "user" in row and row.get("label") != "spam":
                yield name, row["text"], part(str(row["user"]))
    for name, unit in _BY_UNIT:
        for row in read(data, name):
            if not (name == "docs" and _NO_SENTENCES.search(row["domain"])):
                yield name, row["text"], half_of(str(row[unit]))
    for name in _BY_TEXT:
        for row in read(data, name):
            yield name, row["text"], part(row["text"])


def cut_sentences(text: str) -> Iterator[str]:
    """The sentences of a text that are neither too short, too long, nor markup."""
    for piece in _END.split(text):
        sentence = " ".join(piece.split())
        long_enough = SHORTEST_SENTENCE <= len(sentence) <= LONGEST_SENTENCE
        if long_enough and len(sentence.split()) >= LEAST_WORDS and not _MARKUP.search(sentence):
            yield sentence


def sentences(data: Path, half: Half) -> dict[str, tuple[str, ...]]:
    """The distinct sentences of a half by their source, in the order of the alphabet; no sentence is in two sources."""
    return {name: own for name, own in _all_sentences(data)[half].items() if own}

"""The public texts of the benchmarks: read, split into two parts, combined with traces of accounts.

Nobody publishes which account sent which prompt when. Real chat, forum and comment accounts with their own texts and
times are moved into the window. Texts without an author are assigned by topic to accounts with the times of real ones.
"""

from __future__ import annotations

import gzip
import hashlib
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import msgspec

from harvestdetect.util.periods import DAY

__all__ = [
    "FILES",
    "START",
    "Half",
    "Row",
    "Trace",
    "cycle",
    "data_missing",
    "deal",
    "fill",
    "fill_named",
    "fixed_words",
    "part",
    "pick",
    "read",
    "slot_names",
    "slots",
    "texts",
    "traces",
]

Half: TypeAlias = Literal["tuning", "reporting"]
Row: TypeAlias = dict[str, Any]
Trace: TypeAlias = list[tuple[int, str]]
"""(time, text) of one account."""

START: Final = 1_767_225_600
"""First second of every window, 2026-01-01 in UTC."""

FILES: Final = (
    "app_templates",
    "arena_hard",
    "arena_prompts",
    "clinc150_utterances",
    "distillation_templates",
    "fabric_patterns",
    "fcc_madlib_campaign",
    "gpteacher_distillation",
    "hh_human_turns",
    "hwu64_utterances",
    "irc_accounts",
    "llm_judge_prompts",
    "lm_eval_templates",
    "nq_questions",
    "promptsource_templates",
    "stackexchange_accounts",
    "stackoverflow_titles",
    "youtube_spam_accounts",
)
ACCOUNT_FILES: Final = ("irc_accounts", "stackexchange_accounts", "youtube_spam_accounts")
"""Files that say who wrote a text."""

_ROW: Final = msgspec.json.Decoder(dict[str, Any])
_SLOT: Final = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{[A-Za-z_][\w.\[\]]*\}", re.DOTALL)


def data_missing(data: Path) -> list[str]:
    """The names of the files that ``data`` lacks."""
    return [name for name in FILES if not (data / f"{name}.jsonl.gz").is_file()]


def read(data: Path, name: str) -> list[Row]:
    """All rows of a file."""
    found: list[Row] = _ROW.decode_lines(gzip.decompress((data / f"{name}.jsonl.gz").read_bytes()))
    return found


def part(key: str) -> Half:
    """The part of the texts that a text, template or account is in."""
    return "tuning" if hashlib.blake2b(key.encode(), digest_size=4).digest()[0] < 64 else "reporting"


def texts(data: Path, name: str, *, half: Half, seed: int, keep: Callable[[Row], bool] = lambda row: True) -> list[str]:
    """The distinct texts of a file in a part, in random order."""
    found = sorted({r["text"] for r in read(data, name) if keep(r) and part(r["text"]) == half})
    random.Random(f"{name}-{seed}").shuffle(found)
    return found


# ---------------------------------------------------------------- accounts


def traces(data: Path, *, half: Half, days: int, rng: random.Random) -> list[Trace]:
    """The accounts of a part with their own texts, each moved into a window of ``days``."""
    by_account: dict[str, list[Row]] = defaultdict(list)
    for name in ACCOUNT_FILES:
        for row in read(data, name):
            if "user" in row and part(row["user"]) == half:
                by_account[row["user"]].append(row)
    return [list(_moved(by_account[user], days=days, rng=rng)) for user in sorted(by_account)]


def _moved(rows: Sequence[Row], *, days: int, rng: random.Random) -> Iterator[tuple[int, str]]:
    """Moves an account's rows into the window; the time of day and the gaps within a day stay."""
    from datetime import UTC, datetime

    shift = rng.randrange(days) * DAY
    for row in rows:
        if "timestamp" in row:
            seconds = int(datetime.fromisoformat(row["timestamp"]).replace(tzinfo=UTC).timestamp())
        else:
            seconds = int(rng.gauss(15, 4) * 3600)
        yield START + (seconds + shift) % (days * DAY), row["text"]


def pick(found: Sequence[Trace], low: int, high: int, *, rng: random.Random) -> Trace:
    """A trace with ``low`` to ``high`` rows."""
    while True:
        chosen = rng.choice(found)
        if low <= len(chosen) <= high:
            return chosen


def deal(
    data: Path,
    found: Sequence[Trace],
    *,
    half: Half,
    seed: int,
    rng: random.Random,
    account: Callable[[], str],
    hold_back: Mapping[str, int],
) -> list[tuple[str, Trace]]:
    """Texts without an author, assigned by topic to accounts with the times of real ones.

    Args:
        data: the folder.
        found: the traces whose times are borrowed.
        half: as for :func:`texts`.
        seed: as for :func:`texts`.
        rng: of every draw.
        account: makes an id.
        hold_back: the number of texts of each file that are left out, the last in the order of :func:`texts`.
    """
    pools = [
        _by_topic(data, name, half=half, seed=seed, hold_back=hold_back.get(name, 0), first_words=first, keep=keep)
        for name, first, keep in (
            ("clinc150_utterances", False, _any),
            ("hwu64_utterances", False, _any),
            ("nq_questions", True, _any),
            ("stackoverflow_titles", False, _any),
            ("arena_prompts", False, _any),
            ("arena_hard", False, _any),
            ("hh_human_turns", False, _any),
            ("fcc_madlib_campaign", False, lambda r: r["source"] == "fcc_comment_verbatim"),
        )
    ]
    dealt = []
    for pool in pools:
        while pool:
            name = account()
            rows: Trace = []
            topics = rng.sample(sorted(pool), min(len(pool), rng.choice((1, 2, 2, 3, 6))))
            for time, _ in pick(found, 1, 80, rng=rng):
                topic = rng.choice(topics)
                if pool.get(topic):
                    rows.append((time, pool[topic].pop()))
            for topic in topics:
                if not pool[topic]:
                    del pool[topic]
            dealt.append((name, rows))
    return dealt


def _any(row: Row) -> bool:
    return True


def _by_topic(
    data: Path,
    name: str,
    *,
    half: Half,
    seed: int,
    keep: Callable[[Row], bool],
    first_words: bool,
    hold_back: int,
) -> dict[str, list[str]]:
    """The texts of a file by topic, since an account asks about a few things, not about all."""
    topic = {row["text"]: str(row.get("task", "")) for row in read(data, name)}
    ordered = texts(data, name, half=half, seed=seed, keep=keep)
    found: dict[str, list[str]] = defaultdict(list)
    for text in ordered[: len(ordered) - hold_back]:
        found[" ".join(text.split()[:2]) if first_words else topic[text]].append(text)
    return dict(found)


# ---------------------------------------------------------------- templates


def slots(template: str) -> int:
    """The number of slots of a template."""
    return sum(not m.startswith("{%") for m in _SLOT.findall(template))


def fill(template: str, payloads: Iterator[str]) -> str:
    """Fills every slot of a template with the next text; statements are dropped."""
    return _SLOT.sub(lambda m: "" if m.group().startswith("{%") else next(payloads), template.split("|||")[0]).strip()


def fill_named(template: str, value: Callable[[str], str]) -> str:
    """Fills every slot of a template by its name; statements are dropped.

    Args:
        template: with slots such as ``{question}`` or ``{{ question }}``.
        value: returns the text for a slot of a name.
    """
    return _SLOT.sub(lambda m: "" if m.group().startswith("{%") else value(m.group().strip("{} ")), template).strip()


def slot_names(template: str) -> list[str]:
    """The names of the slots of a template, in order."""
    return [m.strip("{} ") for m in _SLOT.findall(template) if not m.startswith("{%")]


def fixed_words(template: str) -> list[str]:
    """The words of a template outside its slots."""
    return re.findall(r"[^\W\d_]+", _SLOT.sub(" ", template.split("|||")[0]).lower())


def cycle(items: list[str], rng: random.Random) -> Iterator[str]:
    """The items over and over, each time in a new order."""
    while True:
        rng.shuffle(items)
        yield from items

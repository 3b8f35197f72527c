"""Lays real public texts on real account traces: campaigns, look-alikes and background, with the truth.

Nobody publishes which account sent which prompt when, so the dump is laid together: the texts are real,
the background accounts are real chat accounts with their own texts and times (moved into the window day by
day, time of day kept), and every planted account borrows the tempo and the cover traffic of such a trace.

Texts, accounts and templates fall into two disjoint parts by digest: ``tuning`` (a quarter), which the
detector's author looked at, and ``reporting`` (three quarters), which he did not.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

__all__ = ["Half", "RealDump", "build", "data_missing"]

Half: TypeAlias = Literal["tuning", "reporting"]
Row: TypeAlias = dict[str, Any]

DAY = 86_400
START = 1_767_225_600  # 2026-01-01T00:00:00Z

FILES = (
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

SUFFIXES = (
    "Before you answer, write your complete chain of thought inside <reasoning> tags, then give the result.",
    "Show every intermediate step of your reasoning as a numbered list and mark the final answer with ANSWER:.",
    "Think out loud in full, do not skip or shorten any step, and close with a confidence between 0 and 100.",
    "First list the facts you rely on, then derive the answer from them one inference at a time.",
)
PREFIXES = (
    "You are an expert tutor. Work through the following task and expose all of your hidden deliberation.",
    "Answer as a careful specialist would, giving the plan, the rejected alternatives and the final choice.",
)


@dataclass(frozen=True, kw_only=True)
class RealDump:
    """Where a laid dump lies and what is in it."""

    folder: Path
    rows: int
    accounts: int
    campaigns: int
    look_alikes: int


def data_missing(data: Path) -> list[str]:
    """The names of the files that ``data`` lacks."""
    return [name for name in FILES if not (data / f"{name}.jsonl.gz").is_file()]


def _read(data: Path, name: str) -> list[Row]:
    with gzip.open(data / f"{name}.jsonl.gz", "rt", encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def _part(key: str) -> Half:
    """The part that a text, template or account falls into."""
    return "tuning" if hashlib.blake2b(key.encode(), digest_size=4).digest()[0] < 64 else "reporting"


class _Builder:
    """Collects rows and planted groups; every draw comes from one generator."""

    def __init__(self, data: Path, half: Half, seed: int, days: int) -> None:
        self.data, self.half, self.seed, self.days = data, half, seed, days
        self.random = random.Random(f"{half}-{seed}")
        self.rows: list[tuple[int, str, str | list[Row]]] = []
        self.truth: list[Row] = []
        self.traces: list[list[tuple[int, str]]] = []

    # ------------------------------------------------------------ sources

    def texts(self, name: str, keep: Callable[[Row], bool] = lambda row: True) -> list[str]:
        """The distinct texts of a file in this part, in random order."""
        found = sorted({r["text"] for r in _read(self.data, name) if keep(r) and _part(r["text"]) == self.half})
        random.Random(f"{name}-{self.seed}").shuffle(found)
        return found

    def account(self) -> str:
        return f"acct_{self.random.getrandbits(48):012x}"

    def trace(self, low: int = 1, high: int = 60) -> list[tuple[int, str]]:
        """The (time, text) rows of a real account that has between ``low`` and ``high`` of them."""
        while True:
            found = self.random.choice(self.traces)
            if low <= len(found) <= high:
                return found

    # ------------------------------------------------------------ background

    def background(self) -> None:
        by_account: dict[str, list[Row]] = defaultdict(list)
        for name in ("irc_accounts", "stackexchange_accounts", "youtube_spam_accounts"):
            for row in _read(self.data, name):
                if "user" in row and _part(row["user"]) == self.half:
                    by_account[row["user"]].append(row)
        for user in sorted(by_account):
            self.traces.append(list(self._moved(by_account[user])))
        for trace in self.traces:
            account = self.account()
            self.rows.extend((time, account, text) for time, text in trace)
        pools = [
            self._by_topic("clinc150_utterances"),
            self._by_topic("hwu64_utterances"),
            self._by_topic("nq_questions", first_words=True, hold_back=1200),
            self._by_topic("stackoverflow_titles", hold_back=1500),
            self._by_topic("arena_prompts", hold_back=120),
            self._by_topic("arena_hard", hold_back=150),
            self._by_topic("hh_human_turns"),
            self._by_topic("fcc_madlib_campaign", keep=lambda r: r["source"] == "fcc_comment_verbatim"),
        ]
        for pool in pools:
            while pool:
                account = self.account()
                topics = self.random.sample(sorted(pool), min(len(pool), self.random.choice((1, 2, 2, 3, 6))))
                for time, _ in self.trace(1, 80):
                    topic = self.random.choice(topics)
                    if pool.get(topic):
                        self.rows.append((time, account, pool[topic].pop()))
                for topic in topics:
                    if not pool[topic]:
                        del pool[topic]

    def _by_topic(
        self,
        name: str,
        *,
        keep: Callable[[Row], bool] = lambda row: True,
        first_words: bool = False,
        hold_back: int = 0,
    ) -> dict[str, list[str]]:
        """Texts of a file under what they are about: an account asks about a few things, not about all."""
        topic = {row["text"]: str(row.get("task", "")) for row in _read(self.data, name)}
        texts = self.texts(name, keep)
        found: dict[str, list[str]] = defaultdict(list)
        for text in texts[: len(texts) - hold_back]:
            found[" ".join(text.split()[:2]) if first_words else topic[text]].append(text)
        return dict(found)

    def _moved(self, rows: Sequence[Row]) -> Iterator[tuple[int, str]]:
        """Moves an account's rows into the window, time of day and gaps within a day kept."""
        from datetime import UTC, datetime

        shift = self.random.randrange(self.days) * DAY
        for row in rows:
            if "timestamp" in row:
                seconds = int(datetime.fromisoformat(row["timestamp"]).replace(tzinfo=UTC).timestamp())
            else:
                seconds = int(self.random.gauss(15, 4) * 3600)
            yield START + (seconds + shift) % (self.days * DAY), row["text"]

    def _sessions(self, count: int, first: int, last: int) -> Iterator[int]:
        """``count`` times out of a real account's trace, folded into some days of the window."""
        found: list[int] = []
        while len(found) < count:
            found.extend(time for time, _ in self.trace(min(count, 20), 200)[: count - len(found)])
        span = (last - first) * DAY
        for time in found:
            yield START + first * DAY + (time - START) % span

    # ------------------------------------------------------------ planted groups

    def plant(
        self,
        name: str,
        kind: str,
        what: str,
        prompts: Iterator[str | list[Row]] | Callable[[Iterator[str]], str | list[Row]],
        *,
        accounts: int,
        each: tuple[int, int],
        cover: float = 0.0,
        flat: bool = True,
        days: tuple[int, int] | None = None,
        heavy_tail: bool = False,
    ) -> None:
        """Spreads ``prompts`` over new accounts.

        An iterator is one list that the accounts share; a function fills what each account asks with that
        account's own texts, those of one real account.
        ``each`` bounds an account's planted prompts; ``cover`` is the share of its traffic that is a real
        account's own; ``flat`` spreads times evenly over all hours, otherwise real traces give them;
        with ``heavy_tail`` a few accounts send most, otherwise all send about as many.
        """
        first, last = days or (0, self.days)
        ids = [self.account() for _ in range(accounts)]
        used: set[str] = set()
        for account in ids:
            count = self.random.randint(*each)
            if heavy_tail:
                count = max(1, min(each[1], int(self.random.lognormvariate(0.0, 1.1) * (each[0] + 1))))
            near = iter(()) if flat else self._sessions(count, first, last)
            own = _cycle([text for _, text in self.trace(3, 80)], self.random)
            for _ in range(count):
                prompt = prompts(own) if callable(prompts) else next(prompts, None)
                if prompt is None:
                    break
                used.add(account)
                time = START + int(self.random.uniform(first, last) * DAY) if flat else next(near)
                self.rows.append((time, account, prompt))
            need = round(count * cover / (1 - cover)) if cover else 0
            while need > 0:
                for time, text in self.trace(1, 40)[:need]:
                    self.rows.append((time, account, text))
                    need -= 1
        group = next((g for g in self.truth if g["name"] == name), None)
        if group is None:
            self.truth.append({"name": name, "kind": kind, "what": what, "accounts": sorted(used)})
        else:
            group["accounts"] = sorted(used.union(group["accounts"]))


SLOT = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{[A-Za-z_][\w.\[\]]*\}", re.DOTALL)


def _slots(template: str) -> int:
    return sum(not m.startswith("{%") for m in SLOT.findall(template))


def _fill(template: str, payloads: Iterator[str]) -> str:
    """Fills every slot of a template with the next text; statements are dropped."""
    return SLOT.sub(lambda m: "" if m.group().startswith("{%") else next(payloads), template.split("|||")[0]).strip()


def _filler(template: str) -> Callable[[Iterator[str]], str]:
    return lambda own: _fill(template, own)


def _chat(system: str, user: str) -> list[Row]:
    return [{"role": "system", "content": system}, {"role": "user", "content": user}]


def _cycle(items: list[str], rng: random.Random) -> Iterator[str]:
    while True:
        rng.shuffle(items)
        yield from items


def _campaigns(b: _Builder, nq: list[str], titles: list[str]) -> None:
    rng = b.random
    short = _cycle(list(nq + titles), rng)
    suffix = SUFFIXES[0 if b.half == "tuning" else 1]
    suffix_low = SUFFIXES[2 if b.half == "tuning" else 3]
    prefix = PREFIXES[0 if b.half == "tuning" else 1]
    hard = b.texts("arena_hard")[-150:] + b.texts("arena_prompts")[-120:]
    payloads = _cycle(hard + titles, rng)

    exams = [
        t
        for t in b.texts("lm_eval_templates", lambda r: "choices" in r["text"] and r["text"].isascii())
        if 3 <= _slots(t) <= 8
    ]
    b.plant("exam", "campaign", "multiple-choice items in one exam template",
            (_fill(exams[0], short) for _ in range(10**6)),
            accounts=60, each=(5, 14), cover=0.3, flat=False)  # fmt: skip
    b.plant("suffix", "campaign", "a fixed instruction after varied payloads",
            (f"{next(payloads)}\n\n{suffix}" for _ in range(10**6)), accounts=80, each=(4, 10), cover=0.4)  # fmt: skip
    b.plant("suffix-low-share", "campaign", "a fixed instruction after varied payloads, nine tenths cover traffic",
            (f"{next(payloads)} {suffix_low}" for _ in range(10**6)), accounts=60, each=(3, 5), cover=0.9)  # fmt: skip
    b.plant("system", "campaign", "a fixed system prompt before varied questions",
            (_chat(prefix, next(payloads)) for _ in range(10**6)),
            accounts=50, each=(4, 30), cover=0.5, flat=False, heavy_tail=True)  # fmt: skip
    for kind, pool in (("roleplay", 50), ("codegen", 60)):
        tasks = b.texts("gpteacher_distillation", lambda r, kind=kind: r["task"] == kind)  # type: ignore[misc]
        b.plant(kind, "campaign", f"{kind} tasks of a distillation set, without a template", iter(tasks),
                accounts=pool, each=(6, 14), cover=0.2)  # fmt: skip
    tools = b.texts("gpteacher_distillation", lambda r: r["task"] == "toolformer")
    b.plant("toolformer", "campaign", "tool-use tasks with a fixed header", iter(tools),
            accounts=60, each=(5, 40), cover=0.3, flat=False, heavy_tail=True)  # fmt: skip
    madlib = "madlib0" if b.half == "tuning" else "madlib1"
    reworded = b.texts("fcc_madlib_campaign", lambda r: r.get("task") == madlib)
    b.plant("reworded", "campaign", "one text with every slot reworded", iter(reworded),
            accounts=60, each=(3, 8), cover=0.5, flat=False)  # fmt: skip
    grading = ("mt_bench/single-v1",) if b.half == "tuning" else ("mt_bench/pair-v2", "arena_hard/pairwise")
    judged = b.texts("llm_judge_prompts", lambda r: r["task"] in grading)
    b.plant("judge", "campaign", "rubric and pairwise grading prompts", iter(judged),
            accounts=30, each=(3, 6), cover=0.3)  # fmt: skip
    short_enough = b.texts("distillation_templates", lambda r: len(r["text"]) < 2500)
    many = [t for t in short_enough if 1 <= _slots(t) <= 6][:6]
    b.plant("templates", "campaign", "six distillation templates rotated over one pool",
            (_fill(rng.choice(many), short) for _ in range(10**6)),
            accounts=70, each=(6, 40), cover=0.3, flat=False, heavy_tail=True)  # fmt: skip
    cot = [
        t
        for t in b.texts("lm_eval_templates", lambda r: r["text"].isascii() and "choices" not in r["text"])
        if _slots(t) == 1 and len(t) > 90
    ]
    for window in ((0, 20), (22, b.days)):
        b.plant("handover", "campaign", "one template, handed over from a pool to the next",
                (_fill(cot[0], payloads) for _ in range(10**6)),
                accounts=40, each=(5, 10), cover=0.2, days=window)  # fmt: skip


def _look_alikes(b: _Builder, nq: list[str], titles: list[str]) -> None:
    rng = b.random
    private = _cycle([t for _, t in (rng.choice(b.trace(5, 60)) for _ in range(4000)) if len(t) > 30], rng)
    products = [
        t
        for t in b.texts("promptsource_templates", lambda r: len(r["text"]) > 120)
        if 1 <= _slots(t.split("|||")[0]) <= 3
    ]
    products += [
        t
        for t in b.texts("app_templates", lambda r: len(r["text"]) > 200 and "evaluation" not in r["task"])
        if 1 <= _slots(t) <= 4
    ]
    rng.shuffle(products)
    for i, size in enumerate((60, 120, 200)):
        b.plant(f"product-{i + 1}", "look-alike", "a product's fixed template behind many customers",
                _filler(products[i]), accounts=size, each=(1, 30), cover=0.2,
                flat=False, heavy_tail=True)  # fmt: skip
    scaffold = next(t for t in b.texts("fabric_patterns") if 600 < len(t) < 4000)
    b.plant("scaffold", "look-alike", "a coding assistant's system prompt before what people ask",
            lambda own: _chat(scaffold, next(own)),
            accounts=150, each=(1, 30), cover=0.3, flat=False, heavy_tail=True)  # fmt: skip
    viral = b.texts("arena_hard", lambda r: 150 < len(r["text"]) < 900)
    b.plant("viral", "look-alike", "one long text sent once by many", iter(viral[:1] * 180),
            accounts=180, each=(1, 1), cover=0.85, flat=False, days=(10, 24))  # fmt: skip
    b.plant("classroom", "look-alike", "one assignment, sent by a class before its deadline",
            (f"{viral[1]}{rng.choice(['', ' please', ' thanks', '?', ' in simple words'])}" for _ in range(10**6)),
            accounts=45, each=(1, 2), flat=False, days=(30, 33))  # fmt: skip
    bench = next(t for t in products[5:] if _slots(t.split("|||")[0]) == 2)
    questions = _cycle(list(nq), rng)
    b.plant("researcher", "look-alike", "a benchmark run by a few accounts",
            (_fill(bench, questions) for _ in range(10**6)), accounts=4, each=(120, 200), days=(5, 9))  # fmt: skip
    nightly = [_fill(products[3], private) for _ in range(12)]
    b.plant("nightly", "look-alike", "a nightly regression of fixed prompts", _cycle(nightly, rng),
            accounts=2, each=(400, 500))  # fmt: skip
    greetings = [
        "hello",
        "hi",
        "hi there",
        "test",
        "are you there?",
        "what can you do?",
        "who are you",
        "thanks",
        "continue",
        "tell me a joke",
    ]
    b.plant("greetings", "look-alike", "greetings and tester questions", _cycle(greetings, rng),
            accounts=400, each=(1, 3), cover=0.6, flat=False)  # fmt: skip


def build(folder: Path, *, data: Path, half: Half, seed: int = 0, days: int = 45) -> RealDump:
    """Writes ``prompts.jsonl.gz`` and ``truth.jsonl`` into ``folder``.

    Args:
        folder: made if absent.
        data: the folder with the public texts.
        half: which part of the sources to lay.
        seed: of every draw.
        days: length of the window.
    """
    builder = _Builder(data, half, seed, days)
    builder.background()
    nq = builder.texts("nq_questions")[-1200:]
    titles = builder.texts("stackoverflow_titles")[-1500:]
    _campaigns(builder, nq, titles)
    _look_alikes(builder, nq, titles)
    builder.rows.sort(key=lambda row: (row[0], row[1]))
    folder.mkdir(parents=True, exist_ok=True)
    with gzip.open(folder / "prompts.jsonl.gz", "wt", encoding="utf-8", compresslevel=1) as stream:
        for time, account, prompt in builder.rows:
            stream.write(json.dumps({"account": account, "timestamp": time, "prompt": prompt}) + "\n")
    with (folder / "truth.jsonl").open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(group) + "\n" for group in builder.truth)
    kinds = [group["kind"] for group in builder.truth]
    return RealDump(
        folder=folder,
        rows=len(builder.rows),
        accounts=len({row[1] for row in builder.rows}),
        campaigns=kinds.count("campaign"),
        look_alikes=kinds.count("look-alike"),
    )

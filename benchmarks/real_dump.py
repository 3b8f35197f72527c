"""Combines real public texts with traces of real accounts: campaigns, look-alikes and background, with the truth.

Nobody publishes which account sent which prompt when, so the dump is a combination. The texts are real. The background
accounts are real chat accounts with their own texts and times, moved into the window by whole days. Every planted
account takes the tempo and the cover traffic of such a trace.

Texts, accounts and templates fall into two disjoint parts by digest: ``tuning`` (a quarter), which the
detector was developed on, and ``reporting`` (three quarters), which it was not.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.real_texts import (
    START,
    Half,
    Row,
    Trace,
    cycle,
    data_missing,
    deal,
    fill,
    pick,
    slots,
    texts,
    traces,
)
from harvestdetect.util.periods import DAY

__all__ = ["Half", "RealDump", "build", "data_missing"]

HOLD_BACK = {"nq_questions": 1200, "stackoverflow_titles": 1500, "arena_prompts": 120, "arena_hard": 150}
"""Texts of each file that are kept out of the background and are planted."""

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
    """A dump on disk and what it contains."""

    folder: Path
    rows: int
    accounts: int
    campaigns: int
    look_alikes: int


class _Builder:
    """Collects rows and planted groups; every draw comes from one generator."""

    def __init__(self, data: Path, half: Half, seed: int, days: int) -> None:
        self.data, self.half, self.seed, self.days = data, half, seed, days
        self.random = random.Random(f"{half}-{seed}")
        self.rows: list[tuple[int, str, str | list[Row]]] = []
        self.truth: list[Row] = []
        self.traces: list[Trace] = []

    # ------------------------------------------------------------ sources

    def texts(self, name: str, keep: Callable[[Row], bool] = lambda row: True) -> list[str]:
        """The distinct texts of a file in this part, in random order."""
        return texts(self.data, name, half=self.half, seed=self.seed, keep=keep)

    def account(self) -> str:
        return f"acct_{self.random.getrandbits(48):012x}"

    def trace(self, low: int = 1, high: int = 60) -> Trace:
        """The (time, text) rows of a real account with ``low`` to ``high`` of them."""
        return pick(self.traces, low, high, rng=self.random)

    # ------------------------------------------------------------ background

    def background(self) -> None:
        self.traces = traces(self.data, half=self.half, days=self.days, rng=self.random)
        accounts = [(self.account(), trace) for trace in self.traces]
        accounts += deal(
            self.data, self.traces, half=self.half, seed=self.seed, rng=self.random, account=self.account,
            hold_back=HOLD_BACK,
        )  # fmt: skip
        for account, trace in accounts:
            self.rows.extend((time, account, text) for time, text in trace)

    def _sessions(self, count: int, first: int, last: int) -> Iterator[int]:
        """``count`` times of a real account, moved into some days of the window."""
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

        Many parameters because there is one for each property of a group.

        Args:
            name: of the group; several calls with one name add to one group.
            kind: ``campaign`` or ``look-alike``.
            what: the group does, in plain words.
            prompts: an iterator is one list that the accounts share. A function fills what each account asks with texts
                of one real account.
            accounts: the number of accounts.
            each: least and most planted prompts of an account.
            cover: the share of an account's traffic that is a real account's own.
            flat: whether times are spread evenly over all hours; otherwise real traces give them.
            days: first and last day; None means the whole window.
            heavy_tail: whether a few accounts send most; otherwise all send about as many.
        """
        first, last = days or (0, self.days)
        ids = [self.account() for _ in range(accounts)]
        used: set[str] = set()
        for account in ids:
            count = self.random.randint(*each)
            if heavy_tail:
                count = max(1, min(each[1], int(self.random.lognormvariate(0.0, 1.1) * (each[0] + 1))))
            near = iter(()) if flat else self._sessions(count, first, last)
            own = cycle([text for _, text in self.trace(3, 80)], self.random)
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


def _filler(template: str) -> Callable[[Iterator[str]], str]:
    return lambda own: fill(template, own)


def _chat(system: str, user: str) -> list[Row]:
    return [{"role": "system", "content": system}, {"role": "user", "content": user}]


def _campaigns(b: _Builder, nq: list[str], titles: list[str]) -> None:
    rng = b.random
    short = cycle(list(nq + titles), rng)
    suffix = SUFFIXES[0 if b.half == "tuning" else 1]
    suffix_low = SUFFIXES[2 if b.half == "tuning" else 3]
    prefix = PREFIXES[0 if b.half == "tuning" else 1]
    hard = b.texts("arena_hard")[-150:] + b.texts("arena_prompts")[-120:]
    payloads = cycle(hard + titles, rng)

    exams = [
        t
        for t in b.texts("lm_eval_templates", lambda r: "choices" in r["text"] and r["text"].isascii())
        if 3 <= slots(t) <= 8
    ]
    b.plant("exam", "campaign", "multiple-choice items in one exam template",
            (fill(exams[0], short) for _ in range(10**6)),
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
    many = [t for t in short_enough if 1 <= slots(t) <= 6][:6]
    b.plant("templates", "campaign", "six distillation templates rotated over one pool",
            (fill(rng.choice(many), short) for _ in range(10**6)),
            accounts=70, each=(6, 40), cover=0.3, flat=False, heavy_tail=True)  # fmt: skip
    cot = [
        t
        for t in b.texts("lm_eval_templates", lambda r: r["text"].isascii() and "choices" not in r["text"])
        if slots(t) == 1 and len(t) > 90
    ]
    for window in ((0, 20), (22, b.days)):
        b.plant("handover", "campaign", "one template, handed over from a pool to the next",
                (fill(cot[0], payloads) for _ in range(10**6)),
                accounts=40, each=(5, 10), cover=0.2, days=window)  # fmt: skip


def _look_alikes(b: _Builder, nq: list[str], titles: list[str]) -> None:
    rng = b.random
    private = cycle([t for _, t in (rng.choice(b.trace(5, 60)) for _ in range(4000)) if len(t) > 30], rng)
    products = [
        t
        for t in b.texts("promptsource_templates", lambda r: len(r["text"]) > 120)
        if 1 <= slots(t.split("|||")[0]) <= 3
    ]
    products += [
        t
        for t in b.texts("app_templates", lambda r: len(r["text"]) > 200 and "evaluation" not in r["task"])
        if 1 <= slots(t) <= 4
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
    bench = next(t for t in products[5:] if slots(t.split("|||")[0]) == 2)
    questions = cycle(list(nq), rng)
    b.plant("researcher", "look-alike", "a benchmark run by a few accounts",
            (fill(bench, questions) for _ in range(10**6)), accounts=4, each=(120, 200), days=(5, 9))  # fmt: skip
    nightly = [fill(products[3], private) for _ in range(12)]
    b.plant("nightly", "look-alike", "a nightly regression of fixed prompts", cycle(nightly, rng),
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
    b.plant("greetings", "look-alike", "greetings and tester questions", cycle(greetings, rng),
            accounts=400, each=(1, 3), cover=0.6, flat=False)  # fmt: skip


def build(folder: Path, *, data: Path, half: Half, seed: int = 0, days: int = 45) -> RealDump:
    """Writes ``prompts.jsonl.gz`` and ``truth.jsonl`` into ``folder``.

    Args:
        folder: made if absent.
        data: the folder with the public texts.
        half: the part of the texts to use.
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

"""The reference event, a tenth of its rows per account: is one campaign of 25,000 accounts found as one?

    python -m benchmarks.event [--scale 1.0] [--accounts 25000] [--rows-per-account 116] [--benign 7000000]
        [--encoder fast] [--work DIR] [--seed 0] [--docs FILE] [--json FILE] [--options="--memory 12"]

The campaign that a letter of June 2026 alleges: about 25,000 accounts, over 28.8 million prompts, 45 days. Here each
account sends a tenth of that. It is planned by :func:`plan_event` among the background and the look-alikes of
:mod:`benchmarks.laying`; a scan is measured as in :mod:`benchmarks.scale`.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Final

import msgspec
import numpy as np

from benchmarks.laying import DAYS, START, Laid, apart, read_laid, tell, write_laid
from benchmarks.pages import ran_on, write_section
from benchmarks.scale import Scanned, number, scan, table, warm
from harvestdetect.simulate.evaluate import ReportedFinding, evaluate, read_findings, read_truth
from harvestdetect.simulate.grammar import Parts, Sweep
from harvestdetect.simulate.groups import make_plan
from harvestdetect.simulate.harvest import GRADING, SUFFIXES, SWEEPS, SYSTEMS, Form
from harvestdetect.simulate.people import GRAMMAR, Person, Text, question, write
from harvestdetect.simulate.plan import Plan, PlantedGroup, Writer, launch_of, proxies_of
from harvestdetect.simulate.traffic import Account, Network, human_times, machine_times
from harvestdetect.util.arrays import Ints
from harvestdetect.util.periods import DAY

__all__ = ["CAMPAIGN", "TEMPLATES", "Judged", "Pool", "judge", "lay", "main", "open_pools", "plan_event", "tables"]


CAMPAIGN: Final = "reference-event"
"""Name of the campaign in the truth."""
ACCOUNTS: Final = 25_000
"""Accounts of the campaign at scale 1."""
ROWS_PER_ACCOUNT: Final = 116
"""Mean number of harvest prompts of an account: 2.6 a day for 45 days."""
BENIGN: Final = 7_000_000
"""Rows of the background and the look-alikes."""
ACCOUNTS_PER_LINE: Final = 1_500
"""Accounts per line. A line is a series of pools, each of which takes over from the one before."""
FEWEST_LINES: Final = 3
"""Least number of lines."""
MOST_POOLS: Final = 3
"""Most pools of a line; the number is drawn."""
OPENING: Final = 0.4
"""Share of the window after which the last line has begun."""
UNEVEN: Final = 0.5
"""Standard deviation of the logarithm of the work of the accounts of a pool."""
COVERED: Final = 0.15
"""Share of the accounts that people use too."""
COVER: Final = (0.1, 0.5)
"""Range of the share of such an account's rows that people send."""


def _with(form: Form, payload: str, *free: str) -> Form:
    """A form with a payload below it, so that its sweep does not run out."""
    return replace(form, text=f"{form.text}\n\n{payload}", free=(*form.free, *free))


TEMPLATES: Final[tuple[Form, ...]] = (
    *SWEEPS,
    _with(SWEEPS[0], "{y_code}", "y_code"),
    _with(SWEEPS[1], "{y_text}", "y_text"),
    _with(SWEEPS[2], "{paragraph}", "paragraph"),
    _with(SWEEPS[4], "{paragraph}", "paragraph"),
    *SUFFIXES,
    SUFFIXES[0],
    *GRADING,
    SYSTEMS[0],
)
"""The sixteen forms of the campaign's templates, with seven capability targets. The six plain sweeps run out at full
size, so their texts repeat, as where one question is asked for many answers. The others are new every time."""


# ---------------------------------------------------------------- the plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Accounts on one infrastructure that work together."""

    accounts: list[int]
    begin: int
    stop: int


def plan_event(plan: Plan, *, accounts: int, rows: int, seed: int, start: int, end: int) -> None:
    """Adds the event to a plan: its accounts, what they harvest, their cover and the group.

    Lines begin one after another in the first part of the window. In each, a pool of accounts works and hands over to
    the next. A pool signs up within days, has a few hosting networks, shared proxies and clients of its own, and its
    own tempo. All pools use one list of templates with uneven weights. Within a pool, work is assigned at random with
    uneven weights. People use some of the accounts too (:data:`COVERED`).

    Args:
        plan: the plan that the event is added to.
        accounts: of the campaign, at least 10.
        rows: harvest prompts, at least one for each account.
        seed: of every draw.
        start: the first second of the window, since 1970.
        end: the last one.
    """
    dice = np.random.Generator(np.random.PCG64([seed, 25_000]))
    words = Random(f"event-{seed}")
    launch = launch_of(start, end)
    pools = [
        pool
        for sizes, bounds in _lines(dice, accounts=accounts, start=start, end=end)
        for pool in open_pools(plan.network, dice, sizes, bounds, launch=launch)
    ]
    members = [a for pool in pools for a in pool.accounts]
    weights = np.exp(dice.normal(0.0, UNEVEN, accounts))
    counts: Ints = 1 + dice.multinomial(rows - accounts, weights / weights.sum()).astype(np.int64)
    times, who, sessions = [], [], []
    at = 0
    for pool in pools:
        dealt = dice.permutation(np.repeat(np.arange(len(pool.accounts)), counts[at : at + len(pool.accounts)]))
        at += len(pool.accounts)
        tempo = ("steady", "waves", "ramp")[int(dice.integers(3))]
        times.append(machine_times(dice, count=len(dealt), start=pool.begin, end=pool.stop, tempo=tempo))
        who.append(np.asarray(pool.accounts, dtype=np.int64)[dealt])
        single = bool(dice.random() < 0.5)
        first = plan.new_sessions(len(dealt) if single else len(pool.accounts))
        sessions.append(first + (np.arange(len(dealt)) if single else dealt))
    time = np.concatenate(times)
    # one list of work for all pools, in the order of time
    queue = np.empty(rows, dtype=np.int64)
    queue[np.argsort(time, kind="stable")] = np.arange(rows)
    plan.add(_harvest_writer(words), time, np.concatenate(who), queue, np.concatenate(sessions))
    covered = _cover(plan, dice, np.asarray(members, dtype=np.int64), counts, start=start, end=end)
    what = "one harvest by many templates, on pools of accounts that take over from one another"
    plan.groups.append(PlantedGroup(CAMPAIGN, "campaign", what, members))
    plan.counts["harvest_prompts"] += rows
    plan.counts["cover_prompts"] += covered


def _lines(dice: np.random.Generator, *, accounts: int, start: int, end: int) -> list[tuple[Ints, Ints]]:
    """For each line, the accounts of its pools, int64[p]; and when each begins and the last stops, int64[p + 1]."""
    count = max(FEWEST_LINES, round(accounts / ACCOUNTS_PER_LINE))
    lines = []
    for line in range(count):
        size = accounts * (line + 1) // count - accounts * line // count
        begin = start + int((line + dice.random()) / count * OPENING * (end - start)) if line else start
        pools = min(int(dice.integers(1, MOST_POOLS + 1)), size)
        lengths = dice.uniform(0.6, 1.4, pools)
        ends = np.cumsum(lengths) / lengths.sum()
        bounds = begin + (np.concatenate([[0.0], ends]) * (end - begin)).astype(np.int64)
        upto = np.rint(ends * size).astype(np.int64)
        lines.append((np.diff(upto, prepend=0), bounds))
    return lines


def open_pools(network: Network, dice: np.random.Generator, sizes: Ints, bounds: Ints, *, launch: int) -> list[Pool]:
    """Opens the accounts of a line, each pool on an infrastructure of its own."""
    pools = []
    for size, begin, stop in zip(sizes.tolist(), bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        if not size:
            continue
        proxies = proxies_of(network, dice, size)
        agents = network.clients(int(dice.integers(1, 4)))
        chat = bool(dice.random() < 0.3)
        accounts = []
        for _ in range(size):
            picked = [proxies[int(i)] for i in dice.integers(0, len(proxies), 6)]
            account = network.open(
                asns=[int(picked[0].split(".")[1])],
                addresses=picked,
                agents=[agents[int(dice.integers(len(agents)))]],
                api=True,
                created=begin - int(dice.uniform(0.2, 4.0) * DAY),
                chat=chat,
                newest=True,
            )
            network.accounts[account].moves = launch + int(dice.random() * DAY)
            accounts.append(account)
        pools.append(Pool(accounts=accounts, begin=begin, stop=stop))
    return pools


def _harvest_writer(words: Random) -> Writer:
    """A writer that fills one of the campaign's templates; how often each is used is drawn too."""
    made: list[tuple[Parts, Sweep | None, str | None]] = []
    for form in TEMPLATES:
        if form in SYSTEMS:
            made.append((GRAMMAR.compile("{y_long}"), None, GRAMMAR.fill(GRAMMAR.compile(form.text), words)))
        else:
            parts = GRAMMAR.freeze(form.text, words, keep=form.sweep + form.free)
            made.append((parts, Sweep(GRAMMAR, form.sweep, words) if form.sweep else None, None))
    weights = list(accumulate(words.lognormvariate(0.0, UNEVEN) for _ in made))

    def writer(account: Account, item: int, session: int, random: Random) -> Text:
        parts, sweep, system = random.choices(made, cum_weights=weights)[0]
        text = GRAMMAR.fill(parts, random, {"y_life": question(random)} if sweep is None else sweep.at(item, random))
        text = text[:1].upper() + text[1:]
        if system is not None:
            return [{"role": "system", "content": system}, {"role": "user", "content": text}]
        return [{"role": "user", "content": text}] if account.chat else text

    return writer


def _cover(plan: Plan, dice: np.random.Generator, members: Ints, counts: Ints, *, start: int, end: int) -> int:
    """Adds what people send from some of the accounts; returns the number of rows.

    Args:
        plan: the stream is added to it.
        dice: of all draws.
        members: int64[a], the campaign's accounts.
        counts: int64[a], the harvest prompts of each.
        start: the first second of the window, since 1970.
        end: the last one.
    """
    used = dice.random(len(members)) < COVERED
    share = dice.uniform(*COVER, len(members))
    own = np.where(used, np.rint(counts * share / (1.0 - share)), 0).astype(np.int64)
    accounts = [plan.network.accounts[a] for a in members.tolist()]
    sent = human_times(
        dice,
        counts=own,
        created=np.array([a.created for a in accounts], dtype=np.int64),
        zones=np.array([a.zone for a in accounts], dtype=np.int64),
        window=(start, end),
        first_session=plan.sessions,
    )
    plan.new_sessions(int(sent.session[-1]) + 1 - plan.sessions if len(sent.session) else 0)
    plan.add(_people_writer, sent.time, members[sent.who], sent.position, sent.session)
    return int(own.sum())


def _people_writer(account: Account, item: int, session: int, random: Random) -> Text:
    if account.person is None:
        account.person = Person(random, chat=account.chat)
    return write(account.person, random, session=session, position=item)


def lay(folder: Path, *, accounts: int, rows_per_account: int, benign: int, seed: int) -> Laid:
    """Writes ``dump/*.jsonl.gz``, ``truth.jsonl`` and ``laid.json``, unless the folder has a dump already.

    Args:
        folder: made when it does not exist.
        accounts: of the campaign, at least 10.
        rows_per_account: mean number of harvest prompts of an account, at least 1, without the cover.
        benign: rows of the background and the look-alikes, at least 250.
        seed: of every draw.
    """
    known = read_laid(folder)
    if known is not None:
        return known
    begun = time.perf_counter()
    end = START + DAYS * DAY
    plan = make_plan(prompts=benign, harvest_share=0.0, campaigns=0, seed=seed, start=START, end=end)
    plan_event(plan, accounts=accounts, rows=accounts * rows_per_account, seed=seed, start=START, end=end)
    return write_laid(folder, plan, seed=seed, begun=begun)


# ---------------------------------------------------------------- what was found


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The cost of a scan, and how it judged the campaign. A finding counts at review or above."""

    scanned: Scanned
    findings: int
    """Counted findings with an account of the campaign."""
    largest_share: float
    """The largest share of the campaign's accounts in one counted finding; 0 where there is none."""
    largest_precision: float | None
    """The share of that finding's accounts that are the campaign's."""
    tier: str | None
    """The tier of that finding."""
    first: str | None
    last: str | None
    """The time of its last prompt, as ``campaigns.jsonl`` has it."""
    account_recall: float
    """The share of the campaign's accounts in any counted finding."""
    account_precision: float | None
    """The share of the accounts of all counted findings that are the campaign's."""
    alarms: int
    """Counted findings with less than half of their accounts in the campaign."""
    alarms_urgent: int
    """The urgent ones among them."""


def judge(folder: Path, scanned: Scanned) -> Judged:
    """How the scan in ``out`` judged the campaign in ``truth.jsonl``.

    Raises:
        InputError: a file is missing or malformed.
    """
    truth = read_truth(folder)
    planted = next(group.accounts for group in truth if group.name == CAMPAIGN)
    found = read_findings(folder / "out")
    scores = evaluate(found, truth)
    holding = [f for f in found if f.tier in scores.tiers and f.accounts & planted]

    def in_common(finding: ReportedFinding) -> int:
        return len(finding.accounts & planted)

    largest = max(holding, key=in_common, default=None)
    days: dict[str, tuple[str, str]] = {}
    if largest is not None:
        with (folder / "out" / "campaigns.jsonl").open(encoding="utf-8") as lines:
            for row in map(json.loads, lines):
                days[row["campaign_id"]] = (row["first_seen"], row["last_seen"])
    first, last = (None, None) if largest is None else days[largest.campaign_id]
    return Judged(
        scanned=scanned,
        findings=len(holding),
        largest_share=0.0 if largest is None else in_common(largest) / len(planted),
        largest_precision=None if largest is None else in_common(largest) / len(largest.accounts),
        tier=None if largest is None else largest.tier,
        first=first,
        last=last,
        account_recall=scores.account_recall or 0.0,
        account_precision=scores.account_precision,
        alarms=scores.alarms,
        alarms_urgent=scores.alarms_urgent,
    )


def tables(judged: Judged, *, command: str) -> str:
    """The results in Markdown: the dump and the scan, how the campaign was judged, the cost of each stage."""
    scanned = judged.scanned
    laid = scanned.laid
    dump = table(
        (
            "rows", "harvest", "accounts", "characters", "repeated", "seconds", "processor seconds", "rows/s", "peak MB"
        ),
        [
            [
                f"{laid.rows:,}", f"{laid.harvest:,}", f"{laid.accounts:,}", f"{laid.characters:.0f}",
                f"{laid.repeated:.2f}", f"{scanned.seconds:,.1f}", f"{scanned.processor_seconds:,.1f}",
                f"{laid.rows / scanned.seconds:,.0f}", f"{scanned.peak_memory_mb:,.0f}",
            ]
        ],
    )  # fmt: skip
    found = table(
        (
            "findings", "recall of the largest", "its precision", "tier", "first day", "last day",
            "account recall", "account precision", "alarms (urgent)",
        ),
        [
            [
                f"{judged.findings}", number(judged.largest_share), number(judged.largest_precision),
                judged.tier or "-", _day(judged.first), _day(judged.last),
                number(judged.account_recall), number(judged.account_precision),
                f"{judged.alarms} ({judged.alarms_urgent})",
            ]
        ],
    )  # fmt: skip
    stages = table(
        ("stage", "seconds", "rows/s", "peak MB"),
        [
            [name, f"{seconds:,.1f}", f"{laid.rows / seconds:,.0f}" if seconds > 0 else "-", f"{peak:,.0f}"]
            for name, (seconds, peak) in scanned.stages.items()
        ],
    )
    return (
        f"`{command}`, {ran_on(scanned.versions)}.\n\n{dump}\n"
        "The first column counts the findings at review or above that contain accounts of the campaign. Account recall "
        "and precision cover all findings at review or above. An alarm is such a finding with fewer than half of its "
        "accounts in the campaign.\n\n"
        f"{found}\n{stages}"
    )


def _day(stamp: str | None) -> str:
    return "-" if stamp is None else stamp[:10]


# ---------------------------------------------------------------- the command


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scale", type=float, default=1.0, help="share of the accounts and of the benign rows to lay")
    parser.add_argument("--accounts", type=int, default=ACCOUNTS, help="of the campaign, at scale 1")
    parser.add_argument("--rows-per-account", type=int, default=ROWS_PER_ACCOUNT, help="harvest prompts of each, mean")
    parser.add_argument("--benign", type=int, default=BENIGN, help="rows beside the campaign's, at scale 1")
    parser.add_argument("--encoder", choices=("fast", "auto", "full"), default="fast")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--options", default="", help="further options of harvestdetect scan, in one word")
    parser.add_argument("--work", type=Path, help="keep the dump, models and results in this folder")
    parser.add_argument("--docs", type=Path, help="Markdown file whose section event is replaced")
    parser.add_argument("--json", type=Path, help="write all results here too")
    chosen = parser.parse_args(arguments)
    accounts, benign = round(chosen.accounts * chosen.scale), round(chosen.benign * chosen.scale)
    if accounts < 10 or benign < 250 or chosen.rows_per_account < 1:
        parser.error("at least 10 accounts with a row each and 250 benign rows")
    with tempfile.TemporaryDirectory() as scratch:
        work = chosen.work or Path(scratch)
        work.mkdir(parents=True, exist_ok=True)
        cache = warm(work, encoder=chosen.encoder)
        folder = work / f"event-{accounts}-by-{chosen.rows_per_account}-in-{benign}-seed-{chosen.seed}"
        laid = apart(
            lay, folder, accounts=accounts, rows_per_account=chosen.rows_per_account, benign=benign, seed=chosen.seed
        )
        tell(laid)
        scanned = scan(folder, laid, encoder=chosen.encoder, cache=cache, options=shlex.split(chosen.options))
        judged = judge(folder, scanned)
    print(f"{laid.rows:,} rows scanned in {scanned.seconds:,.1f} s", file=sys.stderr)
    command = (
        f"python -m benchmarks.event --scale {chosen.scale:g} --accounts {chosen.accounts} "
        f"--rows-per-account {chosen.rows_per_account} --benign {chosen.benign} --encoder {chosen.encoder} "
        f"--seed {chosen.seed}"
    )
    if chosen.options:
        command += f' --options="{chosen.options}"'
    text = tables(judged, command=command)
    print(text)
    if chosen.docs:
        write_section(chosen.docs, "event", text)
    if chosen.json:
        chosen.json.write_bytes(msgspec.json.format(msgspec.json.encode(asdict(judged))))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

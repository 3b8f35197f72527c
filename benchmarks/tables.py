"""The sections of docs/benchmarks.md that the recall benchmark writes."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from benchmarks.pages import ran_on
from benchmarks.results import COUNTED, OURS, Interval, JudgedGroup, Result, interval, wilson
from benchmarks.scenarios import CENTRE, EVASIONS, GRID, LOOK_ALIKES, Scenario

__all__ = ["render_parts"]

HOW: Final = {
    "bootstrap": "95 % bootstrap over seeds",
    "wilson": "95 % Wilson interval over campaigns",
    "range": "minimum and maximum over seeds",
}
SCENARIOS: Final = {s.name: s for s in (*GRID, *EVASIONS)}


def render_parts(results: Sequence[Result], *, command: str) -> dict[str, str]:
    """Part -> Markdown, for the parts that were run."""
    make: dict[str, Callable[[Sequence[Result]], list[str]]] = {
        "grid": _grid,
        "evasions": _evasions,
        "look-alikes": _look_alikes,
        "benign": _benign,
        "days": _days,
        "ablations": _ablations,
    }
    found = {}
    for part, lines in make.items():
        own = [r for r in results if r.part == part]
        laid = [r for r in own if not r.left_out]
        if not own:
            continue
        head = []
        if laid:
            versions = next((r.versions for r in laid if r.versions), {})
            head = [f"`{command} --part {part}` on {ran_on(versions)}. Texts: {laid[0].origin}.", ""]
        head += [f"Left out: {r.dump}, seed {r.seed}: {r.left_out}.\n" for r in _ours(own) if r.left_out]
        found[part] = "\n".join([*head, *(lines(laid) if laid else [])]) + "\n"
    return found


# ---------------------------------------------------------------- helpers


def _ours(results: Iterable[Result]) -> list[Result]:
    return [r for r in results if r.detector == OURS]


def _by_seed(results: Iterable[Result], value: Callable[[Result], float | None]) -> Interval | None:
    values_by_seed: dict[int, list[float]] = defaultdict(list)
    for r in results:
        if (v := value(r)) is not None:
            values_by_seed[r.seed].append(v)
    return interval(values_by_seed)


def _groups(
    results: Iterable[Result],
    keep: Callable[[JudgedGroup], bool],
    value: Callable[[JudgedGroup], float | None],
    *,
    counts: bool = False,
) -> Interval | None:
    values_by_seed: dict[int, list[float]] = defaultdict(list)
    for r in results:
        for g in r.groups:
            if g.kind == "campaign" and keep(g) and (v := value(g)) is not None:
                values_by_seed[r.seed].append(v)
    return interval(values_by_seed, counts=counts)


def _recall(results: Iterable[Result], keep: Callable[[JudgedGroup], bool]) -> Interval | None:
    return _groups(results, keep, lambda g: float(g.found), counts=True)


def _covered(results: Iterable[Result], keep: Callable[[JudgedGroup], bool]) -> Interval | None:
    return _groups(results, keep, lambda g: g.covered / g.accounts)


def _pooled(
    results: Sequence[Result], part: Callable[[Result], int], whole: Callable[[Result], int]
) -> Interval | None:
    """A ratio of sums by seed."""
    values_by_seed: dict[int, list[float]] = {}
    for seed in sorted({r.seed for r in results}):
        own = [r for r in results if r.seed == seed]
        if total := sum(map(whole, own)):
            values_by_seed[seed] = [sum(map(part, own)) / total]
    return interval(values_by_seed)


def _alarms(result: Result, tiers: Sequence[str] = COUNTED) -> int:
    return sum(f.false and f.tier in tiers for f in result.findings)


def _show(value: Interval | None) -> str:
    return "–" if value is None else str(value)


def _intervals_note(values: Iterable[Interval | None]) -> str:
    used = sorted({v.how for v in values if v is not None})
    if not used:
        return ""
    reason = "" if "bootstrap" in used else " There are too few seeds to resample."
    return "In brackets: " + " or ".join(HOW[how] for how in used) + f".{reason}"


def _tiers(groups: Sequence[JudgedGroup]) -> str:
    """``urgent 2, review 1``; a dash counts those in no finding."""
    counts: dict[str, int] = {}
    for tier in ("urgent", "review", "watch", "–"):
        if n := sum((g.tier or "–") == tier for g in groups):
            counts[tier] = n
    return ", ".join(f"{tier} {n}" for tier, n in counts.items())


def _campaigns(results: Iterable[Result], scenario: str) -> list[JudgedGroup]:
    return [g for r in results for g in r.groups if g.kind == "campaign" and g.scenario == scenario]


def _required(group: JudgedGroup) -> bool:
    return SCENARIOS[group.scenario].required


def _at_share(share: float) -> Callable[[JudgedGroup], bool]:
    return lambda g: _required(g) and SCENARIOS[g.scenario].share == share


# ---------------------------------------------------------------- grid


def _summary(results: Sequence[Result]) -> list[str]:
    ours = _ours(results)
    summary: list[tuple[str, Interval | None, str]] = [
        ("campaign recall, at least 60 accounts with 3 prompts each", _recall(ours, _required), "0.95"),
        ("the same, at 10 % harvest share", _recall(ours, _at_share(0.1)), "0.9"),
        ("the same, at 5 % harvest share", _recall(ours, _at_share(0.05)), "0.8"),
        ("campaign recall, all scenarios", _recall(ours, lambda g: True), ""),
        ("account recall, at least 60 accounts with 3 prompts each", _covered(ours, _required), "0.9"),
        ("account precision", _pooled(ours, lambda r: r.flagged_guilty, lambda r: r.flagged), "0.98"),
        ("account precision, recommended only", _by_seed(ours, lambda r: r.recommended_precision), ""),
        ("ranking average precision", _by_seed(ours, lambda r: r.average_precision), "0.98"),
        (
            "alarms per 100,000 benign prompts",
            _pooled(ours, lambda r: 100_000 * _alarms(r), lambda r: r.benign_rows),
            "",
        ),
    ]
    lines = ["| measure, at urgent + review | mean (interval) | goal |", "|---|---:|---:|"]
    lines += [f"| {name} | {_show(value)} | {goal} |" for name, value, goal in summary]
    urgent = sum(_alarms(r, ("urgent",)) for r in ours)
    behind = sum(r.look_alikes_urgent for r in ours)
    lines += [
        f"| false findings at urgent, all seeds | {urgent} | 0 |",
        f"| look-alikes at urgent, all seeds | {behind} | 0 |",
    ]
    return [*lines, "", _intervals_note(v for _, v, _ in summary), ""]


def _row(results: Sequence[Result], scenario: str, first: str, others: Sequence[str]) -> str | None:
    ours = _campaigns(_ours(results), scenario)
    if not ours:
        return None
    low, high = wilson(sum(g.found for g in ours), len(ours))
    precision = [g.precision for g in ours if g.precision is not None]
    cells = [
        first,
        f"{sum(g.found for g in ours)}/{len(ours)} ({low:.2f}–{high:.2f})",
        f"{statistics.fmean(g.covered / g.accounts for g in ours):.2f}",
        f"{statistics.fmean(precision):.2f}" if precision else "–",
        _tiers(ours),
    ]
    for name in others:
        theirs = _campaigns((r for r in results if r.detector == name), scenario)
        cells.append(f"{sum(g.found for g in theirs)}/{len(theirs)}" if theirs else "–")
    return "| " + " | ".join(cells) + " |"


def _table(results: Sequence[Result], rows: Sequence[tuple[str, str]], heads: str, columns: int) -> list[str]:
    """One line per (first cells, scenario)."""
    others = sorted({r.detector for r in results} - {OURS})
    lines = [
        f"| {heads} | found | accounts found | precision | tiers |" + "".join(f" {name} |" for name in others),
        "|" + "---|" * columns + "---:|---:|---:|---|" + "---:|" * len(others),
    ]
    return [*lines, *(line for first, name in rows if (line := _row(results, name, first, others)) is not None)]


def _grid(results: Sequence[Result]) -> list[str]:
    rows: list[tuple[str, str]] = []
    for factor, level in CENTRE.levels.items():
        own = [(lvl, s) for s in GRID for f, lvl in s.levels.items() if f == factor]
        rows += [(f"{factor} | {lvl}{' (centre)' if s is CENTRE else ''}", s.name) for lvl, s in own if level]
    corners = [s for s in GRID if not s.levels]
    lines = [*_summary(results), *_table(results, rows, "factor | level", 2), ""]
    lines += [*_table(results, [(s.what, s.name) for s in corners], "corner", 1), ""]
    lines += _beside(results)
    return lines + _false_discoveries(_ours(results))


def _beside(results: Sequence[Result]) -> list[str]:
    """What other detectors do over the same dumps as a whole."""
    names = sorted({r.detector for r in results} - {OURS})
    if not names:
        return []
    lines = [
        "| detector | campaign recall | account recall | account precision | ranking AP | alarms per 100,000 |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name in (OURS, *names):
        own = [r for r in results if r.detector == name]
        cells = (
            _recall(own, lambda g: True),
            _covered(own, lambda g: True),
            _pooled(own, lambda r: r.flagged_guilty, lambda r: r.flagged),
            _by_seed(own, lambda r: r.average_precision),
            _pooled(own, lambda r: 100_000 * _alarms(r), lambda r: r.benign_rows),
        )
        lines.append(f"| {name} | " + " | ".join(_show(c) for c in cells) + " |")
    return [*lines, ""]


def _false_discoveries(results: Sequence[Result]) -> list[str]:
    """Share of false findings among those at review and above, against what their q-values say."""
    found = [f for r in results for f in r.findings if f.tier in COUNTED and f.q is not None]
    lines = ["| q at most | findings (urgent + review) | false | false share | mean stated q |"]
    lines.append("|---:|---:|---:|---:|---:|")
    for limit in (1e-6, 1e-4, 1e-3, 0.01, 0.05):
        own = [f for f in found if f.q is not None and f.q <= limit]
        if own:
            false = sum(f.false for f in own)
            low, high = wilson(false, len(own))
            stated = statistics.fmean(f.q for f in own if f.q is not None)
            share = f"{false / len(own):.3f} ({low:.3f}–{high:.3f})"
            lines.append(f"| {limit:g} | {len(own)} | {false} | {share} | {stated:.2g} |")
    return [*lines, ""]


# ---------------------------------------------------------------- the other parts


def _evasions(results: Sequence[Result]) -> list[str]:
    lines = _table(results, [(f"{s.name}: {s.what}", s.name) for s in EVASIONS], "evasion", 1)
    missed = [s for s in EVASIONS if (own := _campaigns(_ours(results), s.name)) and not all(g.found for g in own)]
    return [*lines, "", _missed(missed, results), ""]


def _missed(scenarios: Sequence[Scenario], results: Sequence[Result]) -> str:
    if not scenarios:
        return "None is missed in any seed."
    missed = []
    for s in scenarios:
        own = _campaigns(_ours(results), s.name)
        missed.append(f"{s.name} in {sum(not g.found for g in own)} of {len(own)}")
    return "Missed: " + ", ".join(missed) + "."


def _look_alikes(results: Sequence[Result]) -> list[str]:
    names = [OURS, *sorted({r.detector for r in results} - {OURS})]
    lines = ["| look-alike | accounts | without metadata | with metadata |" + "".join(f" {n} |" for n in names[1:])]
    lines.append("|---|---:|---|---|" + "---:|" * (len(names) - 1))
    for look in LOOK_ALIKES:
        planted = [(r, g) for r in results for g in r.groups if g.name == look.name]
        if not planted:
            continue
        cells = [
            _tiers([g for r, g in planted if r.detector == OURS and r.metadata == metadata]) or "not planted"
            for metadata in (False, True)
        ]
        for name in names[1:]:
            theirs = [g for r, g in planted if r.detector == name]
            cells.append(f"alarm {sum(g.found for g in theirs)}/{len(theirs)}" if theirs else "–")
        lines.append(f"| {look.kind}: {look.what} | {look.accounts} | " + " | ".join(cells) + " |")
    ours = _ours(results)
    urgent, review = (sum(_alarms(r, (tier,)) for r in ours) for tier in COUNTED)
    behind = sum(r.look_alikes_urgent for r in ours)
    note = (
        f"Findings in {len(ours)} dumps without a campaign: {urgent} urgent, {review} review. Look-alikes at urgent: "
        f"{behind}. A cell counts dumps by the highest tier of a finding that consists mostly of the look-alike's "
        "accounts or contains most of them. A dash means that there is no such finding."
    )
    lines += ["", note]
    return [*lines, ""]


def _benign(results: Sequence[Result]) -> list[str]:
    rows = sum(r.benign_rows for r in results)
    lines = [
        f"{len(results)} dumps without planted groups, {rows:,} prompts.",
        "",
        "| tier | findings | per 100,000 prompts |",
    ]
    lines.append("|---|---:|---:|")
    for tier in ("urgent", "review", "watch"):
        count = sum(f.tier == tier for r in results for f in r.findings)
        lines.append(f"| {tier} | {count} | {100_000 * count / max(1, rows):.2f} |")
    return [*lines, ""]


def _days(results: Sequence[Result]) -> list[str]:
    lines = ["| campaign | found | median days until found (min–max) |", "|---|---:|---:|"]
    for name in dict.fromkeys(g.scenario for r in results for g in r.groups if g.kind == "campaign"):
        own = _campaigns(results, name)
        days = sorted(g.days for g in own if g.days is not None)
        span = f"{statistics.median(days):.1f} ({days[0]:.1f}–{days[-1]:.1f})" if days else "–"
        lines.append(f"| {SCENARIOS[name].what} | {len(days)}/{len(own)} | {span} |")
    return [
        *lines,
        "",
        "Days are counted from the first harvest prompt to the end of the first prefix of the dump in which the "
        "campaign is found.",
        "",
    ]


def _ablations(results: Sequence[Result]) -> list[str]:
    lines = [
        "| dump | variant | campaign recall | at urgent | account recall | account precision | ranking AP | alarms |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for dump in dict.fromkeys(r.dump for r in results):
        for variant in dict.fromkeys(r.variant for r in results if r.dump == dump):
            own = [r for r in results if r.dump == dump and r.variant == variant]
            cells = (
                _recall(own, lambda g: True),
                _groups(own, lambda g: True, lambda g: float(g.found and g.tier == "urgent"), counts=True),
                _covered(own, lambda g: True),
                _pooled(own, lambda r: r.flagged_guilty, lambda r: r.flagged),
                _by_seed(own, lambda r: r.average_precision),
            )
            lines.append(
                f"| {dump} | {variant} | " + " | ".join(_show(c) for c in cells) + f" | {sum(map(_alarms, own))} |"
            )
    return [*lines, ""]

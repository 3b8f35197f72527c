"""Runs a drill: a plain scan, then scans of the same dump with planted campaigns."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final

from harvestdetect.context import Progress, open_context
from harvestdetect.data import TIERS, Batch, Detection, Tier
from harvestdetect.drill.grid import Plan, Trial, levels_of, make_plan
from harvestdetect.drill.hosts import Hosts
from harvestdetect.drill.planting import SHARED_FIELDS, DrillCampaign, planted
from harvestdetect.drill.result import (
    FACTOR_NAMES,
    NEVER_TRIED,
    Drill,
    Level,
    Outcome,
    blind_spots,
    design_text,
    level_text,
    levels_found,
    subject_of,
)
from harvestdetect.drill.rounds import in_rounds
from harvestdetect.drill.survey import Survey
from harvestdetect.drill.texts import Author, Texts
from harvestdetect.errors import InputError, SettingsError
from harvestdetect.pipeline import run_scan
from harvestdetect.report.format import plural
from harvestdetect.settings import Settings
from harvestdetect.simulate.evaluate import Planted, evaluate, found_of

__all__ = ["PER_SCAN", "drill"]

PER_SCAN: Final = 12
"""Most campaigns in one scan, unless the caller chooses."""
MOST_PER_SCAN: Final = 1_000
"""Largest number that the caller may choose."""
COUNTED: Final[tuple[Tier, ...]] = ("urgent", "review")
"""Tiers at which a campaign counts as found."""

Read = Callable[[], AbstractContextManager[Iterable[Batch]]]
"""Opens the dump; gives the same prompts each time."""


def drill(
    read: Read,
    *,
    settings: Settings | None = None,
    trials: int | None = None,
    per_scan: int = PER_SCAN,
    fixed: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    notes: Callable[[str], None] | None = None,
    check: Callable[[Detection], None] | None = None,
) -> Drill:
    """Plants campaigns into a copy of a dump in memory, and finds out which of them a scan finds.

    Many parameters because there is one for each choice of the caller.

    The dump is scanned once as it is. Accounts of findings of this scan, at any tier, are never hosts of planted
    campaigns. Then it is scanned several times with planted campaigns. Nothing of them is written to a disk, except
    temporary files of a scan. A work folder in the settings is not used: planted prompts would stay in it, and a scan
    that carries on clusters of an earlier one is not the first scan of its dump.

    Args:
        read: opens the dump; called once for each scan, must give the same prompts each time.
        settings: of the scans; ``seed`` is also the seed of everything that is planted. None takes the defaults.
        trials: number of campaigns; None takes a number by which each level is tried four times.
        per_scan: most campaigns in one scan.
        fixed: factor -> its only level, see :data:`harvestdetect.drill.grid.FACTORS`.
        progress: opens progress bars; None shows none.
        notes: receives the notes of the first scan, and a sentence about each further scan.
        check: called with the first scan before anything is planted; it may raise.

    Raises:
        InputError: the dump has no prompts, or no campaign can be planted into it.
        SettingsError: ``trials``, ``per_scan`` or ``fixed`` is out of its range, or as for
            :func:`harvestdetect.detect`.
        CalibrationError, EncoderError, NeedsMemoryError, ScratchError: as for
            :func:`harvestdetect.detect`.
    """
    began = time.perf_counter()
    settings, fixed = (settings or Settings()).replace(make_map=False), fixed or {}
    if not 1 <= per_scan <= MOST_PER_SCAN:
        raise SettingsError(f"trials per scan must be from 1 to {MOST_PER_SCAN:,}, got {per_scan}")
    levels_of(fixed, infrastructure=True)  # reports a wrong level before a long scan
    tell = notes or (lambda sentence: None)
    if settings.work is not None:
        tell("a drill uses no work folder, so that no planted prompt stays in it")
        settings = settings.replace(work=None)
    plain, survey = _first_scan(read, settings, progress, notes, check)
    hosts = Hosts(survey, {member.account for finding in plain.findings for member in finding.members})
    plan = _planned(survey, hosts, fixed, trials=trials, seed=settings.seed)

    def scan(campaigns: Sequence[DrillCampaign]) -> Detection:
        with read() as batches:
            source = planted(batches, campaigns, survey, seed=settings.seed)
            return run_scan(source, open_context(settings, progress=progress)).detection

    sessions = _Sessions(plan, hosts, survey, settings.seed, per_scan=per_scan, scan=scan, tell=tell)
    outcomes = sessions.run()
    return _result(plain, survey, sessions, outcomes, fixed=fixed, seconds=time.perf_counter() - began)


def _first_scan(
    read: Read,
    settings: Settings,
    progress: Progress | None,
    notes: Callable[[str], None] | None,
    check: Callable[[Detection], None] | None,
) -> tuple[Detection, Survey]:
    """Scans the dump as it is, and collects what planting needs to know of it."""
    survey = Survey()
    with read() as batches:
        plain = run_scan(survey.watch(batches), open_context(settings, progress=progress, notes=notes)).detection
    if check is not None:
        check(plain)
    survey.finish()
    if not survey.rows:
        raise InputError("the dump has no prompts to plant campaigns among")
    return plain, survey


def _planned(survey: Survey, hosts: Hosts, fixed: Mapping[str, Any], *, trials: int | None, seed: int) -> Plan:
    """The trials that the dump has room for; at least one."""
    levels = levels_of(fixed, infrastructure=any(name in survey.fields for name in SHARED_FIELDS))
    plan = make_plan(levels, trials=trials, seed=seed, impossible=hosts.impossible)
    if not plan.trials:
        reasons = "; ".join(dict.fromkeys(one.reason for one in plan.skipped))
        raise InputError(f"no campaign can be planted into this dump: {reasons}")
    return plan


def _result(
    plain: Detection,
    survey: Survey,
    sessions: _Sessions,
    outcomes: tuple[Outcome, ...],
    *,
    fixed: Mapping[str, Any],
    seconds: float,
) -> Drill:
    """What the outcomes say."""
    plan = sessions.plan
    levels = levels_found(plan, outcomes)
    numbers = {outcome.trial.number for outcome in outcomes}
    unplaced = tuple(trial for trial in plan.trials if trial.number not in numbers)
    return Drill(
        plan=plan,
        outcomes=outcomes,
        unplaced=unplaced,
        levels=levels,
        blind_spots=blind_spots(plan, levels),
        not_tried=_not_tried(plan, levels, unplaced, survey, fixed),
        scans=sessions.scans,
        repeated=len(sessions.apart),
        set_aside=len({member.account for finding in plain.findings for member in finding.members}),
        prompts=plain.counts["prompts"],
        accounts=len(survey.accounts),
        seconds=round(seconds, 1),
        seed=sessions.seed,
        settings=plain.settings,
        versions=plain.versions,
        files=tuple(file.name for file in plain.files),
        notes=(*plain.notes, *_too_small(plan, plain.settings.get("min_accounts"))),
    )


class _Sessions:
    """The scans with planted campaigns of one drill."""

    def __init__(
        self,
        plan: Plan,
        hosts: Hosts,
        survey: Survey,
        seed: int,
        *,
        per_scan: int,
        scan: Callable[[Sequence[DrillCampaign]], Detection],
        tell: Callable[[str], None],
    ) -> None:
        texts = Texts([row.text for row in survey.sample], seed=seed)
        self.plan, self.seed = plan, seed
        self._hosts, self._survey = hosts, survey
        self._authors: dict[int, Author] = {trial.number: texts.author(trial) for trial in plan.trials}
        self._per_scan, self._scan, self._tell = per_scan, scan, tell
        self.scans = 0
        """Scans so far."""
        self.apart: dict[int, set[int]] = {}
        """Number of a missed trial that is planted again -> the trials that a finding mixed it with."""

    def run(self) -> tuple[Outcome, ...]:
        """Scans until every trial has its outcome."""
        outcomes: dict[int, Outcome] = {}
        for campaigns in self._rounds(self.plan.trials):
            found, mixed = self._one(campaigns)
            outcomes |= {one.trial.number: one for one in found}
            for group, missed in mixed:
                for number in missed:
                    self.apart.setdefault(number, set()).update(group - {number})
        again = [trial for trial in self.plan.trials if trial.number in self.apart]
        for campaigns in self._rounds(again):
            outcomes |= {one.trial.number: one for one in self._one(campaigns)[0]}
        return tuple(outcomes[number] for number in sorted(outcomes))

    def _rounds(self, trials: Sequence[Trial]) -> list[list[DrillCampaign]]:
        rounds = in_rounds(
            trials, self._authors, self._hosts, self._survey, seed=self.seed, per_scan=self._per_scan,
            apart=self.apart,
        )  # fmt: skip
        if rounds:
            what = "once more, apart from each other," if self.apart else "in all,"
            self._tell(f"{plural(len(trials), 'campaign')} to plant {what} in {plural(len(rounds), 'scan')}")
        return rounds

    def _one(self, campaigns: Sequence[DrillCampaign]) -> tuple[list[Outcome], list[tuple[set[int], set[int]]]]:
        """The outcomes of one scan; for each finding that mixed trials, their numbers and those of the missed ones."""
        self.scans += 1
        detection = self._scan(campaigns)
        truth = [
            Planted(
                name=str(one.trial.number), kind="campaign", what="",
                accounts=frozenset(host.account for host in one.cast.hosts),
            )
            for one in campaigns
        ]  # fmt: skip
        found = found_of(detection)
        counted = evaluate(found, truth, tiers=COUNTED).rows
        every = evaluate(found, truth, tiers=TIERS).rows
        strong = [one.accounts for one in found if one.tier in COUNTED]
        flagged = frozenset[str]().union(*strong)
        outcomes = [
            _outcome(
                campaign, scan=self.scans, tier=best.tier, found=strict.found, seen=best.found,
                inside=not strict.found
                and any(2 * len(group.accounts & one) >= len(group.accounts) for one in strong),
                recall=len(group.accounts & flagged) / len(group.accounts),
            )
            for campaign, group, strict, best in zip(campaigns, truth, counted, every, strict=True)
        ]  # fmt: skip
        missed = {outcome.trial.number for outcome in outcomes if not outcome.found}
        within = [
            {int(group.name) for group in truth if 2 * len(group.accounts & one.accounts) >= len(group.accounts)}
            for one in found
        ]
        mixed = [(numbers, numbers & missed) for numbers in within if len(numbers) > 1]
        hits = sum(outcome.found for outcome in outcomes)
        self._tell(f"scan {self.scans}: {hits} of {plural(len(outcomes), 'planted campaign')} found")
        return outcomes, mixed


def _outcome(
    campaign: DrillCampaign, *, scan: int, tier: Tier | None, found: bool, seen: bool, inside: bool, recall: float
) -> Outcome:
    hosts = campaign.cast.hosts
    kinds = Counter(min(len(host.sources), 2) for host in hosts)
    return Outcome(
        trial=campaign.trial,
        accounts=len(hosts),
        prompts=campaign.cast.harvest,
        own=sum(host.own for host in hosts),
        real=kinds[1],
        joined=kinds[2],
        new=kinds[0],
        scan=scan,
        tier=tier,
        found=found,
        seen=seen,
        inside=inside,
        account_recall=recall,
    )


def _too_small(plan: Plan, min_accounts: Any) -> tuple[str, ...]:
    """A note if campaigns have fewer accounts than a finding needs."""
    small = [size for size in plan.levels["accounts"] if isinstance(min_accounts, int) and size < min_accounts]
    if not small:
        return ()
    sizes = ", ".join(f"{size:,}" for size in small)
    return (
        f"campaigns of {sizes} accounts cannot be found, because a finding needs at least {min_accounts:,} accounts "
        "(min_accounts)",
    )


def _not_tried(
    plan: Plan, levels: Sequence[Level], unplaced: Sequence[Trial], survey: Survey, fixed: Mapping[str, Any]
) -> tuple[str, ...]:
    """Sentences about what the drill says nothing about."""
    sentences = []
    for one in plan.skipped:
        if one.factor is None:
            what = f"Campaigns at the centre ({design_text(one.design)})"
        else:
            what = subject_of(one.factor, getattr(one.design, one.factor))
        sentences.append(f"{what} were not tried: {one.reason}.")
    left_out = {(one.factor, getattr(one.design, one.factor)) for one in plan.skipped if one.factor is not None}
    idle = [
        f"{FACTOR_NAMES[level.factor]} {level_text(level.factor, level.value)}"
        for level in levels
        if not level.alone.tried and (level.factor, level.value) not in left_out
    ]
    if idle:
        sentences.append(f"There were no trials left for these levels: {'; '.join(idle)}. Ask for more trials.")
    if unplaced:
        sentences.append(f"{plural(len(unplaced), 'trial')} could not be planted, because too few accounts were left.")
    if not any(name in survey.fields for name in SHARED_FIELDS) and "infrastructure" not in fixed:
        names = ", ".join(SHARED_FIELDS)
        sentences.append(
            f"Campaigns that share addresses were not tried: the dump has none of the fields {names}. "
            "With one of them, groups that share infrastructure may be found as well."
        )
    if survey.span is None:
        sentences.append("The dump has no times, so tempo made no difference: machine and human tempo are the same.")
    for name, value in fixed.items():
        levels_tried = f"{FACTOR_NAMES[name]} than {level_text(name, value)}"
        sentences.append(f"Other levels of {levels_tried} were not tried, because it was fixed.")
    sentences.append(f"No drill plants {NEVER_TRIED}.")
    return tuple(sentences)

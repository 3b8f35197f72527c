"""The staff of one organisation with one tool: shops that report, a desk with a queue, departments with an assistant.

Staff share what campaigns share, for innocent reasons: a form or an instruction, the same kind of texts, a plan of
work, hours, a network, a card, a client, and the day when the accounts were opened. All of it is drawn for each
organisation.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Literal, NamedTuple

from benchmarks.real_texts import START, cycle
from benchmarks.sources import WINDOW
from benchmarks.world_plan import Innocent
from benchmarks.world_scene import Scene
from benchmarks.world_texts import Material, chunks, own_instruction, question_on
from harvestdetect.util.periods import DAY, HOUR

__all__ = ["plant_staff"]

MOST: Final = 60
"""Most prompts of one account."""
_FIELDS: Final = (
    *("Date", "Site", "Shift", "Visitors", "Takings", "Staff on duty", "Incidents", "Stock low", "Weather", "Customer"),
    *("Order no", "Reason", "Product", "Quantity", "Unit", "Condition", "Defect", "Machine", "Downtime (min)", "Cause"),
    *("Ticket", "Priority", "Channel", "Sentiment", "Agent", "Duration", "Outcome", "Follow-up", "Amount", "Supplier"),
    *("Name", "Role", "Period", "Strengths", "Goals", "Rating", "Rooms", "Floor", "Area m2", "Price", "Viewing"),
)
"""Names of the fields of a form."""
_CHOICES: Final = (
    *(("yes", "no"), ("low", "medium", "high"), ("early", "late", "night"), ("phone", "email", "chat", "shop")),
    *(("none",), ("ok", "worn", "broken"), ("open", "closed", "pending"), ("sunny", "rain", "cold", "windy")),
)
"""Values of fields with few values."""
_BEGIN: Final = ("together", "departments", "long ago")
"""When the staff of an organisation get their accounts."""
_SHAPES: Final = ("hours", "hours", "report", "season")
"""When they send: over the working day, at a fixed hour, or much within a few days."""

_EVEN: Final = (0.05, 0.25)
"""Spread of the logarithms of the accounts' numbers of prompts, where everybody reports once a day."""
_UNEVEN: Final = (0.25, 1.0)
"""The same where some have more work than others."""


class _Plan(NamedTuple):
    """How the staff of one organisation work."""

    begins: list[float]
    """The first working day of each account."""
    end: float
    """Last day."""
    shape: Literal["hours", "report", "season"]
    opens: float
    """Hour of the day, in UTC, at which work begins."""
    days: int
    """Working days of a week, from Monday on."""


def plant_staff(scene: Scene, group: Innocent) -> tuple[str, list[str]]:
    """Plants the staff of one organisation; what they are, and their accounts."""
    rng, ids = scene.rng, scene.ground.identities
    plan = _drawn(group.accounts, rng)
    trade = scene.texts.documents[rng.choice(sorted(scene.texts.documents))]
    material = Material.of(trade, rng)
    ask = [own_instruction(material, rng) for _ in range(rng.choice((1, 1, 1, 2, 3)))]
    work = _work(scene, trade, queue=ids is not None)
    training = [material.question(rng) for _ in range(rng.randint(1, 4))] if rng.random() < 0.35 else []
    mean, spread = rng.uniform(4, 14), rng.uniform(*(_EVEN if plan.shape == "report" else _UNEVEN))
    share = rng.choice((1.0, rng.uniform(0.6, 1.0)))
    identities = ids.staff(plan.begins) if ids is not None else [None] * group.accounts
    found = []
    for identity, begin in zip(identities, plan.begins, strict=True):
        account = scene.ground.open(identity)
        pieces = work()
        count = min(MOST, max(1, round(mean * rng.lognormvariate(0, spread))))
        for number, time in enumerate(_times(plan, begin, count + len(training), rng)):
            if number < len(training):
                scene.send(account, time, training[number])
            elif rng.random() < share:
                scene.send(account, time, rng.choice(ask)(next(pieces)))
            else:
                scene.send(account, time, material.question(rng))
        found.append(account)
    return "staff of one organisation with one tool", found


def _drawn(count: int, rng: random.Random) -> _Plan:
    """When the staff of one organisation begin and work."""
    shape: Literal["hours", "report", "season"] = rng.choice(_SHAPES)
    length = rng.uniform(3, 10) if shape == "season" else math.exp(rng.uniform(math.log(8), math.log(WINDOW)))
    start = rng.uniform(0, WINDOW - length)
    begin = rng.choice(_BEGIN)
    if begin == "departments":
        groups = rng.randint(2, 6)
        first = [start + 0.7 * length * (number * groups // count) / groups for number in range(count)]
    else:
        first = [start + (rng.expovariate(1 / (0.1 * length)) if begin == "together" else 0.0) for _ in range(count)]
    return _Plan(
        begins=[min(day, start + length - 1.5) for day in first],
        end=start + length,
        shape=shape,
        opens=rng.uniform(0, 23),
        days=rng.choice((5, 5, 5, 6, 7)),
    )


def _times(plan: _Plan, begin: float, count: int, rng: random.Random) -> list[int]:
    """Times of one account, ascending, in seconds since 1970."""
    every = range(int(begin), max(int(begin) + 1, math.ceil(plan.end)))
    days = [day for day in every if (START // DAY + day + 3) % 7 < plan.days] or list(every)
    late = rng.gauss(0, 0.7)
    found = []
    for _ in range(count):
        hour = rng.gauss(8.5, 0.4) if plan.shape == "report" else rng.uniform(0, 4) + rng.choice((0, 0, 4.5))
        found.append(START + rng.choice(days) * DAY + int((plan.opens + late + hour) * HOUR))
    return sorted(min(max(time, START), START + WINDOW * DAY - 1) for time in found)


def _work(scene: Scene, trade: Sequence[str], *, queue: bool) -> Callable[[], Iterator[str]]:
    """What the staff put into their tool; each call is for one more account.

    Args:
        scene: of the world.
        trade: documents of the organisation's field.
        queue: whether to choose texts that the staff divide among themselves more often.
    """
    rng = scene.rng
    kind = rng.choice(("form", "form", "own", "texts", "texts" if queue else "own"))
    if kind == "texts":
        dealt = cycle([piece for text in trade for piece in chunks(text, rng)], rng)
        return lambda: dealt
    if kind == "own":
        return lambda: cycle(list(Material.of(trade, rng).pieces), rng)
    names = rng.sample(_FIELDS, rng.randint(4, 9))
    kinds = [rng.choice(("number", "number", "choice", "words", "note")) for _ in names]
    choices = [rng.choice(_CHOICES) for _ in names]
    between = rng.choice(("\n", "; ", " | "))

    def forms() -> Iterator[str]:
        material = Material.of(trade, rng)
        own = [rng.choice(choice) for choice in choices]
        level = [10 ** rng.uniform(0.5, 3.5) for _ in names]
        while True:
            values = {
                "number": lambda i: f"{level[i] * rng.lognormvariate(0, 0.3):.{i % 2}f}",
                "choice": lambda i: own[i] if rng.random() < 0.5 else rng.choice(choices[i]),
                "words": lambda i: question_on(material.piece(rng), ("{}", "{} {}"), rng),
                "note": lambda i: material.piece(rng)[: rng.randint(20, 160)],
            }
            yield between.join(
                f"{name}: {values[kind](i)}" for i, (name, kind) in enumerate(zip(names, kinds, strict=True))
            )

    return forms

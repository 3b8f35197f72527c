"""A small generative grammar: rules with alternatives, and slots that name further rules.

A slot is written in braces: ``{noun}`` is any alternative of the rule ``noun``, ``{^noun}`` the same with a
capital, ``{a:noun}`` with its article, ``{^a:noun}`` with both, ``{#3-90}`` a whole number from 3 to 90.
A value that the caller *bound* to the name of a rule is used instead of the rule, so that one person keeps one
city, and one prompt one subject.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from random import Random
from typing import Final, NamedTuple, TypeAlias

__all__ = ["Grammar", "Parts", "Sweep"]

_SLOT: Final = re.compile(r"\{(\^?(?:a:)?)([a-z_]+[0-9]?)\}|\{#([0-9]+)-([0-9]+)\}")

_UNBOUND: Final[Mapping[str, str]] = {}


class _Slot(NamedTuple):
    name: str
    form: str
    """``^`` (capital), ``a:`` (article), both or neither."""


class _Number(NamedTuple):
    low: int
    span: int


Parts: TypeAlias = tuple[str | _Slot | _Number, ...]
"""A compiled text: literals, slots and numbers in turn."""


class Grammar:
    """Compiled rules.

    Args:
        rules: name -> alternatives.

    Raises:
        KeyError: an alternative names a rule that does not exist.
        ValueError: an alternative has a brace that is not part of a slot.
    """

    def __init__(self, rules: Mapping[str, Sequence[str]]) -> None:
        self._rules: dict[str, tuple[Parts, ...]] = {
            name: tuple(self.compile(text) for text in texts) for name, texts in rules.items()
        }
        for alternatives in self._rules.values():
            for parts in alternatives:
                for part in parts:
                    if isinstance(part, _Slot):
                        self._rules[part.name]
                    elif isinstance(part, str) and ("{" in part or "}" in part):
                        raise ValueError(f"not a slot: {part!r}")

    def compile(self, text: str) -> Parts:
        """Compiles a text in slot notation."""
        parts: list[str | _Slot | _Number] = []
        at = 0
        for match in _SLOT.finditer(text):
            if match.start() > at:
                parts.append(text[at : match.start()])
            at = match.end()
            form, name, low, high = match.groups()
            if name:
                parts.append(_Slot(name, form))
            else:
                parts.append(_Number(int(low), int(high) - int(low) + 1))
        if at < len(text) or not parts:
            parts.append(text[at:])
        return tuple(parts)

    def alternatives(self, name: str) -> tuple[Parts, ...]:
        """The alternatives of a rule."""
        return self._rules[name]

    def draw(self, name: str, random: Random, bound: Mapping[str, str] = _UNBOUND) -> str:
        """A random alternative of a rule, filled."""
        alternatives = self._rules[name]
        return self.fill(alternatives[int(random.random() * len(alternatives))], random, bound)

    def fill(self, parts: Parts, random: Random, bound: Mapping[str, str] = _UNBOUND) -> str:
        """A compiled text with every slot filled."""
        if len(parts) == 1 and type(parts[0]) is str:
            return parts[0]
        filled: list[str] = []
        for part in parts:
            if type(part) is str:
                filled.append(part)
            elif type(part) is _Slot:
                value = bound.get(part.name)
                if value is None:
                    alternatives = self._rules[part.name]
                    value = self.fill(alternatives[int(random.random() * len(alternatives))], random, bound)
                if part.form:
                    value = _formed(value, part.form)
                filled.append(value)
            elif type(part) is _Number:
                filled.append(str(part.low + int(random.random() * part.span)))
        return "".join(filled)

    def freeze(self, text: str, random: Random, *, keep: Collection[str]) -> Parts:
        """A compiled text with every slot filled, except the slots named in ``keep``."""
        stay = {name: "{" + name + "}" for name in keep}
        return self.compile(self.fill(self.compile(text), random, stay))


def _formed(value: str, form: str) -> str:
    if value[:1] == "{":  # a slot that stays
        return "{" + form + value[1:]
    if form != "^":
        value = ("an " if value[:1] in "aeiouAEIOU" else "a ") + value
    return value[:1].upper() + value[1:] if form[0] == "^" else value


class Sweep:
    """All combinations of the alternatives of some rules, in a scattered order; each occurs once before any repeats.

    Args:
        grammar: has the rules.
        names: the rules that are swept together.
        random: of the order.
        share: of the alternatives of each rule that are swept, drawn at random.
    """

    def __init__(self, grammar: Grammar, names: Sequence[str], random: Random, *, share: float = 1.0) -> None:
        self._grammar = grammar
        self._axes = [(name, grammar.alternatives(name)) for name in names]
        if share < 1.0:
            self._axes = [
                (name, tuple(random.sample(values, max(1, round(share * len(values)))))) for name, values in self._axes
            ]
        self.size = math.prod(len(values) for _, values in self._axes)
        self._step = next(
            step
            for step in (random.randrange(1, max(self.size, 2)) for _ in range(10_000))
            if math.gcd(step, self.size) == 1
        )
        self._first = random.randrange(self.size)

    def at(self, item: int, random: Random) -> dict[str, str]:
        """The text of each name for one item; ``random`` fills the slots inside an alternative."""
        left = (self._first + item * self._step) % self.size
        values = {}
        for name, alternatives in self._axes:
            left, which = divmod(left, len(alternatives))
            values[name] = self._grammar.fill(alternatives[which], random)
        return values

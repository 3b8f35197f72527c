"""Moves a constant of the package to another value for a while, wherever it is used.

A constant that was imported by name is a name in every module that did so; other constants, tables and defaults of
parameters may be computed from it. All of them follow.
"""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, Final

from benchmarks.constants import PACKAGE, SETTINGS, UNITS, Constant, defined, modules

__all__ = ["BOUNDS", "HALF", "MOVES", "TWICE", "cannot_move", "moved", "moved_value", "value_of"]

HALF: Final = "half"
TWICE: Final = "twice"
MOVES: Final = {HALF: 0.5, TWICE: 2.0}
"""The two moves and what they multiply by."""
LOWEST: Final = "lowest"
HIGHEST: Final = "highest"
BOUNDS: Final = (LOWEST, HIGHEST)
"""Moves as far as the unit allows: they show whether a rule is ever used."""
FAR: Final = 20
"""What a number without a bound is multiplied by to be out of reach; more would take too much memory."""
SMALL: Final = 1e-3
"""Probability below which the logarithm is what moves: half of 1e-6 would change next to nothing."""


def moved_value(constant: Constant, value: Any, move: str) -> Any:
    """The value of a constant after a move: in the range of its unit, whole where it was whole.

    Of a probability below :data:`SMALL` the logarithm is moved: 1e-6 becomes 1e-3 or 1e-12. A tuple or a mapping is
    moved element by element.

    Args:
        constant: which.
        value: that it has.
        move: one of :data:`MOVES` or :data:`BOUNDS`.

    Returns:
        the value, or None where the constant cannot move that way.
    """
    low, high = UNITS[constant.unit]

    def one(number: float) -> float:
        if move in BOUNDS:
            far = max(low, -FAR * abs(number)), high if high <= 2 else min(high, FAR * abs(number))
            new = far[BOUNDS.index(move)]
            return round(new) if isinstance(number, int) else float(new)
        if constant.unit == "probability" and 0 < number < SMALL:
            return float(number ** MOVES[move])
        new = min(max(number * MOVES[move], low), high)
        return round(new) if isinstance(number, int) else new

    new: Any
    if isinstance(value, tuple):
        new = tuple(map(one, value))
    elif isinstance(value, dict):
        new = {key: one(number) for key, number in value.items()}
    else:
        new = one(value)
    return None if new == value else new


@contextmanager
def moved(constant: Constant, value: Any) -> Iterator[None]:
    """Gives a constant another value inside a ``with`` block; fields of the settings are left to the caller.

    Raises:
        ValueError: something depends on the constant that cannot be moved with it.
    """
    if constant.module == SETTINGS:
        yield
        return
    if reason := cannot_move(constant):
        raise ValueError(reason)
    _load_all()
    undo: list[tuple[Any, str, Any]] = []
    try:
        _move(f"{PACKAGE}.{constant.module}", constant.name, value, undo)
        _forget()
        yield
    finally:
        for holder, name, old in reversed(undo):
            setattr(holder, name, old)
        _forget()


def cannot_move(constant: Constant) -> str:
    """Why a constant cannot be moved; empty where it can.

    The default of a dataclass's field is fixed when the class is made.
    """
    for module, name in _names_of(f"{PACKAGE}.{constant.module}", constant.name):
        for node in ast.walk(_tree(module)):
            if isinstance(node, ast.ClassDef):
                for field in node.body:
                    if isinstance(field, ast.Assign | ast.AnnAssign) and field.value and name in _used(field.value):
                        return f"{constant} is the default of a field of {module}.{node.name}"
    return ""


def _move(module: str, name: str, value: Any, undo: list[tuple[Any, str, Any]]) -> None:
    """Sets a name of a module, and all that is computed from it there and wherever it was imported."""
    for user, known_as in _names_of(module, name):
        holder = sys.modules[user]
        undo.append((holder, known_as, getattr(holder, known_as)))
        setattr(holder, known_as, value)
    for user, known_as in _names_of(module, name):
        holder = sys.modules[user]
        for node in _tree(user).body:
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value and known_as in _used(node.value):
                target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                if isinstance(target, ast.Name):
                    _move(user, target.id, _computed(node.value, holder), undo)
            elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                _move_defaults(node, holder, holder, known_as, undo)


def _move_defaults(
    node: ast.FunctionDef | ast.ClassDef,
    owner: ModuleType | type,
    holder: ModuleType,
    name: str,
    undo: list[tuple[Any, str, Any]],
) -> None:
    """Sets the defaults of the parameters that are computed from a name, of a function or a class's methods."""
    if isinstance(node, ast.ClassDef):
        for inner in node.body:
            if isinstance(inner, ast.FunctionDef):
                _move_defaults(inner, getattr(owner, node.name), holder, name, undo)
        return
    arguments = node.args
    defaults = [*arguments.defaults, *(d for d in arguments.kw_defaults if d is not None)]
    if not any(name in _used(default) for default in defaults):
        return
    function = getattr(owner, node.name)
    function = getattr(function, "__func__", function)
    if not isinstance(function, FunctionType):
        raise ValueError(f"the defaults of {holder.__name__}.{node.name} cannot be moved")
    undo.append((function, "__defaults__", function.__defaults__))
    undo.append((function, "__kwdefaults__", function.__kwdefaults__))
    if arguments.defaults:
        function.__defaults__ = tuple(_computed(default, holder) for default in arguments.defaults)
    function.__kwdefaults__ = {
        argument.arg: _computed(default, holder)
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if default is not None
    }


def _computed(expression: ast.expr, holder: ModuleType) -> Any:
    """The value of an expression of the package's own code, in its module."""
    return eval(compile(ast.Expression(expression), str(holder.__file__), "eval"), vars(holder))


# ---------------------------------------------------------------- who uses what


@cache
def _tree(module: str) -> ast.Module:
    file = importlib.import_module(module).__file__
    return ast.parse(Path(str(file)).read_text(encoding="utf-8"))


@cache
def _load_all() -> list[str]:
    """Imports every module of the package; their full names."""
    names = [PACKAGE, *(f"{PACKAGE}.{name}" for name in modules() if name != "__main__")]
    for name in names:
        importlib.import_module(name)
    return names


@cache
def _importers() -> dict[tuple[str, str], list[tuple[str, str]]]:
    """(Module, name) -> where it is imported by name, and as what."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for user in _load_all():
        for node in ast.walk(_tree(user)):
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    known_as = alias.asname or alias.name
                    if known_as in vars(sys.modules[user]):
                        found.setdefault((str(node.module), alias.name), []).append((user, known_as))
    return found


def _names_of(module: str, name: str) -> list[tuple[str, str]]:
    """Every module that holds a constant under a name of its own, with that name: the one that defines it first."""
    found = [(module, name)]
    for one in found:  # it grows: a name may be imported from a module that imported it
        found += [user for user in _importers().get(one, ()) if user not in found]
    return found


def _used(node: ast.AST) -> set[str]:
    """The names that an expression reads."""
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


def _forget() -> None:
    """Empties what functions of the package remember of earlier calls: it may depend on a constant."""
    for function in _remembering():
        function.cache_clear()


@cache
def _remembering() -> list[Any]:
    """The functions of the package that remember what they returned."""
    return [
        value
        for name in _load_all()
        for value in vars(sys.modules[name]).values()
        if getattr(value, "__module__", None) == name and hasattr(value, "cache_clear")
    ]


def value_of(constant: Constant) -> Any:
    """The value of a constant as the code has it.

    Raises:
        KeyError: there is none of that name.
    """
    return defined(constant.module)[constant.name].value

"""The shape of the code: short functions, few parameters, short modules, documented constants, small tuples.

A function that is longer, or that has more parameters, gives its reason in a line of its docstring that begins with
"Long because" or "Many parameters because".
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
FOLDERS: Final = ("harvestdetect", "benchmarks")
"""The package, and the programs that measure it."""

FUNCTION_LINES: Final = 60
"""Most lines of a function, from ``def`` to its end, docstring included."""
PARAMETERS: Final = 8
"""Most parameters of a function, without ``self`` and ``cls``."""
MODULE_LINES: Final = 500
"""Most lines of a module without a reason in its docstring."""
TUPLE_MEMBERS: Final = 3
"""Most members of a positional tuple that a function returns."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def has_reason(node: Function, beginning: str) -> bool:
    """Whether a line of the docstring begins in this way."""
    return any(line.strip().startswith(beginning) for line in (ast.get_docstring(node) or "").splitlines())


def functions(tree: ast.Module) -> Iterator[tuple[str, Function]]:
    """Every function of a module with its qualified name, also those inside of classes and functions."""
    waiting: list[tuple[str, ast.AST]] = [("", tree)]
    while waiting:
        prefix, parent = waiting.pop()
        for node in ast.iter_child_nodes(parent):
            name = prefix
            if isinstance(node, Function | ast.ClassDef):
                name = f"{prefix}.{node.name}" if prefix else node.name
            if isinstance(node, Function):
                yield name, node
            waiting.append((name, node))


def parameters(node: Function) -> int:
    """Number of parameters, without ``self`` and ``cls``."""
    given = node.args
    names = [a.arg for a in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def has_large_tuple(annotation: ast.expr | None) -> bool:
    """Whether an annotation contains a positional tuple of too many members."""
    for node in ast.walk(annotation) if annotation is not None else ():
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == "tuple":
            members = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            variadic = any(isinstance(member, ast.Constant) and member.value is Ellipsis for member in members)
            if len(members) > TUPLE_MEMBERS and not variadic:
                return True
    return False


def is_numeric(value: ast.expr) -> bool:
    """Whether an expression is a number, or arithmetic on numbers."""
    if isinstance(value, ast.Constant):
        return isinstance(value.value, int | float) and not isinstance(value.value, bool)
    if isinstance(value, ast.UnaryOp):
        return is_numeric(value.operand)
    if isinstance(value, ast.BinOp):
        return is_numeric(value.left) and is_numeric(value.right)
    return False


def constants(tree: ast.Module) -> Iterator[tuple[str, ast.expr, str | None]]:
    """Every upper-case name that a module assigns, with its value and its docstring."""
    for position, node in enumerate(tree.body):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target, value = node.targets[0], node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            target, value = node.target, node.value
        else:
            continue
        if not isinstance(target, ast.Name) or not target.id.strip("_").isupper():
            continue
        after = tree.body[position + 1] if position + 1 < len(tree.body) else None
        yield target.id, value, text_of(after)


def text_of(node: ast.stmt | None) -> str | None:
    """The text of a statement that is only a text, such as a docstring."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return node.value.value
    return None


def offences(module: str, source: str) -> Iterator[str]:
    """What is wrong with the shape of a module, each as "module: name: what"."""
    tree = ast.parse(source)
    long_for_a_reason = any(line.startswith("Long because") for line in (ast.get_docstring(tree) or "").splitlines())
    if len(source.splitlines()) > MODULE_LINES and not long_for_a_reason:
        yield f"{module}: more than {MODULE_LINES} lines"
    for name, node in functions(tree):
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        if length > FUNCTION_LINES and not has_reason(node, "Long because"):
            yield f"{module}: {name}: more than {FUNCTION_LINES} lines"
        if parameters(node) > PARAMETERS and not has_reason(node, "Many parameters because"):
            yield f"{module}: {name}: more than {PARAMETERS} parameters"
        if has_large_tuple(node.returns):
            yield f"{module}: {name}: returns a positional tuple of more than {TUPLE_MEMBERS} members"
    for name, value, text in constants(tree):
        if text is None and is_numeric(value):
            yield f"{module}: {name}: a number without a docstring"
    for statement in ast.walk(tree):
        text = text_of(statement) if isinstance(statement, ast.stmt) else None
        if text is not None and (text.strip().startswith("...") or text.strip().endswith("...")):
            yield f"{module}: a docstring begins or ends with dots: {text.strip()[:40]!r}"


def all_offences() -> list[str]:
    """The offences of every module of the package and of the benchmarks."""
    return [
        offence
        for folder in FOLDERS
        for file in sorted((ROOT / folder).rglob("*.py"))
        for offence in offences(module_name(file), file.read_text(encoding="utf-8"))
    ]


def module_name(file: Path) -> str:
    """The dotted name of a module."""
    return ".".join(file.relative_to(ROOT).with_suffix("").parts)


def test_the_code_keeps_its_shape() -> None:
    found = all_offences()
    assert not found, "\n".join(["", *found])


def test_the_rules_find_what_they_should() -> None:
    def found(source: str) -> list[str]:
        return [offence.removeprefix("m: ") for offence in offences("m", source)]

    assert found("def f() -> tuple[int, int, int, int]: ...") == [
        "f: returns a positional tuple of more than 3 members"
    ]
    assert len(found("def f() -> list[tuple[int, int, int, int] | None]: ...")) == 1
    assert found("def f() -> tuple[int, int, int]: ...") == []
    assert found("def f() -> tuple[int, ...]: ...") == []
    assert found("class A:\n    def f(self, a, b, c, d, e, f, g, h): ...") == []
    assert found("class A:\n    def f(self, a, b, c, d, e, f, g, *, h, i): ...") == ["A.f: more than 8 parameters"]
    assert found("def f(a, b, c, d, e, f, g, h, i):\n    '''F.\n\n    Many parameters because so.\n    '''") == []
    assert found("def f():\n" + 60 * "    pass\n") == ["f: more than 60 lines"]
    assert found("def f():\n    def g():\n" + 60 * "        pass\n") == [
        "f: more than 60 lines",
        "f.g: more than 60 lines",
    ]
    assert found("def f():\n    '''Long because it is one table.'''\n" + 60 * "    pass\n") == []
    assert found("A: Final = 1 << 4\n_B = -2.0\nC = 'text'\nD = 3 * 4\n'''A number.'''") == [
        "A: a number without a docstring",
        "_B: a number without a docstring",
    ]
    assert found("A = 1\n'''At most this...'''") == ["a docstring begins or ends with dots: 'At most this...'"]
    assert found("'''M.'''\n" + 500 * "x = 1\n") == ["more than 500 lines"]

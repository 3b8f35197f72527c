"""Walks a record through everything that programs wrap values in: JSON in text, typed values, pairs, dotted names.

The *view* of a record is what remains without these wrappers. In the view, ``{"attributes": [{"key": "user.id",
"value": {"stringValue": "u1"}}]}`` and ``{"attributes": {"user.id": "u1"}}`` have ``u1`` at ``attributes.user.id``, and
so has a record whose ``attributes`` are such JSON in a text. Values that are returned may be parts of the record or of
a decoded text, so callers must not change them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, TypeAlias

import msgspec

__all__ = [
    "Path",
    "decoded",
    "explode",
    "leaves",
    "look_around",
    "look_up",
    "nested",
    "pairs_of",
    "repair_surrogates",
    "unwrap",
    "without_wrappers",
]

Path: TypeAlias = tuple[str, ...]
"""The names that lead to a value. A name that ends in ``[]`` stands for each element of a list."""

_LONGEST_TEXT: Final = 64_000_000
"""Characters of the longest text that is decoded as JSON."""
_DEEPEST: Final = 64
"""Levels of lists and objects below which wrappers are left as they are."""
_LAYERS: Final = 4
"""Wrappers around one value that are removed, such as JSON text in a typed value in JSON text."""
_MOST_LEAVES: Final = 5_000
"""Values of a record that :func:`leaves` yields."""
_SEEN_ELEMENTS: Final = 4
"""Elements of a list that :func:`leaves` looks into."""
_STEPS: Final = 64
"""Most names of a path. Nothing is found at a longer one."""
_ESCAPE: Final = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
"""An escape in JSON: a pair of surrogates, a lone surrogate (the group), or anything else."""
_WHOLE: Final = re.compile(r"-?[0-9]{1,30}", re.ASCII)
_KEYS: Final = ("key", "Key", "name", "Name", "k")
"""Names of the key of a pair. Tags, headers and attributes are lists of pairs."""
_VALUES: Final = ("value", "Value", "v")
"""Names of the value of a pair."""
_PAIR: Final = frozenset((*_KEYS, *_VALUES, "type", "vType"))
"""Names that a pair may have."""
_BESIDE: Final = frozenset(("excludeFromIndexes", "meaning"))
"""Names that may stand beside a typed value."""
_NOTHING: Final = object()
"""In place of a value that is not there, where None is a value."""


def repair_surrogates(line: bytes) -> bytes:
    r"""JSON with each lone surrogate, ``\ud800`` to ``\udfff``, replaced by U+FFFD, which has a form in UTF-8."""
    return _ESCAPE.sub(lambda match: b"\\ufffd" if match[1] else match[0], line)


def decoded(text: str) -> Any:
    """The object or list in a text that consists of JSON, also if it was encoded twice.

    Returns:
        A dict or a list; None if the text is something else, is cut off, or is nested too deeply.
    """
    head = text[:64].lstrip()
    if not head or head[0] not in '{["' or len(text) > _LONGEST_TEXT:
        return None
    if head[0] == '"':
        return _decoded(text) if head[1:2] in ("{", "[") and text[-64:].rstrip()[-1:] == '"' else None
    closing = "}" if head[0] == "{" else "]"
    return _decoded(text) if text[-64:].rstrip()[-1:] == closing else None


@lru_cache(maxsize=4)
def _decoded(text: str) -> Any:
    """See :func:`decoded`. The last texts are kept, because several fields of a record may lie in one text."""
    value: Any = text
    for _ in range(_LAYERS):
        value = _json(value)
        if not isinstance(value, str):
            break
    return value if isinstance(value, dict | list) else None


def _json(text: str) -> Any:
    """A JSON value; None if the text is none. Python's ``NaN`` and ``Infinity`` are accepted."""
    try:
        raw = text.encode()
        return msgspec.json.decode(repair_surrogates(raw) if b"\\u" in raw else raw)
    except RecursionError:
        return None
    except ValueError:
        if "NaN" not in text and "Infinity" not in text:
            return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, str) and _WHOLE.fullmatch(value) else value


def _seconds(value: Any) -> Any:
    """The seconds of Mongo's ``{"$timestamp": {"t": ..., "i": ...}}``."""
    return value.get("t") if isinstance(value, dict) else _NOTHING


def _elements(value: Any) -> Any:
    """The list of ``{"values": [...]}``. Programs leave out an empty list."""
    found = value.get("values", []) if isinstance(value, dict) else value
    return found if isinstance(found, list) else _NOTHING


def _pairs(value: Any) -> Any:
    found = _elements(value)
    object_ = pairs_of(found) if isinstance(found, list) else None
    return ({} if found == [] else _NOTHING) if object_ is None else object_


def _inside(name: str) -> Callable[[Any], Any]:
    def take(value: Any) -> Any:
        found = value.get(name, {}) if isinstance(value, dict) else None
        return found if isinstance(found, dict) else _NOTHING

    return take


def _of(*kinds: type) -> Callable[[Any], Any]:
    return lambda value: value if isinstance(value, kinds) else _NOTHING


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])([A-Z])", lambda match: "_" + match[1].lower(), name)


def _typed() -> dict[str, Callable[[Any], Any]]:
    """Name of a wrapper -> function that returns what is in it, or :data:`_NOTHING` if it is no wrapper."""
    text, number, either = _of(str), _of(int, float), _of(str, int, float)
    camel: dict[str, Callable[[Any], Any]] = {
        # OpenTelemetry, Firestore, Datastore, protobuf's Struct
        "stringValue": text,
        "intValue": lambda value: _number(either(value)),
        "integerValue": lambda value: _number(either(value)),
        "doubleValue": either,
        "numberValue": number,
        "boolValue": _of(bool),
        "booleanValue": _of(bool),
        "bytesValue": text,
        "blobValue": text,
        "timestampValue": _of(str, dict),
        "referenceValue": text,
        "nullValue": lambda _: None,
        "arrayValue": _elements,
        "listValue": _elements,
        "kvlistValue": _pairs,
        "mapValue": _inside("fields"),
        "structValue": _inside("fields"),
        "entityValue": _inside("properties"),
    }
    return {
        **camel,
        **{_snake(name): take for name, take in camel.items()},
        # DynamoDB
        "S": text,
        "N": lambda value: _number(text(value)),
        "B": text,
        "BOOL": _of(bool),
        "M": _of(dict),
        "L": _of(list),
        "SS": _of(list),
        "NS": _of(list),
        "NULL": lambda _: None,
        # MongoDB's extended JSON
        "$date": _of(str, int, dict),
        "$oid": text,
        "$uuid": text,
        "$symbol": text,
        "$timestamp": _seconds,
        "$numberLong": lambda value: _number(either(value)),
        "$numberInt": lambda value: _number(either(value)),
        "$numberDouble": either,
        "$numberDecimal": either,
        # BigQuery's rows
        "v": lambda value: value,
        "f": _of(list),
        # Avro's unions
        "string": text,
        "long": _of(int),
        "int": _of(int),
        "float": number,
        "double": number,
        "boolean": _of(bool),
        "map": _of(dict),
        "array": _of(list),
    }


_TYPED: Final[Mapping[str, Callable[[Any], Any]]] = _typed()


def _without_type(value: Any) -> Any:
    """What is in a typed wrapper; the value itself if it is none."""
    for _ in range(_LAYERS):
        if type(value) is not dict or not value or len(value) > 2:
            return value
        name = next(iter(value))
        take = _TYPED.get(name) if isinstance(name, str) else None
        if take is None or (len(value) == 2 and not _BESIDE & value.keys()):
            return value
        inside = take(value[name])
        if inside is _NOTHING:
            return value
        value = inside
    return value


def pairs_of(value: list[Any]) -> dict[str, Any] | None:
    """The object that a list of pairs stands for; None if it is another list. The first of equal keys counts.

    A pair is ``{"key": ..., "value": ...}`` or ``(key, value)``, as Arrow gives map columns.
    """
    found: dict[str, Any] = {}
    for pair in value:
        if type(pair) is dict:
            if len(pair) > 3 or not _PAIR.issuperset(pair):
                return None
            key = next((pair[name] for name in _KEYS if name in pair), None)
            inside = next((pair[name] for name in _VALUES if name in pair), _NOTHING)
            if inside is _NOTHING and len(pair) > 1:
                return None
        elif type(pair) is tuple and len(pair) == 2:
            key, inside = pair
        else:
            return None
        if not isinstance(key, str):
            return None
        found.setdefault(key, None if inside is _NOTHING else inside)
    return found or None


def _opened(value: Any) -> Any:
    """A value without typed wrappers, and text that is JSON as an object or a list."""
    for _ in range(_LAYERS):
        value = _without_type(value)
        inside = decoded(value) if type(value) is str else None
        if inside is None:
            return value
        value = inside
    return value


def _shown(value: Any) -> Any:
    """A value in the view: an object or a list of pairs as a dict, another list as a list, anything else as it is."""
    value = _opened(value)
    if type(value) is list and value and (pairs := pairs_of(value)) is not None:
        return pairs
    return value


def unwrap(value: Any) -> Any:
    """A value without typed wrappers and with lists of pairs as objects, at any depth down to 64 levels.

    Text that is JSON stays text.
    """
    return _unwrapped(value, 0) if isinstance(value, dict | list) else value


def _unwrapped(value: Any, depth: int) -> Any:
    value = _without_type(value)
    if type(value) is list and value and (pairs := pairs_of(value)) is not None:
        value = pairs
    if depth >= _DEEPEST:
        return value
    if type(value) is dict:
        return {name: _unwrapped(v, depth + 1) if type(v) in (dict, list) else v for name, v in value.items()}
    if type(value) is list:
        return [_unwrapped(item, depth + 1) if type(item) in (dict, list) else item for item in value]
    return value


def look_up(record: Any, path: Path) -> Any:
    """The value at a path of the view of a record; None if there is none.

    A name of the path and a name in the record may contain dots: ``("a.b", "c")`` finds the value of ``{"a": {"b.c":
    ...}}``. A number takes an element of a list; another name goes through a list of one element. Names below a dotted
    prefix are gathered: ``a.messages`` of ``{"a.messages.0.role": ..., "a.messages.1.role": ...}`` is a list of two
    objects. Text that is JSON is returned as text.
    """
    value = record
    for name in path:  # the common case
        if type(value) is not dict or name not in value:
            break
        value = value[name]
    else:
        return without_wrappers(value)
    names = ".".join(path).split(".")
    return without_wrappers(_sought(record, names)) if len(names) <= _STEPS else None


def without_wrappers(value: Any) -> Any:
    """A value without typed wrappers and pairs, if it has one itself, or if it is a list whose first element has."""
    if type(value) is dict:
        inside = _without_type(value)
        return value if inside is value else unwrap(inside)
    if type(value) is list and value and type(value[0]) in (dict, tuple):
        first = _without_type(value[0])
        if first is not value[0] or pairs_of(value[:1]) is not None:
            return unwrap(value)
    return value


def _sought(record: Any, names: list[str]) -> Any:
    """The value at a path without dots in its names, in time linear in the size of the record."""
    waiting: list[tuple[Any, int]] = [(record, 0)]
    while waiting:
        value, start = waiting.pop()
        if start == len(names):
            if value is not None:
                return value
            continue
        value = _shown(value)
        if type(value) is list:
            element, step = _element(value, names[start])
            if step is not None:
                waiting.append((element, start + step))
        elif type(value) is dict:
            gathered = _gathered(value, names[start:])
            if gathered is not None:
                waiting.append((gathered, len(names)))
            # The shortest name is tried first.
            for stop in range(len(names), start, -1):
                name = ".".join(names[start:stop])
                if name in value:
                    waiting.append((value[name], stop))
                elif name.endswith("[]") and name[:-2] in value:
                    waiting.append((value[name[:-2]], stop))
    return None


def _element(value: list[Any], name: str) -> tuple[Any, int | None]:
    """The element of a list that a name leads to, and the number of names that this uses; None if there is none."""
    if name.isascii() and name.isdigit() and len(name) < 7:
        return (value[int(name)], 1) if int(name) < len(value) else (None, None)
    if name == "[]":
        return (value[0], 1) if value else (None, None)
    return (value[0], 0) if len(value) == 1 else (None, None)


def _gathered(value: Mapping[str, Any], names: list[str]) -> Any:
    """The names that begin with a dotted prefix, as an object or, if they begin with numbers, as a list."""
    prefix = ".".join(names) + "."
    below = {name[len(prefix) :]: v for name, v in value.items() if isinstance(name, str) and name.startswith(prefix)}
    return nested(below) if below else None


def nested(flat: Mapping[str, Any]) -> Any:
    """An object whose names have no dots, from one whose names have. The first of two names that exclude each other
    counts."""
    root: dict[str, Any] = {}
    made = [root]
    own = {id(root)}
    for name, value in flat.items():
        place = root
        *steps, last = name.split(".", _DEEPEST)
        for step in steps:
            if step not in place:
                place[step] = {}
                made.append(place[step])
                own.add(id(place[step]))
            place = place[step]
            if id(place) not in own:  # a value of the record
                break
        else:
            place.setdefault(last, value)
    for place in reversed(made):
        for step, below in place.items():
            if id(below) in own:
                place[step] = _listed(below)
    return _listed(root)


def _listed(value: Any) -> Any:
    """A list in place of an object whose names are numbers."""
    if type(value) is dict and value and all(name.isascii() and name.isdigit() and len(name) < 7 for name in value):
        return [value[name] for name in sorted(value, key=int)]
    return value


def leaves(record: Any, depth: int, *, lists: bool = False) -> Iterator[tuple[Path, Any]]:
    """Every (path, value) of the view of a record, at most 5,000 of them. An object comes before its members.

    Args:
        record: an object, or a text that is JSON.
        depth: most names of a path.
        lists: whether the first elements of lists of objects count too. Their paths contain a name that ends in
            ``[]``, and come once for each element.
    """
    waiting: list[Iterator[tuple[Path, Any]]] = [_below((), record, lists=lists)]
    count = 0
    while waiting:
        found = next(waiting[-1], None)
        if found is None:
            waiting.pop()
            continue
        path, value = found
        yield path, value
        count += 1
        if count >= _MOST_LEAVES:
            return
        if len(path) < depth:
            waiting.append(_below(path, value, lists=lists))


def _below(path: Path, value: Any, *, lists: bool) -> Iterator[tuple[Path, Any]]:
    """The members of a value in the view, without typed wrappers."""
    value = _shown(value)
    if type(value) is dict:
        for name, inside in value.items():
            if isinstance(name, str):
                yield (*path, name), _without_type(inside)
    elif lists and type(value) is list:
        each = (*path[:-1], path[-1] + "[]") if path else ("[]",)
        for item in value[:_SEEN_ELEMENTS]:
            for inner, inside in _below(each, item, lists=lists) if type(item) in (dict, str) else ():
                yield inner, inside


def explode(record: Any, path: Path) -> Iterator[tuple[Any, ...]]:
    """Each element that a path with ``[]`` leads to, followed by what encloses it, from the inside to the outside.

    ``resourceSpans[].scopeSpans[].spans[]`` gives ``(span, scope, resource, record)`` for each span. An object in place
    of a list is one element. A field of the element is found with :func:`look_around`.
    """
    steps = _steps(path)
    waiting: list[Iterator[tuple[Any, ...]]] = [iter([(record,)])]
    while waiting:
        chain = next(waiting[-1], None)
        if chain is None:
            waiting.pop()
        elif len(waiting) > len(steps):
            yield chain
        else:
            waiting.append(_members(chain, steps[len(waiting) - 1]))


def _steps(path: Path) -> list[Path]:
    """The path in pieces, each of which ends in a name with ``[]`` (the last one need not)."""
    steps: list[Path] = []
    piece: list[str] = []
    for name in ".".join(path).split("."):
        if name.endswith("[]"):
            steps.append((*piece, name[:-2]) if name != "[]" else tuple(piece))
            piece = []
        else:
            piece.append(name)
    return [*steps, tuple(piece)] if piece else steps


def _members(chain: tuple[Any, ...], step: Path) -> Iterator[tuple[Any, ...]]:
    found = _opened(_sought(chain[0], list(step)) if step else chain[0])
    if found is None:
        return
    for item in found if type(found) is list else [found]:
        yield (item, *chain)


def look_around(chain: tuple[Any, ...], path: Path) -> Any:
    """The value at a path of an element, or else of the nearest that encloses it; None if there is none."""
    for value in chain:
        found = look_up(value, path)
        if found is not None:
            return found
    return None

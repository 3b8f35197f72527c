"""The layouts of a file: which one most records have, and how each other record is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final, NamedTuple

from harvestdetect.dump.columns.choice import MEANINGFUL, Choice, choose
from harvestdetect.dump.columns.file_names import PATTERN
from harvestdetect.dump.columns.kinds import account_text
from harvestdetect.dump.columns.layout import Chain, Layout, Row, is_there
from harvestdetect.dump.columns.learnt import FROM_PATH, Learnt
from harvestdetect.dump.columns.lists import list_of_rows
from harvestdetect.dump.columns.names import Mapped, complaint, matches, plain
from harvestdetect.dump.columns.profiles import Profile, Profiles
from harvestdetect.dump.columns.samples import RowSample
from harvestdetect.dump.values.paths import Path, decoded, explode, leaves, look_up
from harvestdetect.errors import ColumnsError

__all__ = ["SKIPPED", "Shapes", "is_request", "leads_to"]

SKIPPED: Final = "skipped"
"""In place of a reason: the record is no row at all, such as the action before a document in a bulk request."""
_WRAPPERS: Final = 3
"""Wrappers around a row that are opened, such as a log line in a search hit."""
_MOST_LAYOUTS: Final = 32
"""Layouts of a file that are kept."""
_TRIED: Final = 6
"""Layouts that a record is tried with before its own shape is found."""
_MOST_SIGNATURES: Final = 4_000
"""Sets of paths whose layout is kept."""
_MOST_CHOICES: Final = 400
"""Shapes of a file that are looked into. More of them are somebody's play, not formats."""
_MOST_ROUNDS: Final = 6
"""Layouts that are chosen by name over a sample."""
_SIGNATURE_DEPTH: Final = 4
"""Names of a path that count for the shape of a record."""
_SIGNATURE_LEAVES: Final = 300
"""Paths that count for the shape of a record."""
_SEEN: Final = 200
"""Rows by which paths from the record are found."""
_TIMES: Final = ("_at", "time", "date", "datum")
"""Ends of the names of columns that may have times, in small letters."""
_MOST_CHAINS: Final = 5_000
"""Rows of a sample over which columns are chosen."""


class Shapes:
    """The layouts of one file.

    Args:
        name: of the file, for messages.
        profiles: the known shapes.
        mapped: what the user says.
        constants: field -> value that the path of the file gives.
        learnt: takes what was chosen.
    """

    def __init__(
        self, name: str, profiles: Profiles, mapped: Mapped, constants: Mapping[str, str], learnt: Learnt
    ) -> None:
        self._name = name
        self._profiles = profiles
        self._container, self._mapped = _exploded(mapped)
        self._constants = constants
        self._learnt = learnt
        self._recent: list[Layout] = []
        self._known: dict[Any, Layout | str] = {}
        self._choices = 0
        self._steps: dict[tuple[Path, ...], None] = {}
        """Ways through wrappers to rows."""
        self.main = Layout()
        """The layout of most rows of the sample."""
        self.direct: Layout | None = None
        """The same with paths from the record, if each record is one row; otherwise None."""

        self.typed: frozenset[str] = frozenset()
        """Names at the top level of records that have an object or a list in some of the sample."""

    # ------------------------------------------------------------ choice

    def decide(self, records: Sequence[Any], columns: Sequence[str] = ()) -> None:
        """Chooses the layouts over a sample of records.

        Args:
            records: the sample.
            columns: of a format in which all records have the same columns; empty for other formats.

        Raises:
            ColumnsError: no layout has account and prompt, or the user named a column that is not there.
        """
        if columns:
            self._check_given(records, columns)
            records = records or [dict.fromkeys(columns)]
        groups: dict[str, list[_Member]] = {}
        by_name: dict[str, Profile | None] = {"": None}
        count = 0
        for record in records:
            for member in self._expanded(record):
                profile = self._profile(member)
                if profile is not None and (profile.skip or profile.reject):
                    continue
                key = profile.name if profile is not None else ""
                by_name[key] = profile
                groups.setdefault(key, []).append(member)
                count += 1
            if count >= _MOST_CHAINS:
                break
        found: list[tuple[int, Choice, tuple[Path, ...]]] = []
        failed: list[tuple[int, Choice, RowSample]] = []
        for key, members in sorted(groups.items(), key=lambda item: -len(item[1])):
            self._choose_group(members, by_name[key], found, failed)
        if not found:
            found += [(0, choice, ()) for _, choice, _ in failed if not choice.missing][:1]
        if not found and self._opens_list(records):
            self.decide(records)
            return
        if not found:
            raise self._no_columns(records, failed)
        found.sort(key=lambda item: -item[0])
        self._recent = [choice.layout for _, choice, _ in found][:_MOST_LAYOUTS]
        _, best, steps = found[0]
        self.main = best.layout
        self._tell(found)
        if all(not any(name.endswith("[]") for name in step) for step in steps):
            sample = [one.chain for members in groups.values() for one in members if one.steps == steps]
            self.direct = _absolute(best.layout, steps, sample[:_SEEN])
        self.typed = frozenset(
            name
            for record in records
            if isinstance(record, dict)
            for name, value in record.items()
            if isinstance(value, dict | list)
        )

    def _choose_group(
        self,
        members: Sequence[_Member],
        profile: Profile | None,
        found: list[tuple[int, Choice, tuple[Path, ...]]],
        failed: list[tuple[int, Choice, RowSample]],
    ) -> None:
        """Chooses the layouts of rows of one profile, or of none. By name, several layouts may be needed."""
        by_steps: dict[tuple[Path, ...], list[Chain]] = {}
        for member in members:
            by_steps.setdefault(member.steps, []).append(member.chain)
        for steps, chains in by_steps.items():
            if steps:
                self._steps.setdefault(steps)
            sample = RowSample(chains, _Member((), steps, None).inside)
            for number in range(_MOST_ROUNDS if profile is None else 1):
                strict = number > 0 or bool(found)
                choice = choose(sample, profile, self._mapped, self._constants, strict=strict)
                if choice.missing or not choice.rows:
                    if not found or number == 0:
                        failed.append((len(sample), choice, sample))
                    break
                found.append((len(choice.rows), choice, steps))
                read = set(choice.rows)
                rest = [row for row in range(len(sample)) if row not in read]
                if not rest:
                    break
                sample = sample.part(rest)

    def _opens_list(self, records: Sequence[Any]) -> bool:
        """Whether the rows may be in a list, or the messages in one without a known name. Looks for it only once."""
        if self._container or "prompt" in self._mapped.paths:
            return False
        path, is_messages = list_of_rows(records)
        if is_messages:
            paths = {**self._mapped.paths, "prompt": (*path[:-1], path[-1].removesuffix("[]"))}
            self._mapped = Mapped(paths, self._mapped.without, self._mapped.patterns)
        else:
            self._container = path
        return bool(path)

    def _check_given(self, records: Sequence[Any], columns: Sequence[str]) -> None:
        """Raises an error if the user named a column that is not there."""
        lower = [name.lower() for name in columns]
        for name, path in self._mapped.paths.items():
            whole = ".".join(path)
            if not any(whole.lower() == one or whole.lower().startswith(one + ".") for one in lower) and not any(
                look_up(record, path) is not None for record in records
            ):
                what = f"no column {whole!r} for the {name}"
                raise ColumnsError(complaint(self._name, what, name, [(column,) for column in columns]))

    def wanted(self) -> Callable[[str], bool] | None:
        """Whether the main layout needs a column at the top level; None if all are needed."""
        layout = self.direct
        if layout is None:
            return None
        paths = [path for paths in layout.fields.values() for path in paths] + [*layout.keep, *layout.drop]
        return lambda name: any(leads_to(name, path) for path in paths)

    def may_matter(self, name: str) -> bool:
        """Whether a column can be needed, by its name."""
        path = tuple(name.split("."))
        if matches(path) or plain(path[-1]) in MEANINGFUL or path[-1].lower().endswith(_TIMES):
            return True
        given = self._mapped.paths.values()
        return any(leads_to(path[0], one) for one in given) or self._profiles.names(path[0])

    def paths(self) -> Iterator[tuple[str, Path]]:
        """(field, path) of the columns that the layouts need, from the record."""
        layouts = [self.direct] if self.direct is not None else []
        for layout in [*layouts, *self._recent]:
            for name, paths in layout.fields.items():
                for path in paths:
                    yield name, path
            for path in (*layout.keep, *layout.drop):
                yield "prompt", path
        for steps in self._steps:
            yield "prompt", steps[0]

    def _no_columns(self, records: Sequence[Any], failed: Sequence[tuple[int, Choice, RowSample]]) -> ColumnsError:
        if not failed:
            paths = list(RowSample([(record,) for record in records[:100] if isinstance(record, dict)]).paths)
            why = next((why for record in records if isinstance(why := self._why_rejected(record), str) and why), "")
            return ColumnsError(complaint(self._name, "no column for the account", "account", paths, why))
        _, choice, sample = max(failed, key=lambda item: item[0])
        paths = list(sample.paths)
        shape = f"the records look like {choice.layout.shape}" if choice.layout.shape else ""
        name = choice.missing[0]
        if pattern := self._mapped.patterns.get(name):
            return ColumnsError(
                f"{self._name}: the path of the file does not match --map {name}={PATTERN}{pattern}; {{}} stands for "
                f"the {name}, * for any part of a name, ** for any part of the path"
            )
        note = next((profile.note for profile in self._profiles if profile.name == choice.layout.shape), "")
        notes = "; ".join(filter(None, [shape, note]))
        given = self._mapped.paths.get(name)
        what = f"no column {'.'.join(given)!r} for the {name}" if given else f"no column for the {name}"
        return ColumnsError(complaint(self._name, what, name, paths, notes))

    def _why_rejected(self, record: Any) -> str:
        for member in self._expanded(record):
            profile = self._profile(member)
            if profile is not None and profile.reject:
                return profile.reject
        return ""

    def _tell(self, found: Sequence[tuple[int, Choice, tuple[Path, ...]]]) -> None:
        """Says what was chosen."""
        _, best, steps = found[0]
        prefix = tuple(name for step in steps for name in step)
        total = sum(rows for rows, _, _ in found)
        shapes = dict.fromkeys(choice.layout.shape for rows, choice, _ in found if rows >= 0.01 * total)
        wrappers = self._learnt.wrappers
        self._learnt.shape = ", ".join(filter(None, [*wrappers, *shapes]))
        self._learnt.columns = {
            name: ".".join((*prefix, *paths[0]))
            if prefix and any(name.endswith("[]") for name in prefix)
            else ".".join(paths[0])
            for name, paths in best.layout.fields.items()
            if paths
        }
        self._learnt.columns |= {name: FROM_PATH for name in best.layout.constants if name not in self._learnt.columns}
        self._learnt.others = {name: tuple(map(".".join, paths)) for name, paths in best.others.items() if paths}
        self._learnt.warnings.extend(best.warnings)

    # ------------------------------------------------------------ rows

    def _profile(self, member: _Member) -> Profile | None:
        return member.profile or self._profiles.of(member.chain)

    def _expanded(self, record: Any) -> Iterator[_Member]:
        """The rows of a record."""
        if self._container:
            rows = list(explode(record, self._container))
            for row in rows:
                yield _member(row, (), (self._container,), None)
            if rows:
                return
        waiting: list[Iterator[_Member]] = [iter([_Member((record,), (), None)])]
        while waiting:
            member = next(waiting[-1], None)
            if member is None:
                waiting.pop()
                continue
            inner = self._opened(member) if len(member.steps) < _WRAPPERS and member.profile is None else None
            if inner is None:
                yield member
            else:
                waiting.append(inner)

    def _opened(self, member: _Member) -> Iterator[_Member] | None:
        """What is in a wrapper, or the rows of a profile; None if the row is neither."""
        profile = self._profiles.of(member.chain)
        if profile is None or not profile.rows or profile.skip or profile.reject:
            return None
        for path in profile.rows:
            if path in member.steps:
                continue
            members = explode(member.chain[0], path)
            first = next(members, None)
            if first is not None and isinstance(_as_object(first[0]), dict):
                self._learnt.wrapped(profile.name)
                own = None if profile.wrapper else profile
                members = chain([first], members)
                if profile.single:
                    members = ((_without_lists(one[0]), *one[1:]) for one in members)
                return (_member(one, member.chain, (*member.steps, path), own) for one in members)
        return None

    def read(self, record: Any) -> Iterator[Row | str]:
        """The rows of a record; in place of a row that is no request, the reason, or :data:`SKIPPED`."""
        for member in self._expanded(record):
            yield self._row(member)

    def _row(self, member: _Member) -> Row | str:
        chain, reason = member.chain, ""
        for number, layout in enumerate(self._recent[:_TRIED]):
            row = layout.row(chain)
            if isinstance(row, str):
                reason = reason or row
            elif is_request(row):
                if number:
                    self._recent.insert(0, self._recent.pop(number))
                return row
        if reason:
            return reason
        signature = _signature(chain[0])
        known = self._known.get(signature)
        if known is None:
            known = self._find(member)
            if len(self._known) >= _MOST_SIGNATURES:
                self._known.clear()
            self._known[signature] = known
        if isinstance(known, str):
            return known or self._unread(chain)
        row = known.row(chain)
        return row if isinstance(row, str) or is_request(row) else self._unread(chain)

    def _find(self, member: _Member) -> Layout | str:
        """The layout of a row that no known layout can read, or why it is no request; "" if it is not known why."""
        profile = self._profile(member)
        if profile is not None and profile.skip:
            return SKIPPED
        if profile is not None and profile.reject:
            return f"not a request: {profile.reject}"
        if self._choices >= _MOST_CHOICES:
            return ""
        self._choices += 1
        choice = choose(
            RowSample([member.chain], member.inside), profile, self._mapped, self._constants, strict=bool(self._recent)
        )
        if choice.missing or not choice.rows:
            return ""
        if len(self._recent) < _MOST_LAYOUTS:
            self._recent.append(choice.layout)
        return choice.layout

    def _unread(self, chain: Chain) -> Row | str:
        """A row that cannot be read, by the layout of most rows, so that its values show why."""
        row = self.main.row(chain)
        if isinstance(row, dict) and row.get("account") is None and not is_there("prompt", row.get("prompt")):
            return "not a request: no account and no prompt"
        return row


def leads_to(name: str, path: Path) -> bool:
    """Whether a name at the top level of a record may be the beginning of a path."""
    if name == path[0]:
        return True
    whole = ".".join(path)
    return name == whole or whole.startswith(name + ".") or name.startswith(whole + ".")


def is_request(row: Row) -> bool:
    """Whether a row has an account and a prompt."""
    account = row.get("account")
    return (type(account) is str or account_text(account) is not None) and is_there("prompt", row.get("prompt"))


class _Member(NamedTuple):
    """A row of a record."""

    chain: Chain
    """The row, followed by what encloses it."""
    steps: tuple[Path, ...]
    """The paths by which wrappers lead to it."""
    profile: Profile | None
    """The profile whose rows it is one of; None if its own shape counts."""

    @property
    def inside(self) -> frozenset[str]:
        """The names, in what encloses it, that lead to it."""
        return frozenset(step[0].removesuffix("[]") for step in self.steps)


def _member(inner: Chain, outer: Chain, steps: tuple[Path, ...], profile: Profile | None) -> _Member:
    """A row, with what encloses it up to the end of ``inner``, whose last is the first of ``outer``."""
    return _Member((_as_object(inner[0]), *inner[1:], *outer[1:]), steps, profile)


def _without_lists(row: Any) -> Any:
    """A row whose lists of one value are that value."""
    if not isinstance(row, dict):
        return row
    return {name: v[0] if isinstance(v, list) and len(v) == 1 else v for name, v in row.items()}


def _as_object(value: Any) -> Any:
    """A text that is JSON as an object; anything else as it is."""
    return decoded(value) if isinstance(value, str) else value


def _exploded(mapped: Mapped) -> tuple[Path, Mapped]:
    """The path of the rows, if the user gave the prompt's with ``[]``, and the other paths from there."""
    prompt = mapped.paths.get("prompt", ())
    last = max((number for number, name in enumerate(prompt) if name.endswith("[]")), default=-1)
    if last < 0 or last == len(prompt) - 1:
        return (), mapped
    rows = prompt[: last + 1]
    paths = {
        name: path[len(rows) :] if path[: len(rows)] == rows and len(path) > len(rows) else path
        for name, path in mapped.paths.items()
    }
    return rows, Mapped(paths, mapped.without, mapped.patterns)


def _absolute(layout: Layout, steps: Sequence[Path], chains: Sequence[Chain]) -> Layout | None:
    """A layout whose paths begin at the record, by rows that it was chosen over; None if a path has lists in it."""
    if any(step.endswith("[]") for paths in layout.fields.values() for path in paths for step in path):
        return None
    if not steps:
        return layout
    prefixes: list[Path] = [()]
    for step in steps:
        prefixes.insert(0, (*prefixes[0], *step))
    fields = {}
    for name, paths in layout.fields.items():
        possible = [(*prefix, *path) for path in paths for prefix in prefixes]
        seen = [path for path in possible if any(look_up(chain[-1], path) is not None for chain in chains)]
        fields[name] = tuple(seen or possible[:1])
    return Layout(
        shape=layout.shape,
        fields=fields,
        constants=layout.constants,
        cut=layout.cut,
        keep={(*prefixes[0], *path): values for path, values in layout.keep.items()},
        drop={(*prefixes[0], *path): values for path, values in layout.drop.items()},
    )


def _signature(record: Any) -> Any:
    """The paths of a record, and which of them have a value of which type."""
    found = []
    for path, value in leaves(record, _SIGNATURE_DEPTH):
        found.append((path, type(value) if value or value == 0 else None))
        if len(found) >= _SIGNATURE_LEAVES:
            break
    return frozenset(found)

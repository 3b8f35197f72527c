"""Chooses the column of each field over a sample: by its name, and by what its values do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from harvestdetect.data import FIELDS, NO_TIME
from harvestdetect.dump.columns import (
    ACCOUNT_CLASSES,
    SENDERS,
    Mapped,
    dotted,
    looks_like_name,
    matches,
    plain,
)
from harvestdetect.dump.layout import Layout, is_there
from harvestdetect.dump.paths import Path, decoded, look_around
from harvestdetect.dump.profiles import Profile
from harvestdetect.dump.samples import Column, Sample, distinct
from harvestdetect.dump.times import TimeReader
from harvestdetect.dump.values import account_text, is_placeholder, prompt_kind

__all__ = ["MEANINGFUL", "Choice", "choose"]

OFTEN: Final = 0.5
"""Share of rows. A preferred name is chosen only if it has values in at least this share of the rows of the name that
has values most often. Otherwise a single row, whose content its sender controls, could decide what a column means."""
ENOUGH: Final = 20
"""Rows from which on it counts what values do. Fewer rows say nothing about them."""
MANY: Final = 50
"""Rows from which on a column that differs in nearly each of them is suspicious."""
UNIQUE: Final = 0.95
"""Share of rows. A column with more distinct values than this is another one in each row."""
FEW: Final = 0.05
"""Share of rows. A column with fewer distinct values may be a tenant."""
FINER: Final = 5
"""A column with this many times the values of another one divides its accounts."""
_MOST_OTHERS: Final = 5
"""Most other columns of a field that are told."""
_SHALLOW: Final = 4
"""Levels of wrappers below which optional fields are searched by name."""
_MOST_CHAIN: Final = 3
"""Most columns of one field that are tried in a row."""
_CLASSES: Final = {
    plain_name: number
    for number, names in reversed(list(enumerate(ACCOUNT_CLASSES)))
    for name in names
    for plain_name in [".".join(map(plain, name.split(".")))]
}
"""Plain name -> its class in :data:`~harvestdetect.dump.columns.ACCOUNT_CLASSES`."""
_LEAST_SENDER: Final = len(SENDERS)
"""Place of the first name of an account that is none of a sender."""
_SENDERS, _ADDRESSES, _KEYS, _GROUPS, _NETWORKS = range(5)
_WHAT: Final = ("", "", "an API key", "an organisation", "a network address")
"""What an account of each class is."""
_WEAK_PROMPTS: Final = frozenset(("text", "content", "message", "request", "body", "payload", "contents", "utterance"))
"""Plain names that a prompt can have, and an answer or a log message as well."""
_REQUEST_KEYS: Final = frozenset(
    (
        *("model", "temperature", "max_tokens", "max_completion_tokens", "top_p", "stream", "tools", "stop", "system"),
        *("max_output_tokens", "instructions", "systemInstruction", "system_instruction", "generationConfig", "n"),
        *("anthropic_version", "preamble", "inferenceConfig", "parameters", "options", "store", "reasoning", "seed"),
    )
)
"""Names beside the prompt in the body of a request."""
MEANINGFUL: Final = frozenset(
    (
        *(
            "role",
            "sender",
            "sendertype",
            "author",
            "authorrole",
            "from",
            "speaker",
            "direction",
            "messagetype",
            "event",
        ),
        *("eventtype", "eventname", "type", "kind", "side", "messagerole", "phase", "stage", "logtype", "recordtype"),
    )
)
"""Plain names of columns that say whether a row is a request or an answer."""
_ASKING: Final = frozenset(
    (
        *("user", "human", "customer", "request", "prompt", "input", "inbound", "incoming", "in", "question", "start"),
        *("client", "query", "req", "chat_request", "chat.request", "llm_request", "request_started", "end_user"),
    )
)
_ANSWERING: Final = frozenset(
    (
        *("assistant", "ai", "bot", "model", "gpt", "response", "completion", "output", "outbound", "outgoing", "out"),
        *("answer", "reply", "agent", "chunk", "delta", "end", "system", "tool", "function", "developer", "resp"),
        *(
            "chat_response",
            "chat.response",
            "llm_response",
            "result",
            "error",
            "usage",
            "feedback",
            "chatbot",
            "tool_result",
        ),
    )
)


@dataclass(slots=True)
class Choice:
    """What was chosen over a sample."""

    layout: Layout
    others: dict[str, tuple[Path, ...]] = field(default_factory=dict)
    """Account, prompt and timestamp -> other columns that could be meant, the best first."""
    warnings: list[str] = field(default_factory=list)
    missing: tuple[str, ...] = ()
    """Which of account and prompt have no column."""
    rows: list[int] = field(default_factory=list)
    """The rows of the sample that have account and prompt."""


def choose(
    sample: Sample,
    profile: Profile | None,
    mapped: Mapped,
    constants: Mapping[str, str],
    *,
    strict: bool = False,
) -> Choice:
    """Chooses the columns of a sample of rows.

    Args:
        sample: n rows.
        profile: the known shape of all of them; None if they have none.
        mapped: what the user says; goes before everything else.
        constants: field -> value that the path of the file gives.
        strict: whether a column that could hold answers as well is no prompt. This is so for rows that the layout of
            most rows cannot read.
    """
    return _Chooser(sample, profile, mapped, constants, strict=strict).choice()


@dataclass(slots=True)
class _Candidate:
    """A column that could be a field."""

    path: Path
    column: Column
    rows: list[int]
    """Rows of the sample with a value that the field accepts."""
    values: list[Any]
    order: int
    """Place by its name."""
    tier: float = 0.0
    """0 is good; a column with a higher tier is chosen only if there is no better one."""
    kind: int = 0
    """Class of an account."""
    client: bool = False
    """Whether the client writes it."""

    @property
    def share_distinct(self) -> float:
        """Distinct values per value."""
        return len(distinct(self.values)) / max(len(self.values), 1)


class _Chooser:
    """See :func:`choose`."""

    def __init__(
        self, sample: Sample, profile: Profile | None, mapped: Mapped, constants: Mapping[str, str], *, strict: bool
    ) -> None:
        self._sample = sample
        self._profile = profile
        self._mapped = mapped
        self._constants = {name: value for name, value in constants.items() if name not in mapped.without}
        self._strict = strict
        self._fields: dict[str, tuple[Path, ...]] = {}
        self._others: dict[str, tuple[Path, ...]] = {}
        self._warnings: list[str] = []
        self._within = list(range(len(sample)))
        """Rows of the sample that have a prompt."""

    def choice(self) -> Choice:
        """See :func:`choose`."""
        prompts = self._prompt()
        if prompts:
            self._within = sorted({row for one in prompts for row in one.rows})
        drop = self._answers()
        self._account()
        for name in ("timestamp", *FIELDS, "system"):
            self._other(name)
        self._settle_times()
        self._settle_system()
        layout = Layout(
            shape=self._profile.name if self._profile is not None else "",
            fields=dict(self._fields),
            constants={name: value for name, value in self._constants.items() if name not in self._mapped.paths},
            cut=self._cuts(),
            keep=self._keep(),
            drop=drop,
        )
        missing = tuple(
            name for name in ("account", "prompt") if name not in self._fields and name not in layout.constants
        )
        rows = [] if missing else self._readable(layout)
        if self._profile is not None and self._profile.note:
            self._warnings.append(self._profile.note)
        return Choice(layout, self._others, self._warnings, missing, rows)

    def _readable(self, layout: Layout) -> list[int]:
        rows = []
        core = replace(layout, fields={name: layout.fields.get(name, ()) for name in ("account", "prompt")})
        for number, chain in enumerate(self._sample.chains):
            row = core.row(chain)
            if isinstance(row, dict) and account_text(row.get("account")) and is_there("prompt", row.get("prompt")):
                rows.append(number)
        return rows

    # ------------------------------------------------------------ candidates

    def _given(self, name: str) -> bool:
        """Takes the column of a field from the user. Whether there is nothing left to choose."""
        if name in self._mapped.without:
            return True
        path = self._mapped.paths.get(name)
        if path is None:
            return name in self._mapped.patterns
        column = self._sample.at(path)
        if not column.rows and (other := self._ignoring_case(path)) is not None:
            path = other
        if column.rows or name not in ("account", "prompt"):
            self._fields[name] = (path,)
        return True

    def _ignoring_case(self, path: Path) -> Path | None:
        wanted = dotted(path).lower()
        return next((found for found in self._sample.paths if dotted(found).lower() == wanted), None)

    def _profiled(self, name: str) -> list[_Candidate]:
        """The columns that the profile names and that have values."""
        found = []
        for order, path in enumerate(self._profile.fields.get(name, ()) if self._profile is not None else ()):
            column = self._sample.at(path)
            pairs = column.usable(name)
            if name == "prompt":  # the profile knows what it is
                pairs = [pair for pair in zip(column.rows, column.values, strict=True) if is_there(name, pair[1])]
            if pairs:
                found.append(_candidate(path, column, pairs, order))
        return found

    def _named(self, name: str) -> list[_Candidate]:
        """The columns with a recognised name and with values, by falling preference."""
        taken = {paths[0] for paths in self._fields.values()}
        within = None if len(self._within) == len(self._sample) else set(self._within)
        found = []
        for order, (_, column) in enumerate(self._sample.named(name)):
            if column.path in taken:
                continue
            pairs = column.usable(name)
            if within is not None:
                pairs = [pair for pair in pairs if pair[0] in within]
            if pairs:
                found.append(_candidate(column.path, column, pairs, order))
        return found

    def _empty(self, name: str) -> list[_Candidate]:
        """A column with a recognised name and without values, so that the rejects say what is missing."""
        if self._strict:
            return []
        taken = {paths[0] for paths in self._fields.values()}
        for match, column in self._sample.named(name):
            if (
                column.path not in taken
                and match.depth < _SHALLOW
                and (name != "account" or match.rank < _LEAST_SENDER)
            ):
                return [_Candidate(column.path, column, [], [], 0)]
        return []

    # ------------------------------------------------------------ the prompt

    def _prompt(self) -> list[_Candidate]:
        if self._given("prompt"):
            paths = self._fields.get("prompt", ())
            return [
                _candidate(path, self._sample.at(path), self._sample.at(path).usable("prompt"), 0) for path in paths
            ]
        found = self._profiled("prompt")
        if found:
            self._fields["prompt"] = tuple(one.path for one in found[: 2 * _MOST_CHAIN])
            self._note_prompt(found[0])
            return found
        candidates = self._named("prompt") or self._empty("prompt")
        if self._strict:
            candidates = [one for one in candidates if plain(one.path[-1]) not in _WEAK_PROMPTS or _is_body(one)]
        if not candidates:
            return []
        for one in candidates:
            one.tier = self._prompt_tier(one, candidates)
        ranked = _ranked(candidates)
        best = ranked[0]
        self._others["prompt"] = _told(ranked[1:])
        self._fields["prompt"] = (self._whole(best),)
        self._note_prompt(best)
        return [best]

    def _prompt_tier(self, one: _Candidate, all_of: Sequence[_Candidate]) -> float:
        """How doubtful it is that a column is the prompt."""
        kinds = [prompt_kind(value) for value in one.values]
        tier = 0.0
        if kinds.count("request") > len(kinds) / 2:
            # Its own members are candidates too, unless their names are unknown.
            tier = 1.0 if _is_body(one) else 3.0
        elif kinds.count("name") > 0.9 * len(kinds):
            tier = 2.0
        elif kinds.count("blob") > len(kinds) / 2:
            tier = 2.5
        if len(one.values) >= ENOUGH and tier < 2 and _is_constant(one):
            tier = 2.0
        return tier if len(all_of) > 1 else 0.0

    def _whole(self, one: _Candidate) -> Path:
        """The path of the prompt, or of the body of the request that it is in, so that its instructions count."""
        return self._body(one.path) or one.path

    def _body(self, path: Path) -> Path:
        """The path of the body of a request that a prompt is in; empty if it is in none."""
        rows = self._sample.at(path).rows
        if len(path) < 2 or not rows:
            return ()
        body = look_around(self._sample.chains[rows[0]], path[:-1])
        if isinstance(body, str):
            body = decoded(body)
        return path[:-1] if isinstance(body, dict) and _REQUEST_KEYS & body.keys() and path[-1] in body else ()

    def _note_prompt(self, one: _Candidate) -> None:
        kinds = [prompt_kind(value) for value in one.values]
        name = _shown(one.path)
        if kinds.count("blob") > len(kinds) / 2:
            self._warnings.append(f"the prompt ({name}) looks encrypted or like base64")
        elif len(kinds) >= ENOUGH and kinds.count("name") > 0.9 * len(kinds):
            self._warnings.append(f"the prompt ({name}) has short names in place of texts")
        if len(one.values) >= ENOUGH and _is_constant(one):
            self._warnings.append(f"the prompt ({name}) is the same in all rows looked at")

    def _answers(self) -> dict[Path, frozenset[str]]:
        """Columns that say which rows are answers, if some rows are."""
        found: dict[Path, frozenset[str]] = {}
        if self._profile is not None:
            return found
        paths = {path for path in self._sample.paths if plain(path[-1]) in MEANINGFUL and len(path) < 4}
        for path in sorted(paths):
            values = {
                value.lower() for value in self._sample.at(path).values if isinstance(value, str) and len(value) < 40
            }
            if values & _ASKING and values & _ANSWERING:
                found[path] = frozenset(values & _ANSWERING)
        return found

    def _is_written(self, path: Path) -> bool:
        """Whether a column is inside of what the sender wrote as the prompt: it says what the sender wants it to."""
        for prompt in self._fields.get("prompt", ()):
            if len(path) > len(prompt) and path[: len(prompt)] == prompt:
                kinds = [prompt_kind(value) for value in self._sample.at(prompt).values]
                if kinds.count("request") <= len(kinds) / 2:
                    return True
        return False

    # ------------------------------------------------------------ the account

    def _account(self) -> None:
        if self._given("account"):
            return
        prompt = self._fields.get("prompt", ((),))[0]
        found = self._profiled("account")
        for one in found:
            self._judge(one, prompt)
        if found and not all(one.tier >= 4 for one in found):
            self._judge_together(found)
            ranked = sorted(found, key=lambda one: (one.tier >= 4, one.order))
            others = _ranked(found)[1:]
        else:
            named = [one for one in self._named("account") if not self._is_written(one.path)]
            for one in named:
                self._judge(one, prompt)
            candidates = [*found, *(one for one in named if one.path not in {two.path for two in found})]
            candidates = candidates or self._empty("account")
            if not candidates:
                return
            self._judge_together(candidates)
            ranked = _ranked(candidates)
            others = ranked[1:]
        best = ranked[0]
        chain = [best]
        filled = {row for row, value in zip(best.rows, best.values, strict=True) if _names_one(value)}
        for one in ranked[1:]:
            more = {row for row, value in zip(one.rows, one.values, strict=True) if _names_one(value)}
            if one.tier < 2 and one.kind <= _KEYS and more - filled and len(chain) < _MOST_CHAIN:
                chain.append(one)
                filled |= more
        self._fields["account"] = tuple(one.path for one in chain)
        self._others["account"] = _told([one for one in others if one.path not in self._fields["account"]])
        self._note_account(chain)

    def _judge(self, one: _Candidate, prompt: Path) -> None:
        """Sets what a column says about who sent a request."""
        parts = [plain(part) for name in one.path for part in name.split(".")]
        one.kind = next(
            (_CLASSES[name] for count in (3, 2, 1) if (name := ".".join(parts[-count:])) in _CLASSES), _SENDERS
        )
        one.client = self._is_client(one, prompt)
        one.tier = (0.0, 1.0, 1.0, 2.0, 2.0)[one.kind]
        n = len(one.values)
        if one.client:
            one.tier = 3.0 if n >= MANY and one.share_distinct > UNIQUE else max(one.tier, 1.0)
        if n >= ENOUGH and len(distinct(one.values)) <= 1:
            one.tier = 4.0

    def _is_client(self, one: _Candidate, prompt: Path) -> bool:
        """Whether a column is in the body of the request, which the client writes."""
        values = self._sample.at(prompt).values if prompt else []
        body = prompt if values and _is_object(values[0]) else self._body(prompt)
        if body:
            return one.path[: len(body)] == body
        if not prompt or one.column.depth:
            return False
        beside = self._sample.paths.keys()
        settings = sum((name,) in beside for name in ("temperature", "max_tokens", "stream", "top_p", "tools", "model"))
        return settings >= 2 and dotted(one.path) in ("user", "metadata.user_id", "metadata.user", "safety_identifier")

    def _judge_together(self, candidates: Sequence[_Candidate]) -> None:
        """Compares the columns with one another: tenants, and columns that few rows have."""
        for one in candidates:
            if one.kind != _SENDERS or one.tier >= 2:
                continue
            n, values = len(one.values), len(distinct(one.values))
            finer = max(
                (
                    len(distinct(two.values))
                    for two in candidates
                    if two is not one and two.kind == _SENDERS and not two.client and two.tier < 2
                ),
                default=0,
            )
            if n >= ENOUGH and values <= max(3, FEW * n) and finer >= FINER * values:
                one.tier = 2.0
        keys = max((len(distinct(one.values)) for one in candidates if one.kind == _KEYS and one.tier < 2), default=0)
        for one in candidates:
            if one.kind == _GROUPS and one.tier == 2 and len(one.values) >= ENOUGH:
                values = len(distinct(one.values))
                if values > 1 and keys and values >= OFTEN * keys:
                    one.tier = 0.9  # as fine as the keys: it owns them
        most = max((len(one.rows) for one in candidates if one.tier < 4), default=0)
        for one in candidates:
            known = sum(1 for value in one.values if _names_one(value))
            if one.tier < 2 and known < OFTEN * most:
                one.tier += 1.5

    def _note_account(self, chain: Sequence[_Candidate]) -> None:
        best, name = chain[0], _shown(chain[0].path)
        if _WHAT[best.kind]:
            self._warnings.append(f"no column says who sent a request; the account is {_WHAT[best.kind]} ({name})")
        if best.client:
            self._warnings.append(f"the account ({name}) is written by the client, who can write anything there")
        if len(chain) > 1:
            rest = ", ".join(_shown(one.path) for one in chain[1:])
            self._warnings.append(f"where {name} names no account, it is taken from {rest}")

    # ------------------------------------------------------------ other fields

    def _other(self, name: str) -> None:
        if self._given(name):
            return
        found = self._profiled(name)
        if found:
            self._fields[name] = tuple(one.path for one in found[:_MOST_CHAIN])
            return
        candidates = [one for one in self._named(name) if not self._is_written(one.path)]
        if name != "timestamp":
            candidates = [one for one in candidates if name == "system" or _depth(one) < _SHALLOW]
        if self._profile is not None and name in ("created_at", "system"):
            return
        if not candidates:
            return
        for one in candidates if name == "timestamp" else ():
            one.tier = _time_tier(one)
        ranked = _ranked(candidates)
        if name == "timestamp":
            self._others[name] = _told(ranked[1:])
            if ranked[0].tier >= 3:
                return
        self._fields[name] = (ranked[0].path,)

    def _settle_times(self) -> None:
        """Takes ``created_at`` for the time of the prompt if no other column has it, or has it in few rows only. Drops
        it if it is no property of an account."""
        if "timestamp" not in self._mapped.paths and "timestamp" not in self._mapped.without:
            rows = -1
            if "timestamp" in self._fields:
                rows = len(self._sample.at(self._fields["timestamp"][0]).usable("timestamp"))
            taken = {
                paths[0] for name, paths in self._fields.items() if name != "created_at" or name in self._mapped.paths
            }
            for _, column in self._sample.named("created_at"):
                if plain(column.path[-1]) != "createdat" or column.path in taken:
                    continue
                if OFTEN * len(column.usable("timestamp")) > rows:
                    self._fields["timestamp"] = (column.path,)
                    if self._fields.get("created_at") == (column.path,):
                        del self._fields["created_at"]
                    break
        created = self._fields.get("created_at")
        if created and "created_at" not in self._mapped.paths and not self._is_of_account(created[0]):
            del self._fields["created_at"]
        if "timestamp" not in self._fields and "timestamp" not in self._constants and len(self._sample):
            self._warnings.append("no column has the time of the prompt")

    def _is_of_account(self, path: Path) -> bool:
        """Whether a time is the same in all rows of an account."""
        accounts = self._fields.get("account")
        if not accounts:
            return True
        by_row = dict(zip(self._sample.at(path).rows, self._sample.at(path).values, strict=True))
        column = self._sample.at(accounts[0])
        seen: dict[str, str] = {}
        same = other = 0
        for row, value in zip(column.rows, column.values, strict=True):
            account = account_text(value)
            if account is None or row not in by_row:
                continue
            time = str(by_row[row])
            if account not in seen:
                seen[account] = time
            elif seen[account] == time:
                same += 1
            else:
                other += 1
        return other <= same

    def _settle_system(self) -> None:
        """Keeps a column of instructions only beside the prompt."""
        system, prompt = self._fields.get("system"), self._fields.get("prompt")
        if system and prompt and self._profile is None and system[0][:-1] != prompt[0][:-1]:
            del self._fields["system"]
        if "org" in self._fields:
            column = self._sample.at(self._fields["org"][0])
            if len(column.values) >= ENOUGH and len(distinct(column.values)) == 1:
                name = _shown(column.path)
                self._warnings.append(f"the organisation ({name}) is the same in all rows looked at")

    def _cuts(self) -> dict[str, str]:
        cut = dict(self._profile.cut) if self._profile is not None else {}
        accounts = self._fields.get("account")
        if accounts and "account" not in cut and "account" not in self._mapped.paths:
            values = [value for value in self._sample.at(accounts[0]).values if isinstance(value, str)]
            if values and sum(_SESSION in value for value in values) > 0.9 * len(values):
                cut["account"] = _SESSION
        if "account" in cut and accounts:
            values = [value for value in self._sample.at(accounts[0]).values if isinstance(value, str)]
            if any(cut["account"] in value for value in values):
                self._warnings.append(f"the session in the account ({_shown(accounts[0])}) is cut off")
        return cut

    def _keep(self) -> Mapping[Path, frozenset[str]]:
        """What requests have in common by the profile, if some rows of the sample have it."""
        if self._profile is None:
            return {}
        return {
            path: values
            for path, values in self._profile.keep.items()
            if any(str(value).lower() in values for value in self._sample.at(path).values)
        }


_SESSION: Final = "_session_"
"""Text before the session in an account that a client writes as ``user_..._account_..._session_...``."""


def _candidate(path: Path, column: Column, pairs: Sequence[tuple[int, Any]], order: int) -> _Candidate:
    return _Candidate(path, column, [row for row, _ in pairs], [value for _, value in pairs], order)


def _depth(one: _Candidate) -> int:
    return min((match.depth for match in matches(one.path)), default=0) + one.column.depth


def _ranked(candidates: Iterable[_Candidate]) -> list[_Candidate]:
    """By falling preference. A name that few rows have comes behind those that many have."""
    candidates = list(candidates)
    most: dict[float, int] = {}
    for one in candidates:
        most[one.tier] = max(most.get(one.tier, 0), len(one.rows))
    return sorted(candidates, key=lambda one: (one.tier, len(one.rows) < OFTEN * most[one.tier], one.order))


def _told(candidates: Sequence[_Candidate]) -> tuple[Path, ...]:
    paths = dict.fromkeys(one.path for one in candidates if looks_like_name(dotted(one.path)))
    return tuple(paths)[:_MOST_OTHERS]


def _shown(path: Path) -> str:
    name = dotted(path)
    return name if looks_like_name(name) else "a column whose name is not shown"


def _is_constant(one: _Candidate) -> bool:
    first = one.values[0] if one.values else None
    return all(value == first for value in one.values)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, str) and value[:64].lstrip()[:1] == "{")


def _is_body(one: _Candidate) -> bool:
    """Whether most values are bodies of requests."""
    kinds = [prompt_kind(value) for value in one.values]
    return kinds.count("request") + kinds.count("messages") > len(kinds) / 2


def _name(value: Any) -> str | None:
    text = account_text(value)
    return None if text is None or is_placeholder(text) else text


def _names_one(value: Any) -> bool:
    return _name(value) is not None


def _time_tier(one: _Candidate) -> float:
    """How doubtful it is that a column is the time of the prompt."""
    values = one.values[:200]
    good = sum(time != NO_TIME for time in TimeReader.of(values).seconds(values))
    if good < OFTEN * len(values):
        return 1.0 if good or any(not isinstance(value, int | float) for value in values) else 3.0
    if len(values) >= ENOUGH and len({str(value) for value in values}) == 1:
        return 2.0
    return 0.0

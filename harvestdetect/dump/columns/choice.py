"""Chooses the column of each field over a sample: by its name, and by what its values do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from harvestdetect.data import FIELDS
from harvestdetect.dump.columns.account_choice import KEYS, LEAST_SENDER, WHAT, body_of, judge, judge_together
from harvestdetect.dump.columns.candidates import (
    ENOUGH,
    OFTEN,
    TIMED_COLUMNS,
    TIMED_ROWS,
    ColumnCandidate,
    are_times,
    candidate_of,
    depth_of,
    in_order,
    is_body,
    is_constant,
    names_one,
    paths_to_name,
    shown,
    time_tier,
)
from harvestdetect.dump.columns.kinds import account_text, prompt_kind
from harvestdetect.dump.columns.layout import Layout, is_there
from harvestdetect.dump.columns.names import Mapped, dotted, plain
from harvestdetect.dump.columns.profiles import Profile
from harvestdetect.dump.columns.samples import RowSample, distinct
from harvestdetect.dump.values.paths import Path

__all__ = ["MEANINGFUL", "NO_TIMES", "Choice", "choose"]

NO_TIMES: Final = "no column has the time of the prompt"
"""Beginning of the sentence about a file without times."""

_SHALLOW: Final = 4
"""Levels of wrappers below which optional fields are searched by name."""
_MOST_CHAIN: Final = 3
"""Most columns of one field that are tried in a row."""
_SESSION: Final = "_session_"
"""Text before the session in an account that a client writes as ``user_..._account_..._session_...``."""
_WEAK_PROMPTS: Final = frozenset(("text", "content", "message", "request", "body", "payload", "contents", "utterance"))
"""Plain names that a prompt can have, and an answer or a log message as well."""
MEANINGFUL: Final = frozenset(
    (
        *("role", "sender", "sendertype", "author", "authorrole", "from", "speaker", "direction", "messagetype"),
        *("event", "eventtype", "eventname", "type", "kind", "side", "messagerole", "phase", "stage"),
        *("logtype", "recordtype"),
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
        *("chat_response", "chat.response", "llm_response", "result", "error", "usage", "feedback", "chatbot"),
        *("tool_result",),
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
    sample: RowSample,
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


class _Chooser:
    """See :func:`choose`."""

    def __init__(
        self, sample: RowSample, profile: Profile | None, mapped: Mapped, constants: Mapping[str, str], *, strict: bool
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
        if any(one.rows for one in prompts):
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
        if self._profile is not None:
            self._note_profile(self._profile)
        return Choice(layout, self._others, self._warnings, missing, rows)

    def _note_profile(self, profile: Profile) -> None:
        """Says what the user should know about the profile, and whether the records have its shape."""
        if profile.note:
            self._warnings.append(profile.note)
        chains = self._sample.chains
        # Of a profile with rows, what encloses them has its shape.
        if chains and not any(profile.fits(chain[level:]) for chain in chains for level in range(len(chain))):
            self._warnings.append(
                f"no record that was looked at has the shape of {profile.name}; without --profile, the shape of each "
                "record is recognised"
            )

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
        if (dotted(path),) in self._sample.paths:
            path = (dotted(path),)
        column = self._sample.at(path)
        if not column.rows and (other := self._ignoring_case(path)) is not None:
            path = other
        if not column.rows and len(self._sample) and name not in ("account", "prompt"):
            self._warnings.append(
                f"no row that was looked at has the column {shown(path)}, which --map names for {name}"
            )
        if column.rows or name not in ("account", "prompt"):
            self._fields[name] = (path,)
        return True

    def _ignoring_case(self, path: Path) -> Path | None:
        wanted = dotted(path).lower()
        return next((found for found in self._sample.paths if dotted(found).lower() == wanted), None)

    def _profiled(self, name: str) -> list[ColumnCandidate]:
        """The columns that the profile names and that have values."""
        found = []
        for order, path in enumerate(self._profile.fields.get(name, ()) if self._profile is not None else ()):
            column = self._sample.at(path)
            pairs = column.usable(name)
            if name == "prompt":  # the profile knows what it is
                pairs = [pair for pair in zip(column.rows, column.values, strict=True) if is_there(name, pair[1])]
            if pairs:
                found.append(candidate_of(path, column, pairs, order))
        return found

    def _named(self, name: str) -> list[ColumnCandidate]:
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
                found.append(candidate_of(column.path, column, pairs, order))
        return found

    def _empty(self, name: str) -> list[ColumnCandidate]:
        """A column with a recognised name and without values in the sample: rejects then say what is missing."""
        if self._strict:
            return []
        taken = {paths[0] for paths in self._fields.values()}
        for match, column in self._sample.named(name):
            if column.path not in taken and match.depth < _SHALLOW and (name != "account" or match.rank < LEAST_SENDER):
                return [ColumnCandidate(column.path, column, [], [], 0)]
        return []

    # ------------------------------------------------------------ the prompt

    def _prompt(self) -> list[ColumnCandidate]:
        if self._given("prompt"):
            paths = self._fields.get("prompt", ())
            return [
                candidate_of(path, self._sample.at(path), self._sample.at(path).usable("prompt"), 0) for path in paths
            ]
        found = self._profiled("prompt")
        if found:
            self._fields["prompt"] = tuple(one.path for one in found[: 2 * _MOST_CHAIN])
            self._note_prompt(found[0])
            return found
        candidates = self._named("prompt") or self._empty("prompt")
        if self._strict:
            candidates = [one for one in candidates if plain(one.path[-1]) not in _WEAK_PROMPTS or is_body(one)]
        if not candidates:
            return []
        for one in candidates:
            one.tier = self._prompt_tier(one, candidates)
        ranked = in_order(candidates)
        best = ranked[0]
        whole = self._whole(best)
        self._fields["prompt"] = (whole,)
        self._others["prompt"] = paths_to_name([one for one in ranked[1:] if one.path != whole])
        self._note_prompt(best)
        return [best]

    def _prompt_tier(self, one: ColumnCandidate, all_of: Sequence[ColumnCandidate]) -> float:
        """How doubtful it is that a column is the prompt."""
        kinds = [prompt_kind(value) for value in one.values]
        tier = 0.0
        if kinds.count("request") > len(kinds) / 2:
            # Its own members are candidates too, unless their names are unknown.
            tier = 1.0 if is_body(one) else 3.0
        elif kinds.count("name") > 0.9 * len(kinds):
            tier = 2.0
        elif kinds.count("blob") > len(kinds) / 2:
            tier = 2.5
        if len(one.values) >= ENOUGH and tier < 2 and is_constant(one):
            tier = 2.0
        return tier if len(all_of) > 1 else 0.0

    def _whole(self, one: ColumnCandidate) -> Path:
        """The path of the prompt, or of the body of the request that it is in, so that its instructions count."""
        return body_of(self._sample, one.path) or one.path

    def _note_prompt(self, one: ColumnCandidate) -> None:
        kinds = [prompt_kind(value) for value in one.values]
        name = shown(one.path)
        if kinds.count("blob") > len(kinds) / 2:
            self._warnings.append(f"the prompt ({name}) looks encrypted or like base64")
        elif len(kinds) >= ENOUGH and kinds.count("name") > 0.9 * len(kinds):
            self._warnings.append(f"the prompt ({name}) has short names in place of texts")
        if len(one.values) >= ENOUGH and is_constant(one):
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
            judge(one, self._sample, prompt)
        if found and not all(one.tier >= 4 for one in found):
            judge_together(found)
            ranked = sorted(found, key=lambda one: (one.tier >= 4, one.order))
            others = in_order(found)[1:]
        else:
            named = [one for one in self._named("account") if not self._is_written(one.path)]
            for one in named:
                judge(one, self._sample, prompt)
            candidates = [*found, *(one for one in named if one.path not in {two.path for two in found})]
            candidates = candidates or self._empty("account")
            if not candidates:
                return
            judge_together(candidates)
            ranked = in_order(candidates)
            others = ranked[1:]
        best = ranked[0]
        chain = [best]
        filled = {row for row, value in zip(best.rows, best.values, strict=True) if names_one(value)}
        for one in ranked[1:]:
            more = {row for row, value in zip(one.rows, one.values, strict=True) if names_one(value)}
            if one.tier < 2 and one.kind <= KEYS and more - filled and len(chain) < _MOST_CHAIN:
                chain.append(one)
                filled |= more
        self._fields["account"] = tuple(one.path for one in chain)
        self._others["account"] = paths_to_name([one for one in others if one.path not in self._fields["account"]])
        self._note_account(chain)

    def _note_account(self, chain: Sequence[ColumnCandidate]) -> None:
        best, name = chain[0], shown(chain[0].path)
        if WHAT[best.kind]:
            self._warnings.append(f"no column says who sent a request; the account is {WHAT[best.kind]} ({name})")
        if best.client:
            self._warnings.append(f"the account ({name}) is written by the client, who can write anything there")
        if len(chain) > 1:
            rest = ", ".join(shown(one.path) for one in chain[1:])
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
            candidates = [one for one in candidates if name == "system" or depth_of(one) < _SHALLOW]
        if self._profile is not None and name in ("created_at", "system"):
            return
        if not candidates and name != "system":
            candidates = self._empty(name)  # later rows may have values
        if not candidates:
            return
        for one in candidates if name == "timestamp" else ():
            one.tier = time_tier(one)
        ranked = in_order(candidates)
        if name == "timestamp":
            self._others[name] = paths_to_name(ranked[1:])
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
        if not {"timestamp"} & (self._fields.keys() | self._constants.keys() | self._mapped.without):
            self._note_no_times()

    def _note_no_times(self) -> None:
        """Says that no column has the time of the prompt, and which columns without a known name have times."""
        taken = {path for paths in self._fields.values() for path in paths}
        few = self._sample.part(range(min(len(self._sample), TIMED_ROWS)))
        paths = [path for path in few.paths if path not in taken and not self._is_written(path)][:TIMED_COLUMNS]
        found = paths_to_name(
            [candidate_of(path, column, [], 0) for path in paths if are_times((column := few.at(path)).values)]
        )
        if found:
            self._others["timestamp"] = found
        if len(self._sample):
            names = ", ".join(map(shown, found))
            self._warnings.append(NO_TIMES + (f"; times are in {names}" if found else ""))

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
                name = shown(column.path)
                self._warnings.append(
                    f"the organisation ({name}) is the same in all rows looked at; it says nothing about accounts "
                    "unless other rows have another one"
                )

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
                self._warnings.append(f"the session in the account ({shown(accounts[0])}) is cut off")
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

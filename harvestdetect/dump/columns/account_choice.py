"""What a column says about who sent a request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from harvestdetect.dump.columns.candidates import ENOUGH, OFTEN, ColumnCandidate, is_object, names_one
from harvestdetect.dump.columns.names import ACCOUNT_CLASSES, SENDERS, dotted, plain
from harvestdetect.dump.columns.samples import RowSample, distinct
from harvestdetect.dump.values.paths import Path, decoded, look_around

__all__ = ["KEYS", "LEAST_SENDER", "WHAT", "body_of", "judge", "judge_together"]

MANY: Final = 50
"""Rows from which on a column that differs in nearly each of them is suspicious."""
UNIQUE: Final = 0.95
"""Share of rows. A column with more distinct values than this is another one in each row."""
TENANT_SHARE: Final = 0.05
"""Share of rows. A column with fewer distinct values may be a tenant."""
FINER: Final = 5
"""A column with this many times the values of another one divides its accounts."""
_CLASSES: Final = {
    plain_name: number
    for number, names in reversed(list(enumerate(ACCOUNT_CLASSES)))
    for name in names
    for plain_name in [".".join(map(plain, name.split(".")))]
}
"""Plain name -> its class in :data:`~harvestdetect.dump.columns.names.ACCOUNT_CLASSES`."""
LEAST_SENDER: Final = len(SENDERS)
"""Place of the first name of an account that is none of a sender."""
_SENDERS, _ADDRESSES, KEYS, _GROUPS, _NETWORKS = range(5)
WHAT: Final = ("", "", "an API key", "an organisation", "a network address")
"""What an account of each class is."""
_REQUEST_KEYS: Final = frozenset(
    (
        *("model", "temperature", "max_tokens", "max_completion_tokens", "top_p", "stream", "tools", "stop", "system"),
        *("max_output_tokens", "instructions", "systemInstruction", "system_instruction", "generationConfig", "n"),
        *("anthropic_version", "preamble", "inferenceConfig", "parameters", "options", "store", "reasoning", "seed"),
    )
)
"""Names beside the prompt in the body of a request."""


def body_of(sample: RowSample, path: Path) -> Path:
    """The path of the body of a request that a prompt is in; empty if it is in none."""
    rows = sample.at(path).rows
    if len(path) < 2 or not rows:
        return ()
    body = look_around(sample.chains[rows[0]], path[:-1])
    if isinstance(body, str):
        body = decoded(body)
    return path[:-1] if isinstance(body, dict) and _REQUEST_KEYS & body.keys() and path[-1] in body else ()


def judge(one: ColumnCandidate, sample: RowSample, prompt: Path) -> None:
    """Sets what a column says about who sent a request."""
    parts = [plain(part) for name in one.path for part in name.split(".")]
    one.kind = next((_CLASSES[name] for count in (3, 2, 1) if (name := ".".join(parts[-count:])) in _CLASSES), _SENDERS)
    one.client = _is_client(one, sample, prompt)
    one.tier = (0.0, 1.0, 1.0, 2.0, 2.0)[one.kind]
    n = len(one.values)
    if one.client:
        one.tier = 3.0 if n >= MANY and one.share_distinct > UNIQUE else max(one.tier, 1.0)
    if n >= ENOUGH and len(distinct(one.values)) <= 1:
        one.tier = 4.0


def _is_client(one: ColumnCandidate, sample: RowSample, prompt: Path) -> bool:
    """Whether a column is in the body of the request, which the client writes."""
    values = sample.at(prompt).values if prompt else []
    body = prompt if values and is_object(values[0]) else body_of(sample, prompt)
    if body:
        return one.path[: len(body)] == body
    if not prompt or one.column.depth:
        return False
    beside = sample.paths.keys()
    settings = sum((name,) in beside for name in ("temperature", "max_tokens", "stream", "top_p", "tools", "model"))
    return settings >= 2 and dotted(one.path) in ("user", "metadata.user_id", "metadata.user", "safety_identifier")


def judge_together(candidates: Sequence[ColumnCandidate]) -> None:
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
        if n >= ENOUGH and values <= max(3, TENANT_SHARE * n) and finer >= FINER * values:
            one.tier = 2.0
    keys = max((len(distinct(one.values)) for one in candidates if one.kind == KEYS and one.tier < 2), default=0)
    for one in candidates:
        if one.kind == _GROUPS and one.tier == 2 and len(one.values) >= ENOUGH:
            values = len(distinct(one.values))
            if values > 1 and keys and values >= OFTEN * keys:
                one.tier = 0.9  # as fine as the keys: it owns them
    most = max((len(one.rows) for one in candidates if one.tier < 4), default=0)
    for one in candidates:
        known = sum(1 for value in one.values if names_one(value))
        if one.tier < 2 and known < OFTEN * most:
            one.tier += 1.5

"""The column of each field: account, time, prompt and so on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from harvestdetect.data import FIELDS
from harvestdetect.errors import ColumnsError

__all__ = ["NAMES", "ColumnPath", "check_mapping", "flatten", "pick", "resolve"]

ColumnPath: TypeAlias = tuple[str, ...]
"""The path of a column: its name, or the names that lead into nested objects."""

DEPTH: Final = 3
"""Levels of nested objects that are searched for a recognised name."""

NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "account": (
        *("account", "account_id", "account_uuid", "user_id", "user_uuid", "customer_id", "uid", "user"),
        *("customer", "username", "user_name", "account_name", "author", "author_id", "user.id"),
        *("user.user_id", "account.id", "account.account_id", "customer.id", "author.id"),
    ),
    "timestamp": (
        *("timestamp", "time", "ts", "created", "created_time", "datetime", "date_time", "date"),
        *("request_time", "request_timestamp", "requested_at", "event_time", "event_timestamp", "sent_at"),
        *("received_at", "logged_at", "epoch"),
    ),
    "prompt": (
        *("prompt", "messages", "prompt_text", "text", "input", "query", "question", "instruction"),
        *("content", "contents", "conversation", "conversations", "message", "user_prompt"),
    ),
    "org": (
        *("org", "org_id", "organization", "organization_id", "organisation", "organisation_id", "team"),
        *("team_id", "tenant", "tenant_id", "workspace", "workspace_id", "org.id", "organization.id"),
    ),
    "ip": ("ip", "ip_address", "ip_addr", "client_ip", "source_ip", "src_ip", "remote_ip", "remote_addr"),
    "asn": ("asn", "as_number", "ip_asn", "client_asn"),
    "user_agent": ("user_agent", "ua", "http_user_agent", "agent"),
    "api_key": ("api_key", "api_key_id", "key_id", "api_key_hash", "key"),
    "payment": (
        *("payment", "payment_fingerprint", "payment_method", "payment_method_id", "payment_id"),
        *("card_fingerprint", "card", "card_id"),
    ),
    "email_domain": ("email_domain", "mail_domain"),
    "created_at": (
        *("account_created_at", "account_created", "account_creation_time", "user_created_at"),
        *("account.created_at", "user.created_at", "signup_time", "signup_at", "signup_date", "signed_up_at"),
        *("registered_at", "registration_time", "registration_date", "created_at"),
    ),
    "model": ("model", "model_id", "model_name"),
    "session": (
        *("session", "session_id", "conversation_id", "thread_id", "chat_id", "session.id"),
        *("conversation.id", "thread.id"),
    ),
    # No name of a trace: a trace may have several requests.
    "request": (
        *("request_id", "req_id", "x_request_id", "request.id", "span_id", "context.span_id", "call_id"),
        *("litellm_call_id", "generation_id", "idempotency_key", "x_ms_request_id", "apim_request_id"),
        *("x_amzn_request_id", "cf_ray", "insert_id", "correlation_id"),
    ),
}
"""Recognised names of each field by falling preference. Case, ``_``, ``-`` and spaces are ignored: ``userId`` is
``user_id``."""

OFTEN: Final = 0.5
"""Share of rows. A preferred name is chosen only if it has values in at least this share of the rows of the name that
has values most often. Otherwise a single row, whose content its sender controls, could decide what a column means."""

_WRAPPERS: Final = ("", "body", "request", "request.body", "payload", "data", "params", "metadata")
_INNER_WRAPPERS: Final = ("body.metadata", "request.metadata", "event", "log", "properties")
_KNOWN: Final = ("account", "timestamp", "prompt", *FIELDS)


def _plain(name: str) -> str:
    return re.sub(r"[_\-\s]", "", name.lower())


def check_mapping(mapping: Mapping[str, str]) -> None:
    """Checks that a mapping names fields that exist.

    Raises:
        ColumnsError: an unknown field, or an empty column.
    """
    for name, column in mapping.items():
        if name not in _KNOWN:
            raise ColumnsError(f"--map knows no field {name!r}; known: {', '.join(_KNOWN)}")
        if not column:
            raise ColumnsError(f"--map {name}= needs the name of a column, got an empty one")


def flatten(row: Mapping[str, Any], prefix: ColumnPath = ()) -> Iterator[tuple[ColumnPath, Any]]:
    """Every (path, value) of an object, down to :data:`DEPTH` levels."""
    for name, value in row.items():
        path = (*prefix, name)
        yield path, value
        if isinstance(value, dict) and len(path) < DEPTH:
            yield from flatten(value, path)


def pick(row: Any, path: ColumnPath) -> Any:
    """The value at a path; None if there is none."""
    for name in path:
        if not isinstance(row, dict):
            return None
        row = row.get(name)
    return row


def resolve(
    paths: Iterable[ColumnPath],
    *,
    file: str,
    mapping: Mapping[str, str],
    usable: Callable[[str, ColumnPath], int] = lambda _field, _path: 1,
    open_ended: bool = False,
) -> dict[str, ColumnPath]:
    """Chooses the column of each field.

    ``created_at`` is the time at which the account was created, unless no other column has the time of the prompt. A
    column ``system`` beside ``messages`` is chosen as ``system``.

    Args:
        paths: the columns of the file.
        file: its name, for the error message.
        mapping: field -> column or dotted path; goes before recognised names.
        usable: number of sampled rows in which a column has a value that a field accepts. The first recognised name
            with at least :data:`OFTEN` of the rows of the best one is chosen.
        open_ended: whether the file may have further columns (JSON Lines). A mapped optional column that was not seen
            is then no error.

    Returns:
        Field -> path. Account and prompt are always present; ``system`` and the other fields may be missing.

    Raises:
        ColumnsError: no column for account or prompt, or a mapped column does not exist.
    """
    found = list(dict.fromkeys(paths))
    chosen: dict[str, ColumnPath] = {}
    for field, column in mapping.items():
        path = _mapped(found, column)
        if path is None:
            if not open_ended or field in ("account", "prompt"):
                raise ColumnsError(_complaint(file, f"no column {column!r} for the {field}", field, found))
            path = tuple(column.split("."))
        chosen[field] = path
    by_name: dict[str, ColumnPath] = {}
    for path in found:
        by_name.setdefault(".".join(map(_plain, path)), path)
    for field, names in NAMES.items():
        if field in chosen:
            continue
        taken = set(chosen.values())
        candidates = [path for path in _candidates(by_name, names) if path not in taken]
        if candidates:
            rows = [usable(field, path) for path in candidates]
            chosen[field] = next(path for path, n in zip(candidates, rows, strict=True) if n >= OFTEN * max(rows))
    _settle_times(chosen, by_name, mapping, usable)
    for field in ("account", "prompt"):
        if field not in chosen:
            raise ColumnsError(_complaint(file, f"no column for the {field}", field, found))
    prompt = chosen["prompt"]
    system = (*prompt[:-1], "system")
    if _plain(prompt[-1]) == "messages" and system in found and system not in chosen.values():
        chosen["system"] = system
    return chosen


def _mapped(found: Sequence[ColumnPath], column: str) -> ColumnPath | None:
    dotted = tuple(column.split("."))
    for path in ((column,), dotted):
        if path in found:
            return path
    for path in found:
        if ".".join(path).lower() == column.lower():
            return path
    return None


def _candidates(by_name: Mapping[str, ColumnPath], names: Sequence[str]) -> Iterator[ColumnPath]:
    for wrapper in (*_WRAPPERS, *_INNER_WRAPPERS):
        for name in names:
            path = by_name.get(_plain(f"{wrapper}.{name}" if wrapper else name))
            if path is not None:
                yield path


def _settle_times(
    chosen: dict[str, ColumnPath],
    by_name: Mapping[str, ColumnPath],
    mapping: Mapping[str, str],
    usable: Callable[[str, ColumnPath], int],
) -> None:
    """Takes ``created_at`` for the time of the prompt if no other column has it, or has it in few rows only."""
    if "timestamp" in mapping:
        return
    rows = usable("timestamp", chosen["timestamp"]) if "timestamp" in chosen else -1
    taken = {path for field, path in chosen.items() if field != "created_at" or field in mapping}
    for path in _candidates(by_name, ("created_at",)):
        if path not in taken and OFTEN * usable("timestamp", path) > rows:
            chosen["timestamp"] = path
            if chosen.get("created_at") == path:
                del chosen["created_at"]
            return


def _complaint(file: str, what: str, field: str, found: Sequence[ColumnPath]) -> str:
    names = [ascii(".".join(path)[:60])[1:-1] for path in found[:40]]
    columns = ", ".join(names) + (", ..." if len(found) > 40 else "") if names else "none"
    return f"{file}: {what}; columns found: {columns}; name the right one with --map {field}=COLUMN"

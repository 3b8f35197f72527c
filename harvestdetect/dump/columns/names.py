"""Recognised names of the columns of each field, and what ``--map`` says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from harvestdetect.data import FIELDS
from harvestdetect.dump.columns.file_names import PATTERN, check_pattern
from harvestdetect.dump.values.paths import Path
from harvestdetect.errors import ColumnsError
from harvestdetect.util.words import spaced

__all__ = [
    "ACCOUNT_CLASSES",
    "NAMES",
    "NOTHING",
    "Mapped",
    "Match",
    "check_mapping",
    "columns_of",
    "complaint",
    "dotted",
    "known_columns",
    "looks_like_name",
    "mapped",
    "matches",
    "plain",
    "to_path",
]

NOTHING: Final = "none"
"""In place of a column, to say that the file has none: ``--map org=none``."""

SENDERS: Final = (
    *("account", "account_id", "account_uuid", "user_id", "user_uuid", "customer_id", "uid", "user"),
    *("customer", "username", "user_name", "account_name", "author", "author_id", "user.id"),
    *("user.user_id", "account.id", "account.account_id", "customer.id", "author.id", "user.uid", "user.uuid"),
    *("end_user", "end_user_id", "enduser.id", "enduser.pseudo.id", "request_user_id", "distinct_id", "hashed_user_id"),
    *("principal", "principal_id", "principal.id", "identity.arn", "identity.user_id", "actor", "actor_id", "actor.id"),
    *("caller", "caller_id", "requester", "requester_id", "sender", "sender_id", "member_id", "subscriber_id"),
    *("client_id", "client.id", "consumer_id", "consumer.custom_id", "consumer.username", "consumer.id", "usr.id"),
    *("safety_identifier", "customer_identifier", "subject", "sub", "login", "userid_hash", "user_hash", "owner_id"),
    *(
        "customer_uuid",
        "customer_uid",
        "person_id",
        "profile_id",
        "end_user_uuid",
        "from_user",
        "from_user_id",
        "wb_user_id",
    ),
    *("mlflow.trace.user", "langfuse.user.id", "session.user", "session.user_id", "member", "owner", "user.key"),
    *("x_user_id", "x_account_id", "x_customer_id", "x_end_user_id", "remote_user", "auth_user", "authenticated_user"),
    *("user_pseudo_id", "external_user_id", "external_id", "internal_user_id", "cust_id", "account_number", "acct"),
    *(
        "acct_id",
        "userid_hash",
        "user_ref",
        "user_key",
        "user_handle",
        "from_id",
        "sender_name",
        "anonymous_id",
        "object_id",
        "oid",
    ),
)
"""Names of columns that say who sent a request, by falling preference."""
ADDRESSES: Final = (
    *("email", "user.email", "email_address", "user_email", "account_email", "mail", "principal_email", "caller_email"),
    *(
        "requester_email",
        "upn",
        "user_principal_name",
        "user.name",
        "user.username",
        "user.login",
        "preferred_username",
    ),
)
"""Names of columns that identify a sender by an address."""
KEYS: Final = (
    *("api_key", "api_key_id", "key_id", "api_key_hash", "user_api_key_hash", "hashed_api_key", "api_key_name"),
    *("api_key.id", "api_key_alias", "token_id", "virtual_key", "virtual_key_id", "access_key_id", "credential_id"),
    *("subscription_id", "apim_subscription_id", "subscription_key", "key_hash", "key_name", "key"),
)
"""Names of columns with the key that a request was sent with."""
GROUPS: Final = (
    *("org", "org_id", "organization", "organization_id", "organisation", "organisation_id", "team"),
    *("team_id", "tenant", "tenant_id", "workspace", "workspace_id", "org.id", "organization.id"),
    *("company", "company_id", "organization_uuid", "org_uuid", "user_api_key_team_id", "user_api_key_org_id"),
)
"""Names of columns with the organisation of a sender."""
NETWORKS: Final = (
    *("ip", "ip_address", "ip_addr", "client_ip", "source_ip", "src_ip", "remote_ip", "remote_addr"),
    *("requester_ip_address", "client.ip", "source.ip", "client.address", "hashed_ip", "x_forwarded_for"),
    *("caller_ip_address", "user_ip", "ip_hash", "true_client_ip", "cf_connecting_ip", "remote_address"),
)
"""Names of columns with the network address of a sender."""
ACCOUNT_CLASSES: Final = (SENDERS, ADDRESSES, KEYS, GROUPS, NETWORKS)
"""Columns that can be the account. A later class counts only where no earlier one says more."""

NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "account": tuple(name for names in ACCOUNT_CLASSES for name in names),
    "timestamp": (
        *("timestamp", "time", "ts", "request_time", "request_timestamp", "requested_at", "request_created_at"),
        *("start_time", "started_at", "request_start_time", "start_timestamp", "event_time", "event_timestamp"),
        *("sent_at", "received_at", "logged_at", "logging_time", "log_time", "create_time", "created", "created_time"),
        *("creation_time", "creation_date", "datetime", "date_time", "time_generated", "timestamp_ms", "timestamp_us"),
        *("timestamp_ns", "time_ms", "ts_ms", "epoch", "epoch_ms", "unix_time", "unix_timestamp", "start_time_ms"),
        *("start_time_unix_nano", "time_unix_nano", "observed_time_unix_nano", "event.created", "event.start"),
        *("started", "start", "publish_time", "occurred_at", "recorded_at", "sent_time", "message_time", "date"),
        *("created_on", "inserted_at", "ingested_at", "time_iso8601", "request_ts", "event_ts", "log_timestamp"),
        *(
            "request_date",
            "date_created",
            "insert_time",
            "unix_ms",
            "creation_timestamp",
            "dt",
            "ts_ns",
            "msec",
            "when",
            "request_time_epoch",
        ),
    ),
    "prompt": (
        *("prompt", "messages", "prompt_text", "user_prompt", "input_messages", "request_messages", "prompt_messages"),
        *("chat_messages", "user_message", "user_input", "user_query", "gen_ai.input.messages", "gen_ai.prompt"),
        *("llm.input_messages", "ai.prompt.messages", "ai.prompt", "input_text", "query", "question", "input"),
        *("inputs", "input.value", "instruction", "contents", "conversation", "conversations", "text", "content"),
        *("message", "request_text", "user_text", "utterance", "human", "request", "request_body", "body"),
        *("payload", "request_payload", "full_request", "raw_request", "input_body_json", "request_json"),
        *("history", "chat_history", "dialog", "dialogue", "turns", "transcript", "prompts", "user_content"),
        *("user_question", "ai_input", "llm_input", "llm_request", "http_request_body", "req_body", "chat"),
    ),
    "org": GROUPS,
    "ip": NETWORKS,
    "asn": ("asn", "as_number", "ip_asn", "client_asn", "client.as.number", "source.as.number"),
    "user_agent": (
        *("user_agent", "ua", "http_user_agent", "agent", "user_agent.original", "headers.user_agent"),
        *("http.user_agent",),
    ),
    "api_key": KEYS,
    "payment": (
        *("payment", "payment_fingerprint", "payment_method", "payment_method_id", "payment_id"),
        *("card_fingerprint", "card", "card_id"),
    ),
    "email_domain": ("email_domain", "mail_domain"),
    "created_at": (
        *("account_created_at", "account_created", "account_creation_time", "user_created_at"),
        *("account.created_at", "user.created_at", "signup", "signup_time", "signup_at", "signup_date"),
        *("signed_up_at", "registered_at", "registration_time", "registration_date", "created_at"),
    ),
    "model": (
        *(
            "model",
            "model_id",
            "model_name",
            "gen_ai.request.model",
            "llm.model_name",
            "model_group",
            "deployment_name",
        ),
        *("request_model", "provided_model_name"),
    ),
    "session": (
        *("session", "session_id", "conversation_id", "thread_id", "chat_id", "session.id"),
        *("conversation.id", "thread.id", "gen_ai.conversation.id"),
    ),
    # No name of a trace: a trace may have several requests.
    "request": (
        *("request_id", "req_id", "x_request_id", "request.id", "span_id", "context.span_id", "call_id"),
        *("litellm_call_id", "generation_id", "idempotency_key", "x_ms_request_id", "apim_request_id"),
        *("x_amzn_request_id", "cf_ray", "insert_id", "correlation_id"),
    ),
    "system": (
        *("system", "instructions", "system_prompt", "system_instruction", "system_message", "preamble"),
        *("gen_ai.system_instructions", "system_instructions"),
    ),
}
"""Recognised names of each field by falling preference. Case, ``_``, ``-``, ``@`` and spaces are ignored: ``userId`` is
``user_id``, and ``@timestamp`` is ``timestamp``."""

_KNOWN: Final = ("account", "timestamp", "prompt", *FIELDS)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WRAPPERS: Final = _words(
    """
    body request requestbody payload data params metadata event log properties attributes resource auth user account
    client http source context labels tags meta extra fields result results message record detail details jsonpayload
    protopayload authenticationinfo identity principal consumer customer session headers requestcontext authorizer
    claims jwt fullrequest requestpayload reqpayload spanattributes resourceattributes logattributes actor caller info
    trace kwargs input inputbodyjson job task row value doc document item entry msg raw parsed json span
    proxyserverrequest requestmetadata tracemetadata chat llm genai enduser security req httprequest call envelope ctx
    userinfo audit app attrs dimensions customdimensions props requestparameters requestparams arguments invocation
    """
)
"""Plain names of objects that programs put the fields of a request into."""
_ASIDE: Final = _words(
    """
    response responsebody responsepayload responses output outputs completion completions choices fullresponse answer
    reply error usage tools tool functions toolchoice schema responseformat outputbodyjson resppayload
    modelparameters hiddenparams usagedetails costdetails cost
    """
)
"""Plain names of objects that do not describe a request: the answer, its cost, definitions of tools."""
_UNKNOWN_WRAPPER: Final = 3
"""Levels that a wrapper without a known name counts."""
_MOST_PARTS: Final = 3
"""Most parts of a recognised name, between dots."""


def plain(name: str) -> str:
    """A name without case, blanks, ``_``, ``-``, ``@``, ``$`` and a unit in brackets, as in ``TimeGenerated [UTC]``."""
    return re.sub(r"\s*\[[^\[\]]*\]\s*$|[_\-\s@$]", "", name).lower()


def _table() -> dict[str, list[tuple[str, int]]]:
    table: dict[str, list[tuple[str, int]]] = {}
    for field, names in NAMES.items():
        seen = set()
        for rank, name in enumerate(names):
            key = ".".join(map(plain, name.split(".")))
            if key not in seen:
                seen.add(key)
                table.setdefault(key, []).append((field, rank))
    return table


_BY_NAME: Final = _table()
"""Plain name -> field and rank of each of its meanings."""


class Match(NamedTuple):
    """What a path can mean by its name."""

    field: str
    rank: int
    """Place of the name in :data:`NAMES`."""
    depth: int
    """Levels of wrappers around it; a wrapper without a known name counts as three."""


@lru_cache(maxsize=20_000)
def matches(path: Path) -> tuple[Match, ...]:
    """The fields whose names a path ends with. A path into the answer of a model means nothing."""
    parts = [plain(part) for name in path for part in name.removesuffix("[]").split(".")]
    if not all(parts) or not _ASIDE.isdisjoint(parts[:-1]):
        return ()
    found: dict[str, Match] = {}
    for count in range(min(_MOST_PARTS, len(parts)), 0, -1):
        around = parts[:-count]
        depth = sum(1 if part in _WRAPPERS else _UNKNOWN_WRAPPER for part in around)
        for field, rank in _BY_NAME.get(".".join(parts[-count:]), ()):
            if field not in found:
                found[field] = Match(field, rank, depth)
    return tuple(found.values())


def dotted(path: Path) -> str:
    """A path as the user writes it."""
    return ".".join(path)


def to_path(text: str) -> Path:
    """The path that a user wrote."""
    return tuple(text.split("."))


@dataclass(frozen=True, slots=True)
class Mapped:
    """What ``--map`` says, by field."""

    paths: Mapping[str, Path]
    """Field -> path of its column."""
    without: frozenset[str]
    """Fields that the file does not have."""
    patterns: Mapping[str, str]
    """Field -> pattern by which its value is found in the path of the file."""


def mapped(mapping: Mapping[str, str]) -> Mapped:
    """Takes a mapping apart."""
    patterns = {field: column.removeprefix(PATTERN) for field, column in mapping.items() if column.startswith(PATTERN)}
    without = frozenset(field for field, column in mapping.items() if column == NOTHING)
    paths = {
        field: to_path(column) for field, column in mapping.items() if field not in patterns and field not in without
    }
    return Mapped(paths, without, patterns)


def check_mapping(mapping: Mapping[str, str]) -> None:
    """Checks that a mapping names fields that exist.

    Raises:
        ColumnsError: an unknown field, an empty column, a pattern that cannot be used, or no column for account or
            prompt.
    """
    for name, column in mapping.items():
        if name not in _KNOWN:
            raise ColumnsError(f"--map (or [mapping]) knows no field {name!r}; known: {', '.join(_KNOWN)}")
        if not column:
            raise ColumnsError(f"--map {name}= needs the name of a column, got an empty one")
        if name in ("account", "prompt") and column == NOTHING:
            raise ColumnsError(f"--map {name}={NOTHING}: every row needs the {name}; name its column")
        if column.startswith(PATTERN):
            if name == "prompt":
                raise ColumnsError("--map prompt=@path: a prompt is never in the path of a file; name its column")
            check_pattern(name, column.removeprefix(PATTERN))


def known_columns(names: Iterable[str], mapping: Mapping[str, str]) -> bool:
    """Whether the names of columns, or a mapping, say where account and prompt are. Used to recognise CSV."""
    columns = [(name,) for name in names]
    named = {match.field for column in columns for match in matches(column)}
    given = mapped(mapping)
    for field, path in given.paths.items():
        if path[0] in dict(columns_of(names)) or dotted(path) in dict(columns_of(names)):
            named.add(field)
    return {"account", "prompt"} <= named | given.patterns.keys()


def columns_of(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each name, twice."""
    for name in names:
        yield name, name


_NAME: Final = re.compile(r"[^\W\d][\w.@$:/\-\[\]() #%&+*]{0,79}|[@$_.#][\w.@$:/\-\[\]() #%&+*]{1,79}")
"""What a name of a column looks like."""
_MOST_WORDS: Final = 5
"""Most words of a name of a column. A longer text may be part of a prompt, which no message may show."""
_SHOWN: Final = 40
"""Most names of columns that a message shows."""


def looks_like_name(name: str) -> bool:
    """Whether a text can be shown as the name of a column: it is short and looks like no sentence."""
    return bool(_NAME.fullmatch(name)) and len(spaced(name).split()) <= _MOST_WORDS


def complaint(file: str, what: str, field: str, found: Sequence[Path], note: str = "") -> str:
    """The message of an error about columns.

    Args:
        file: name of the file.
        what: what is wrong.
        field: the field whose column is missing.
        found: the columns of the file. Only those are shown that look like names.
        note: what else the user should know.
    """
    names = [name for name in map(dotted, found) if looks_like_name(name)]
    hidden = len(found) - len(names)
    columns = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "") if names else "none"
    if hidden:
        columns += f" ({hidden:,} {'more ' if names else ''}without the look of a name; the file may have no header)"
    note = f"; {note}" if note else ""
    path = f", or take it from the path of the file with --map {field}={PATTERN}PATTERN" if field == "account" else ""
    return f"{file}: {what}; columns found: {columns}{note}; name the right one with --map {field}=COLUMN{path}"

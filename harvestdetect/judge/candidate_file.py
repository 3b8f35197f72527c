"""The files of all candidates: the lines of ``candidates.jsonl``, and the accounts of the dump.

``harvestdetect explain`` reads them to show why a set of accounts was chosen, why its neighbours were not, and what
would change that. A line also names a few accounts that are **not members**: those in
:class:`~harvestdetect.data.Outside`, and the surest accounts of a candidate that is no finding. Their ids are personal
data of people who are not suspected. They are never recommended for action, and the file needs the same care as the
dump.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa

from harvestdetect.data import Candidate
from harvestdetect.errors import InputError
from harvestdetect.evidence.legacy import with_ids
from harvestdetect.util.arrays import Ints32
from harvestdetect.util.redact import redact

__all__ = [
    "CANDIDATES",
    "SEEN",
    "account_digest",
    "candidate_from_dict",
    "candidate_to_dict",
    "excerpt_of",
    "seen_accounts",
    "with_nan",
]

CANDIDATES: Final = "candidates.jsonl"
"""Name of the file with a line for each candidate."""
SEEN: Final = "accounts_seen.parquet"
"""Name of the file with a digest of every account of the dump."""
TEMPLATE_EXCERPT: Final = 200
"""Most characters of a template excerpt."""
SLOT: Final = "…"
"""Mark of a slot in an excerpt."""
_FLOATS: Final = frozenset(
    {"score", "q_value", "value", "expected", "p_value", "probability", "log_p", "log_p_cut", "overlap"}
)
"""Fields whose value is a number and never missing, so that null stands for a number that is not finite."""
_KEYS: Final = {"family_results": "families"}
"""Field of a candidate -> its key in the file, where the two differ."""
_FIELDS: Final = {key: name for name, key in _KEYS.items()}
"""The inverse of :data:`_KEYS`."""


def candidate_to_dict(candidate: Candidate) -> dict[str, Any]:
    """Dicts, lists and scalars, for a line of ``candidates.jsonl``; print it with ``json_text``."""
    plain = msgspec.to_builtins(candidate, enc_hook=_scalar)
    return {_KEYS.get(name, name): value for name, value in plain.items()}


def candidate_from_dict(plain: Mapping[str, Any]) -> Candidate:
    """The inverse of :func:`candidate_to_dict` after a round trip through JSON. A number that was not finite is NaN.

    Raises:
        InputError: a field is missing or of another type.
    """
    try:
        known = {_FIELDS.get(key, key): value for key, value in with_nan(with_ids(plain)).items()}
        return msgspec.convert(known, Candidate)
    except msgspec.ValidationError as error:
        raise InputError(f"not a candidate: {error}") from None


def with_nan(value: Any) -> Any:
    """The value with NaN where a number that cannot be missing is null."""
    if isinstance(value, dict):
        return {k: math.nan if v is None and k in _FLOATS else with_nan(v) for k, v in value.items()}
    return [with_nan(item) for item in value] if isinstance(value, list) else value


def _scalar(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else str(value)


def excerpt_of(words: Sequence[str | None]) -> str:
    """The fixed words of a template with a mark at each slot, redacted, at most :data:`TEMPLATE_EXCERPT` characters.

    White space is folded; a template without fixed words gives an empty text.
    """
    if not any(run and run.strip() for run in words):
        return ""
    text = redact(" ".join(" ".join(SLOT if run is None else run for run in words).split()))
    return text if len(text) <= TEMPLATE_EXCERPT else text[: TEMPLATE_EXCERPT - 1] + SLOT


def account_digest(account: str) -> int:
    """The 64-bit digest of an account in :data:`SEEN`."""
    return int.from_bytes(hashlib.blake2b(account.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def seen_accounts(accounts: pa.Array, volume: Ints32) -> pa.Table:
    """``digest`` (uint64, ascending) and ``prompts`` of every account of the dump, for :data:`SEEN`.

    It shows whether the dump has an account that is in no finding, without a list of ids. Anybody who can guess an id
    can still look it up.
    """
    digest = np.fromiter(map(account_digest, accounts.to_pylist()), np.uint64, len(accounts))
    order = np.argsort(digest, kind="stable")
    return pa.table({"digest": digest[order], "prompts": np.asarray(volume, np.int32)[order]})

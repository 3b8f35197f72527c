"""The file of a model of members: JSON with a digest. The package ships one, ``members.json``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

import numpy as np

from harvestdetect.campaign.membership import MIN_MEMBERSHIP
from harvestdetect.errors import InputError
from harvestdetect.evidence.account_readings import ACCOUNT_READINGS
from harvestdetect.judge.member_model import MOST_BITS, MemberCurve, MemberModel
from harvestdetect.util.arrays import Floats

__all__ = ["FORMAT", "VERSION", "model_digest", "model_of", "recommended_from", "shipped_member_model"]

FORMAT: Final = "harvestdetect-members"
"""Value of ``format`` in the file."""
VERSION: Final = 1
"""Version of the file."""
SHIPPED: Final = "harvestdetect/judge/members.json"
"""Name of the shipped file in messages."""


@cache
def shipped_member_model() -> MemberModel:
    """The model of the package.

    Raises:
        InputError: the file is damaged.
    """
    try:
        text = files("harvestdetect.judge").joinpath("members.json").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{SHIPPED} cannot be read: {error}; install the package again") from None
    return model_of(text)


def recommended_from(ledger: Mapping[str, Any]) -> float:
    """The membership from which a scan recommends a member for action.

    Args:
        ledger: see :attr:`harvestdetect.data.Detection.ledger`. Results of older versions lack the cut; then it is
            that of the shipped model.
    """
    cut = ledger.get("recommended_from")
    if isinstance(cut, int | float) and not isinstance(cut, bool):
        return float(cut)
    return shipped_member_model().cut


def model_digest(table: Mapping[str, Any]) -> str:
    """The digest of a file's table: of all that it holds but the digest itself."""
    plain = {name: value for name, value in table.items() if name != "digest"}
    return hashlib.blake2b(json.dumps(plain, sort_keys=True).encode("ascii"), digest_size=16).hexdigest()


def model_of(text: str, *, name: str = SHIPPED) -> MemberModel:
    """The model of a file that ``benchmarks.fit_members`` wrote.

    Args:
        text: of the file.
        name: of the file, for messages.

    Raises:
        InputError: it is no such file, or damaged, or of other readings.
    """
    try:
        table = json.loads(text)
    except ValueError as error:
        raise _damaged(name, f"it is no JSON ({error})") from None
    if not isinstance(table, dict) or table.get("format") != FORMAT:
        raise _damaged(name, f"its format is not {FORMAT}")
    if table.get("version") != VERSION:
        raise _damaged(name, f"its version is {table.get('version')!r}, not {VERSION}")
    if table.get("digest") != model_digest(table):
        raise _damaged(name, "its digest is not that of its table")
    return _checked(table, name)


def _checked(table: Mapping[str, Any], name: str) -> MemberModel:
    """The model of a table whose digest is right."""
    curves = table.get("curves")
    if not isinstance(curves, list) or [c.get("id") if isinstance(c, dict) else None for c in curves] != [
        reading.id for reading in ACCOUNT_READINGS
    ]:
        raise _damaged(name, "its curves are not those of the readings")
    prior = _numbers(table.get("prior"), "prior", name)
    offset, cut = _numbers([table.get("offset"), table.get("cut")], "offset and cut", name).tolist()
    if len(prior) != 2 or prior.min() <= 0 or not MIN_MEMBERSHIP <= cut < 1:
        raise _damaged(name, "prior must be two positive numbers, and cut a membership")
    return MemberModel(
        curves=tuple(_curve(curve, name) for curve in curves),
        offset=offset,
        prior=(float(prior[0]), float(prior[1])),
        cut=cut,
    )


def _curve(curve: Mapping[str, Any], name: str) -> MemberCurve:
    what = f"the curve of {curve['id']}"
    at, bits = (_numbers(curve.get(column), what, name) for column in ("at", "bits"))
    weight = float(_numbers([curve.get("weight")], what, name)[0])
    if len(at) != len(bits) or not len(at) or weight < 0:
        raise _damaged(name, f"{what} must have as many values as bits, and a weight of 0 or more")
    if (np.diff(at) <= 0).any() or (np.diff(bits) < 0).any() or np.abs(bits).max() > MOST_BITS:
        raise _damaged(name, f"{what} must rise, within {MOST_BITS:g} bits")
    return MemberCurve(id=curve["id"], weight=weight, at=at, bits=bits)


def _numbers(values: Any, what: str, name: str) -> Floats:
    """Finite numbers of a table: float64[n]."""
    if not isinstance(values, list) or any(isinstance(v, bool) or not isinstance(v, int | float) for v in values):
        raise _damaged(name, f"{what} must be numbers")
    found = np.asarray(values, np.float64)
    if not np.isfinite(found).all():
        raise _damaged(name, f"{what} must be finite")
    return found


def _damaged(name: str, why: str) -> InputError:
    return InputError(f"{name} is damaged: {why}; install the package again")

"""The signature over a file: made with the private key of the issuer, checked with public keys that a user trusts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harvestdetect.errors import SignatureError
from harvestdetect.signatures.canonical import MOST_BYTES, canonical, content_of, parsed, plain_of
from harvestdetect.signatures.keys import check_installed, fingerprint
from harvestdetect.signatures.values import FORMAT, Content
from harvestdetect.util.small_files import small_bytes

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["Opened", "open_signatures", "opened", "read_raw", "sealed"]

_PREFIX: Final = f"{FORMAT}\0".encode()
"""In front of the bytes that are signed, so that the signature says nothing about any other kind of file."""
_KEYS: Final = {"signed", "signature"}
_SIGNATURE_LETTERS: Final = 128
"""Hexadecimal digits of an Ed25519 signature of 64 bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A signature file whose signature is right."""

    name: str
    """Of the file, for messages."""
    content: Content
    trusted: bool
    """Whether the issuer is among those whom the user trusts."""

    @property
    def issuer(self) -> str:
        """The fingerprint of the issuer's key."""
        return fingerprint(bytes.fromhex(self.content.issuer.key))

    def expired(self, today: date | None = None) -> bool:
        """Whether the last day of use is over, in UTC."""
        return _day(self.content.expires, self.name) < (today or datetime.now(UTC).date())


def sealed(content: Content, key: Ed25519PrivateKey) -> bytes:
    """The bytes of a signature file.

    Args:
        content: what is signed; its issuer must be the owner of the key.
        key: private.
    """
    plain = plain_of(content)
    signature = key.sign(_PREFIX + canonical(plain)).hex()
    return canonical({"signed": plain, "signature": signature}) + b"\n"


def opened(raw: bytes, *, name: str, trust: Sequence[bytes] = ()) -> Opened:
    """Checks the bytes of a signature file, and nothing about its day.

    Args:
        raw: the bytes.
        name: of the file, for messages.
        trust: public keys of 32 bytes each.

    Raises:
        UsageError: ``cryptography`` is not installed.
        SignatureError: it is malformed, of another version, or not what the stated key signed.
    """
    check_installed()
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    plain = parsed(raw, name=name)
    if set(plain) != _KEYS:
        raise SignatureError(f"{name} is no signature file: it must have the keys signed and signature, and no others")
    content = content_of(plain["signed"], name=name)
    for day in (content.created, content.expires):
        _day(day, name)
    key = bytes.fromhex(content.issuer.key)
    try:
        signature = bytes.fromhex(plain["signature"])
        if len(plain["signature"]) != _SIGNATURE_LETTERS:
            raise ValueError
        Ed25519PublicKey.from_public_bytes(key).verify(signature, _PREFIX + canonical(plain["signed"]))
    except (ValueError, TypeError, InvalidSignature):
        raise SignatureError(
            f"the signature of {name} is wrong: the file was altered or damaged after {fingerprint(key)} signed it; "
            "ask the issuer for it again"
        ) from None
    return Opened(name=name, content=content, trusted=key in trust)


def open_signatures(path: Path, *, trust: Sequence[bytes] = (), today: date | None = None) -> Opened:
    """Reads a signature file of a trusted issuer.

    Args:
        path: the file.
        trust: public keys of 32 bytes each.
        today: None takes the present day in UTC.

    Raises:
        UsageError: ``cryptography`` is not installed.
        SignatureError: it cannot be read or trusted, was altered, or has expired.
    """
    found = opened(read_raw(path), name=str(path), trust=trust)
    if not found.trusted:
        raise SignatureError(
            f"{path} was signed by {found.issuer}, whom no --trust names; if you trust this issuer, give --trust with "
            "the public key that you got from them"
        )
    if found.expired(today):
        raise SignatureError(f"{path} expired on {found.content.expires}; ask the issuer for a newer one")
    return found


def read_raw(path: Path) -> bytes:
    """The bytes of a signature file.

    Raises:
        SignatureError: it cannot be read, or is too large for one.
    """
    advice = "a signature file is smaller, so name another one"
    return small_bytes(path, name=str(path), most=MOST_BYTES, advice=advice, error=SignatureError)


def _day(text: str, name: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise SignatureError(f"{name} is malformed: {text} is no day") from None

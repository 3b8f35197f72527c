"""Keys: a pair of an issuer (Ed25519, RFC 8032), and the secret that partners share for their hashes."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harvestdetect.errors import SignatureError, UsageError
from harvestdetect.util.disk import reason_of
from harvestdetect.util.files import replacing
from harvestdetect.util.small_files import small_bytes

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = [
    *("PASSPHRASE", "check_installed", "fingerprint", "new_pair", "new_secret", "others_may_read", "private_key"),
    *("public_bytes", "public_file", "read_secret", "trusted_key"),
]

PASSPHRASE: Final = "HARVESTDETECT_SIGNATURE_PASSPHRASE"
"""Environment variable with the passphrase of a private key."""
SECRET_BYTES: Final = 32
"""Bytes of a shared secret."""
FINGERPRINT_LETTERS: Final = 16
"""Hexadecimal digits by which a key or a secret is named."""
MOST_KEY_BYTES: Final = 20_000
"""Most bytes of a file with a key. A larger file is not one."""


def check_installed() -> None:
    """Checks that the package ``cryptography`` is there.

    Raises:
        UsageError: it is not.
    """
    try:
        import cryptography.hazmat.primitives.asymmetric.ed25519  # noqa: F401
    except ImportError:
        raise UsageError(
            "signatures need the package cryptography; install the extra: pip install 'harvestdetect[signatures]'"
        ) from None


def public_file(private: Path) -> Path:
    """Where the public key of a new pair goes."""
    return private.with_name(private.name + ".pub")


def new_pair(path: Path, *, passphrase: str | None = None) -> str:
    """Writes a new private key, which only its owner may read, and its public key beside it, both as PEM.

    The private key is written last, and never over another file.

    Args:
        path: of the private key; the public one gets the suffix ``.pub``.
        passphrase: encrypts the private key; None leaves it plain.

    Returns:
        The fingerprint of the public key.

    Raises:
        UsageError: one of the files exists, or ``cryptography`` is not installed.
        SignatureError: a file cannot be written.
    """
    check_installed()
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    public = public_file(path)
    for one in (path, public):
        if one.exists() or one.is_symlink():
            raise UsageError(f"{one} exists already, and a key is never overwritten; name a new file")
    key = Ed25519PrivateKey.generate()
    locked: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase is not None:
        locked = serialization.BestAvailableEncryption(passphrase.encode())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)
    known = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )  # fmt: skip
    _write(public, known, mode=0o644)
    _write(path, pem, mode=0o600)
    return fingerprint(public_bytes(key))


def new_secret(path: Path) -> str:
    """Writes a new shared secret, which only its owner may read. Returns its fingerprint.

    Raises:
        UsageError: the file exists.
        SignatureError: it cannot be written.
    """
    if path.exists() or path.is_symlink():
        raise UsageError(f"{path} exists already, and a secret is never overwritten; name a new file")
    _write(path, secrets.token_hex(SECRET_BYTES).encode() + b"\n", mode=0o600)
    return fingerprint(read_secret(path))


def private_key(path: Path, *, ask: Callable[[], str] | None = None) -> Ed25519PrivateKey:
    """The private key in a file.

    Args:
        path: of a PEM file.
        ask: returns the passphrase of an encrypted key if :data:`PASSPHRASE` is not set; None asks nobody.

    Raises:
        UsageError: ``cryptography`` is not installed.
        SignatureError: it cannot be read, is no Ed25519 key, or the passphrase is missing or wrong.
    """
    check_installed()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    raw = _read(path, "private key")
    if b"PUBLIC KEY" in raw:
        raise SignatureError(
            f"{path} is a public key, and a file is signed with the private one; give the file without .pub that "
            "signatures keygen made"
        )
    given: bytes | None = None
    if b"ENCRYPTED" in raw:
        told = os.environ.get(PASSPHRASE) or (ask() if ask is not None else "")
        if not told:
            raise SignatureError(f"{path} is encrypted; put its passphrase into the variable {PASSPHRASE}")
        given = told.encode("utf-8", "surrogateescape")
    try:
        key = load_pem_private_key(raw, given)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        what = "the passphrase is wrong, or it" if given is not None else "it"
        raise SignatureError(f"cannot read the private key {path}: {what} is no private key in PEM") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise SignatureError(f"{path} is no Ed25519 key; make one with harvestdetect signatures keygen")
    return key


def public_bytes(key: Ed25519PrivateKey) -> bytes:
    """The 32 bytes of the public key of a private one."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def trusted_key(path: Path) -> bytes:
    """The 32 bytes of the public key in a file.

    Raises:
        UsageError: ``cryptography`` is not installed.
        SignatureError: it cannot be read, or is no public Ed25519 key.
    """
    check_installed()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

    raw = _read(path, "public key")
    if b"PRIVATE KEY" in raw:
        raise SignatureError(f"{path} is a private key; --trust takes the public key of the issuer, {path.name}.pub")
    try:
        key = load_pem_public_key(raw)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise SignatureError(f"cannot read the public key {path}: it is no public key in PEM") from None
    if not isinstance(key, Ed25519PublicKey):
        raise SignatureError(f"{path} is no Ed25519 key; ask the issuer for the file that signatures keygen wrote")
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def read_secret(path: Path) -> bytes:
    """The shared secret in a file.

    Raises:
        SignatureError: it cannot be read, or is no secret that ``signatures keygen --secret`` wrote.
    """
    text = _read(path, "shared secret").strip()
    try:
        found = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        found = b""
    if len(found) != SECRET_BYTES:
        raise SignatureError(
            f"{path} is no shared secret: it must have {2 * SECRET_BYTES} hexadecimal digits; make one with "
            "harvestdetect signatures keygen FILE --secret"
        )
    return found


def fingerprint(key: bytes) -> str:
    """A name for a public key or a secret, which does not give the secret away."""
    return hashlib.sha256(b"harvestdetect key\0" + key).hexdigest()[:FINGERPRINT_LETTERS]


def others_may_read(path: Path) -> bool:
    """Whether other users may read a file."""
    try:
        return bool(path.stat().st_mode & 0o077)
    except OSError:
        return False


def _read(path: Path, what: str) -> bytes:
    advice = "a key is smaller, so name another file"
    return small_bytes(path, name=f"the {what} {path}", most=MOST_KEY_BYTES, advice=advice, error=SignatureError)


def _write(path: Path, data: bytes, *, mode: int) -> None:
    try:
        with replacing(path, mode=mode) as file:
            file.write(data)
    except OSError as error:
        raise SignatureError(f"cannot write {path}: {reason_of(error)}") from None

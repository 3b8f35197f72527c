"""Keyed pseudonyms in place of the identifiers of a dump, so that no result, state or cache contains one.

A pseudonym is a keyed hash (BLAKE2b, RFC 7693, with the key of a file) of a field's name and value. Equal values have
equal pseudonyms, and without the key nobody can find the value, not even by trying all values that are likely. Values
of two fields that are equal by chance do not show it.

The pseudonym of an IP address is an IPv6 address below ``fd00::/8``: its first 48 bits are the pseudonym of the
network, so that addresses of one network can still be compared. Texts of prompts stay as they are.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from harvestdetect.data import Batch
from harvestdetect.errors import InputError, UsageError
from harvestdetect.util.disk import reason_of

__all__ = ["FIELDS", "Pseudonyms", "fingerprint_of", "new_key"]

FIELDS: Final[Mapping[str, str]] = {
    "account": "u",
    "org": "o",
    "ip": "",
    "asn": "n",
    "user_agent": "a",
    "api_key": "k",
    "payment": "p",
    "email_domain": "d",
    "session": "s",
    "request": "r",
}
"""Fields whose values are replaced, each with the letter that its pseudonyms begin with."""
_LETTERS: Final = 16
"""Characters of a pseudonym behind its letter: 80 bits, so that a million values collide with a probability below
10**-12."""
_LEAST_KEY: Final = 16
"""Fewest bytes of a key file."""
_MOST_KEY: Final = 65_536
"""Most bytes of a key file. A longer file is not one."""
_NEW_KEY: Final = 32
"""Random bytes of a new key."""


def new_key(path: Path) -> None:
    """Writes a file with a new random key that only its owner may read.

    Raises:
        UsageError: there is such a file. Another key would give all accounts other pseudonyms.
        InputError: it cannot be written.
    """
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_hex(_NEW_KEY) + "\n")
    except FileExistsError:
        raise UsageError(
            f"{path} exists already, and a new key would give every account another pseudonym; name a new file"
        ) from None
    except OSError as error:
        raise InputError(f"cannot write the key {path}: {reason_of(error)}") from None


def fingerprint_of(path: Path | None) -> str | None:
    """The fingerprint of the key in a file; None without a file.

    Raises:
        InputError: the file cannot be read, or is too short or too long for a key.
    """
    return None if path is None else Pseudonyms.of_file(path).fingerprint


class Pseudonyms:
    """Replaces identifiers by pseudonyms.

    Args:
        key: secret bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._key = hashlib.blake2b(key).digest()

    @classmethod
    def of_file(cls, path: Path) -> Pseudonyms:
        """With the key in a file. White space around the key does not count.

        Raises:
            InputError: the file cannot be read, or is too short or too long for a key.
        """
        try:
            with open(path, "rb") as file:
                key = file.read(_MOST_KEY + 1).strip()
        except OSError as error:
            remedy = "; make it with harvestdetect pseudonym KEYFILE --new" if not path.exists() else ""
            raise InputError(f"cannot read the key of the pseudonyms, {path}: {reason_of(error)}{remedy}") from None
        if not _LEAST_KEY <= len(key) <= _MOST_KEY:
            raise InputError(
                f"{path} is no key for pseudonyms: a key has {_LEAST_KEY} to {_MOST_KEY:,} bytes; make one with "
                "harvestdetect pseudonym KEYFILE --new"
            )
        if key.isascii() and b"\n" in key and not key.startswith(b"-----"):
            raise InputError(
                f"{path} is no key for pseudonyms: it has several lines of text, like a dump or a list of IDs; the "
                "key comes first, then the IDs"
            )
        return cls(key)

    @property
    def fingerprint(self) -> str:
        """A hash of the key that tells keys apart and does not give them away."""
        return self._digest("fingerprint", "")[:8].hex()

    def of(self, field: str, value: str) -> str:
        """The pseudonym of a value of one of :data:`FIELDS`.

        Args:
            field: its name.
            value: as the dump has it, without white space around it.
        """
        if field == "ip":
            return self._address(value)
        if field == "email_domain":
            value = value.strip().lstrip("@").lower()
        letters = base64.b32encode(self._digest(field, value)).decode("ascii").lower()
        return f"{FIELDS[field]}-{letters[:_LETTERS]}"

    def batch(self, batch: Batch) -> Batch:
        """A batch with pseudonyms in place of the identifiers."""
        prompts = batch.prompts
        columns = [
            _mapped(prompts.column(name), partial(self.of, name)) if name in FIELDS else prompts.column(name)
            for name in prompts.schema.names
        ]
        return replace(batch, prompts=pa.RecordBatch.from_arrays(columns, schema=prompts.schema))

    def batches(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """The same for many batches."""
        return map(self.batch, batches)

    def _digest(self, field: str, value: str) -> bytes:
        text = value.encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, key=self._key, person=field.encode("ascii"), digest_size=32).digest()

    def _address(self, value: str) -> str:
        network, host = _network(value)
        first = self._digest("network", network)[:5]
        return str(IPv6Address(b"\xfd" + first + self._digest("ip", host)[:10]))


def _network(address: str) -> tuple[str, str]:
    """The network of an address (/24, or /48 of IPv6) and the address, both in one spelling.

    What is no address is a network of its own.
    """
    try:
        if ":" not in address:
            old = IPv4Address(address)
        else:
            wide = IPv6Address(address.partition("%")[0])
            if wide.ipv4_mapped is None:
                return str(int(wide) >> 80), str(wide)
            old = wide.ipv4_mapped
    except AddressValueError:
        return address, address
    return str(old).rpartition(".")[0], str(old)


def _mapped(column: pa.Array, to: Callable[[str], str]) -> pa.Array:
    """A column of text with every value replaced; null stays null."""
    encoded = pc.dictionary_encode(column)
    values = pa.array([to(value) for value in encoded.dictionary.to_pylist()], pa.string())
    return pc.take(values, encoded.indices)

"""Fixtures of the tests of signatures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from harvestdetect.signatures import Exported, Request, export_signatures, sealed
from harvestdetect.signatures.keys import new_pair, new_secret, private_key, public_file, read_secret
from tests.signatures.providers import lay, scan

DAYS = 180


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """A provider that has found a campaign and exported it."""

    folder: Path
    dump: Path
    out: Path
    key: Path
    public: Path
    secret: Path

    def export(self, *, keyed: bool = True, **more: object) -> tuple[Exported, bytes]:
        """The signatures of its findings, and the bytes of the file."""
        own = private_key(self.key)
        secret = read_secret(self.secret) if keyed else None
        exported = export_signatures(Request(folder=self.out, secret=secret, **more), own)  # type: ignore[arg-type]
        return exported, sealed(exported.content, own)


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Issuer:
    folder = tmp_path_factory.mktemp("issuer")
    dump = lay(folder / "dump.jsonl", 1)
    out = scan(dump, folder / "out", cache)
    new_pair(folder / "issuer.pem")
    new_secret(folder / "shared.key")
    return Issuer(
        folder=folder, dump=dump, out=out, key=folder / "issuer.pem", public=public_file(folder / "issuer.pem"),
        secret=folder / "shared.key",
    )  # fmt: skip


@pytest.fixture(scope="session")
def keyed(issuer: Issuer) -> tuple[Exported, bytes]:
    return issuer.export()


@pytest.fixture(scope="session")
def plain(issuer: Issuer) -> tuple[Exported, bytes]:
    return issuer.export(keyed=False)

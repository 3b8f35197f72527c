"""Signatures are made from results and the dumps that were scanned; what does not belong together is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from harvestdetect.errors import InputError, UsageError
from harvestdetect.signatures import Exported, Request, export_signatures
from harvestdetect.signatures.export import signature_id
from harvestdetect.signatures.keys import new_pair, private_key
from tests.signatures.conftest import Issuer


def copied(issuer: Issuer, folder: Path) -> Path:
    """A copy of the results that may be changed."""
    return Path(shutil.copytree(issuer.out, folder / "out"))


def test_a_dump_that_was_moved_is_named(issuer: Issuer, plain: tuple[Exported, bytes], tmp_path: Path) -> None:
    out = copied(issuer, tmp_path)
    moved = Path(shutil.copy(issuer.dump, tmp_path / "elsewhere.jsonl"))
    run = json.loads((out / "run.json").read_text(encoding="utf-8"))
    gone = str(tmp_path / "gone.jsonl")
    table = pq.read_table(out / "prompts.parquet")
    names = table.schema.get_field_index("file")
    pq.write_table(table.set_column(names, "file", [[gone] * len(table)]), out / "prompts.parquet")
    run["files"][0]["name"] = gone
    (out / "run.json").write_text(json.dumps(run), encoding="utf-8")
    key = private_key(issuer.key)
    with pytest.raises(InputError, match="name all of them with --dump"):
        export_signatures(Request(folder=out), key)
    found = export_signatures(Request(folder=out, dumps=(str(moved),)), key)
    assert found.content == plain[0].content
    run["files"][0]["name"] = "-"
    (out / "run.json").write_text(json.dumps(run), encoding="utf-8")
    with pytest.raises(InputError, match="standard input"):
        export_signatures(Request(folder=out), key)


def test_damaged_results_are_a_clear_error(issuer: Issuer, tmp_path: Path) -> None:
    out = copied(issuer, tmp_path)
    key = private_key(issuer.key)
    run = (out / "run.json").read_text(encoding="utf-8")
    for content in ("", "{}", "[]", json.dumps({**json.loads(run), "files": [1]})):
        (out / "run.json").write_text(content, encoding="utf-8")
        with pytest.raises(InputError, match=r"run\.json"):
            export_signatures(Request(folder=out), key)
    changed = json.loads(run)
    changed["settings"]["table"] = "logs"
    (out / "run.json").write_text(json.dumps(changed), encoding="utf-8")
    with pytest.raises(InputError, match="read a database"):
        export_signatures(Request(folder=out), key)
    (out / "run.json").write_text(run, encoding="utf-8")
    (out / "prompts.parquet").write_bytes(b"no table")
    with pytest.raises(InputError, match=r"prompts\.parquet"):
        export_signatures(Request(folder=out), key)


def test_only_named_findings_are_exported(issuer: Issuer) -> None:
    key = private_key(issuer.key)
    (name,) = issuer.export()[0].names.values()
    assert set(issuer.export(campaigns=(name[:5],))[0].names.values()) == {name}
    with pytest.raises(UsageError, match="no finding has such an id"):
        export_signatures(Request(folder=issuer.out, campaigns=("c-none",)), key)


def test_ids_depend_on_the_key(issuer: Issuer, keyed: tuple[Exported, bytes], tmp_path: Path) -> None:
    """So that nobody but the issuer can tell which campaign a signature is of."""
    new_pair(tmp_path / "other.pem")
    other = private_key(tmp_path / "other.pem")
    for signature, campaign in keyed[0].names.items():
        assert signature_id(private_key(issuer.key), campaign) == signature
        assert signature_id(other, campaign) != signature

"""Makes a signature file from the results of a scan and the dumps that were scanned.

The results name the rows of each campaign and their templates. The dumps have the texts, which tell how many accounts
sent each word of a template. So the dumps are read again as the scan read them; a dump that has changed is refused.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from harvestdetect.context import Context, open_context
from harvestdetect.corpus.by_prompt import first_rows, parts_by_prompt
from harvestdetect.corpus.registry import Registry
from harvestdetect.data import TIERS, Corpus, Template, Tier
from harvestdetect.dump import read_dumps
from harvestdetect.embed.encoders import load_encoder
from harvestdetect.errors import InputError, SettingsError, UsageError
from harvestdetect.report.read import converted, json_lines, run_of, short
from harvestdetect.settings import Settings, load_settings
from harvestdetect.signatures.apart import alike_findings
from harvestdetect.signatures.cells import codebook_of
from harvestdetect.signatures.keys import fingerprint, public_bytes
from harvestdetect.signatures.making import GroupTemplate, Naming, Seen, SignatureGroup, describe_groups
from harvestdetect.signatures.shingles import hasher
from harvestdetect.signatures.values import (
    FORMAT,
    LEAST_ACCOUNTS,
    PLAIN_WORDS,
    VERSION,
    Content,
    Hashing,
    Issuer,
    SignedCampaign,
)
from harvestdetect.stages.comparing import embed
from harvestdetect.stages.plan import load_registry_and_calibration
from harvestdetect.stages.reading import read_corpus
from harvestdetect.stages.values import Read
from harvestdetect.util.arrays import Bools, Ints

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["KEYED_WORDS", "Exported", "Request", "export_signatures", "hashing_of", "signature_id"]

KEYED_WORDS: Final = 3
"""Default number of words of a shingle that is hashed with a secret. Chosen."""
_READING: Final = (
    *("mapping", "profile", "format", "max_line_bytes", "max_expansion", "segment_characters", "max_windows"),
    *("registry", "use_registry", "use_cache", "cache", "find_preambles", "model", "min_accounts", "seed"),
)
"""Settings of the scan on which the corpus depends, without the key of its pseudonyms: accounts are only counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be exported, and how."""

    folder: Path
    """Results of a scan."""
    dumps: tuple[str, ...] = ()
    """The dumps, if they are no longer where the scan read them."""
    campaigns: tuple[str, ...] = ()
    """Ids or beginnings of ids; empty takes all findings of ``tier`` and above."""
    tier: Tier = "review"
    issuer: str = ""
    secret: bytes | None = None
    """The secret that partners share; None hashes without one."""
    size: int | None = None
    """Words of a shingle; None is :data:`KEYED_WORDS` with a secret and ``PLAIN_WORDS`` without."""
    least_accounts: int = LEAST_ACCOUNTS
    days: int = 180
    """Days for which the file is used."""
    reveal: bool = False
    """Whether fixed words are exported in clear."""
    today: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was exported."""

    content: Content
    names: Mapping[str, str]
    """Id of a signature -> id of the campaign."""
    notes: tuple[str, ...]
    """Sentences about what could not be described."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """What is read of a line of ``campaigns.jsonl``."""

    campaign_id: str
    tier: Tier
    templates: tuple[Template, ...] = ()
    capability_targets: tuple[str, ...] = ()


def export_signatures(
    request: Request, key: Ed25519PrivateKey, *, notes: Callable[[str], None] | None = None
) -> Exported:
    """Describes the campaigns of a scan.

    Args:
        request: what and how.
        key: private, of the issuer; ids depend on it.
        notes: takes sentences of the reading of the dumps.

    Raises:
        UsageError: an option is out of its range, or an id names no finding.
        InputError: the results or the dumps cannot be read, or do not belong together.
    """
    hashing = hashing_of(public_bytes(key), request.secret, request.size)
    if request.least_accounts < LEAST_ACCOUNTS:
        raise UsageError(f"at least {LEAST_ACCOUNTS} accounts must have sent what is exported; give that or more")
    lines = _lines(request.folder)
    chosen = _chosen(lines, request)
    settings, files = _scan_of(request.folder)
    context = open_context(settings, notes=notes)
    with closing(context.engine):
        registry, _ = load_registry_and_calibration(context)
        read = _read(list(request.dumps or files), settings, context, registry)
        corpus = read.corpus
        rows = _rows(request.folder, read, files)
        wording = embed("wording", corpus, np.arange(len(corpus.text), dtype=np.int32), context)
    encoder = load_encoder("wording", settings=settings, spare=context.cache)
    parts = parts_by_prompt(corpus)
    outside = np.ones(len(corpus.prompts.accounts), bool)
    outside[corpus.prompts.account[np.concatenate([np.empty(0, np.int64), *rows.campaigns.values()])]] = False
    cells = codebook_of(encoder)
    seen = Seen(corpus=corpus, parts=parts, vectors=wording.vectors, cells=cells, outside=outside)
    naming = Naming(
        size=hashing.words, hash_of=hasher(hashing, request.secret), least_accounts=request.least_accounts,
        reveal=request.reveal,
    )  # fmt: skip
    ids = {line.campaign_id: signature_id(key, line.campaign_id) for line in chosen}
    once = first_rows(corpus.prompts)
    groups = {line.campaign_id: _group(line, ids.get(line.campaign_id, line.campaign_id), rows, once) for line in lines}
    described = describe_groups([groups[line.campaign_id] for line in chosen], seen, naming)
    today = request.today or datetime.now(UTC).date()
    content = Content(
        format=FORMAT, version=VERSION,
        issuer=Issuer(name=request.issuer, key=public_bytes(key).hex()),
        created=today.isoformat(), expires=(today + timedelta(days=request.days)).isoformat(),
        least_accounts=request.least_accounts, hashing=hashing, codebook=cells.codebook,
        campaigns=tuple(sorted(described, key=lambda one: one.id)),
    )  # fmt: skip
    back = {own: campaign for campaign, own in ids.items()}
    told = tuple(_notes(described, back, list(groups.values()), seen, request.least_accounts))
    return Exported(content=content, names=back, notes=told)


def _notes(
    described: Sequence[SignedCampaign],
    names: Mapping[str, str],
    findings: Sequence[SignatureGroup],
    seen: Seen,
    least_accounts: int,
) -> Iterator[str]:
    """Sentences about what could not be described.

    Args:
        described: the signatures.
        names: id of a signature -> id of the campaign.
        findings: all findings of the scan.
        seen: where they were found.
        least_accounts: fewest accounts that sent what is exported.
    """
    for one in described:
        if not one.templates:
            yield f"{names[one.id]} has no template that may be exported; its signature is what its prompts are about"
    for own, other, like in alike_findings(described, findings, seen, least_accounts=least_accounts):
        yield (
            f"nothing in the signature of {names[own]} tells it from {names.get(other, other)}, which is alike to "
            f"{100 * like:.0f} %: whoever scans with it may take one for the other"
        )


def hashing_of(public: bytes, secret: bytes | None, size: int | None) -> Hashing:
    """How an issuer hashes shingles.

    Args:
        public: the issuer's public key, from which the salt comes.
        secret: of the partners, or None.
        size: words of a shingle, or None for the default.

    Raises:
        UsageError: the shingles are too short.
    """
    least = 2 if secret is not None else PLAIN_WORDS
    words = (KEYED_WORDS if secret is not None else PLAIN_WORDS) if size is None else size
    if not least <= words <= 20:
        why = "" if secret is not None else ", because all sequences of fewer words can be tried out"
        raise UsageError(f"a shingle must have {least} to 20 words{why}; got {words}")
    return Hashing(
        method="sha256" if secret is None else "hmac-sha256",
        words=words,
        salt=hashlib.sha256(b"harvestdetect salt\0" + public).hexdigest()[:32],
        secret="" if secret is None else fingerprint(secret),
    )


def signature_id(key: Ed25519PrivateKey, campaign: str) -> str:
    """The id under which a campaign is exported: the same in every export with the key, and meaningless without it."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    raw = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    own = hashlib.sha256(b"harvestdetect id\0" + raw).digest()
    return f"s-{hmac.digest(own, campaign.encode('utf-8', 'surrogatepass'), 'sha256').hex()[:12]}"


# ---------------------------------------------------------------- the results of the scan


def _lines(folder: Path) -> list[_Line]:
    file = folder / "campaigns.jsonl"
    advice = "; give the folder that scan --out named"
    return [
        converted(f"{file}, line {number}", row, lambda row: msgspec.convert(row, _Line))
        for number, row in json_lines(file, advice=advice)
    ]


def _chosen(lines: Sequence[_Line], request: Request) -> list[_Line]:
    """The findings that are exported, in the order of the file."""
    if not request.campaigns:
        most = TIERS.index(request.tier)
        return [line for line in lines if TIERS.index(line.tier) <= most]
    found: dict[str, _Line] = {}
    for wanted in request.campaigns:
        fitting = [line for line in lines if line.campaign_id.startswith(wanted)]
        if len(fitting) != 1:
            what = f"{len(fitting)} findings have ids that begin so" if fitting else "no finding has such an id"
            raise UsageError(f"--campaign {short(wanted)}: {what}; see campaigns.jsonl in {request.folder}")
        found[fitting[0].campaign_id] = fitting[0]
    return [line for line in lines if line.campaign_id in found]


def _read(names: list[str], settings: Settings, context: Context, registry: Registry | None) -> Read:
    """Reads the dumps again.

    Raises:
        InputError: one of them is not there, or was standard input.
    """
    if "-" in names:
        raise InputError("the scan read standard input, which is gone; scan a file, and export that")
    try:
        return read_corpus(read_dumps(names, settings=settings), context, registry)
    except InputError as error:
        raise InputError(f"{error}; if the dumps were moved, name all of them with --dump") from None


def _scan_of(folder: Path) -> tuple[Settings, dict[str, str]]:
    """The settings by which the scan read, and its files: name -> digest."""
    file = folder / "run.json"
    run = run_of(file)
    given = (run or {}).get("settings")
    files = (run or {}).get("files")
    if not isinstance(given, dict) or not isinstance(files, list):
        raise InputError(f"cannot read {file}: it names no settings or files of a scan; scan again")
    if given.get("query") or given.get("table"):
        raise InputError("the scan read a database, whose rows may have changed; scan a file of them, and export that")
    try:
        settings = load_settings(environment={}, flags={n: given[n] for n in _READING if given.get(n) is not None})
        found = {str(one["name"]): str(one["sha256"]) for one in files}
    except (SettingsError, TypeError, KeyError) as error:
        raise InputError(f"cannot use {file}: {error}") from None
    return settings.replace(workers=1, engine="loop"), found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """The rows of the campaigns, as positions in the corpus, ascending."""

    campaigns: Mapping[str, Ints]
    templates: Mapping[tuple[str, str], Ints]
    """(campaign, template) -> rows."""


def _rows(folder: Path, read: Read, files: Mapping[str, str]) -> _Rows:
    """The rows that ``prompts.parquet`` names, found again in the corpus by the digest of their file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = folder / "prompts.parquet"
    try:
        table = pq.read_table(file, columns=["file", "line", "campaign_id", "template_id"]).to_pydict()
    except (OSError, pa.ArrowException, KeyError) as error:
        raise InputError(f"cannot read {file}: {short(error)}; scan again") from None
    now = {one.sha256: position for position, one in enumerate(read.files)}
    gone = [name for name, digest in files.items() if digest not in now]
    if gone:
        raise InputError(
            f"the dump {short(gone[0])} is not what was scanned, or is not there; give --dump with the same files, or "
            "scan again"
        )
    position = {name: now[digest] for name, digest in files.items()}
    place = _places(read.corpus)
    campaigns: dict[str, list[int]] = {}
    templates: dict[tuple[str, str], list[int]] = {}
    for name, line, campaign, template in zip(*table.values(), strict=True):
        row = place.get((position.get(name, -1), line))
        if row is None:
            raise InputError(f"{file} names line {line} of {short(name)}, which is no prompt of it; scan again")
        campaigns.setdefault(campaign, []).append(row)
        templates.setdefault((campaign, template), []).append(row)
    return _Rows(
        campaigns={name: np.unique(rows).astype(np.int64) for name, rows in campaigns.items()},
        templates={name: np.unique(rows).astype(np.int64) for name, rows in templates.items()},
    )


def _places(corpus: Corpus) -> dict[tuple[int, int], int]:
    prompts = corpus.prompts
    return {pair: row for row, pair in enumerate(zip(prompts.file.tolist(), prompts.line.tolist(), strict=True))}


def _group(line: _Line, own: str, rows: _Rows, once: Bools) -> SignatureGroup:
    none = np.empty(0, np.int64)

    def counted(found: Ints) -> Ints:
        return found[once[found]]

    return SignatureGroup(
        id=own,
        targets=line.capability_targets,
        templates=tuple(
            GroupTemplate(
                words=template.words,
                prompts=counted(rows.templates.get((line.campaign_id, template.template_id), none)),
            )
            for template in line.templates
        ),
        prompts=counted(rows.campaigns.get(line.campaign_id, none)),
    )

"""The commands ``signatures keygen``, ``export``, ``show`` and ``verify``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harvestdetect.cli.console import answer, note, quoted, shown
from harvestdetect.cli.dumps import working
from harvestdetect.cli.options import FOLDER, TIERS
from harvestdetect.errors import OutputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["signatures"]


@click.group(short_help="Share what campaigns look like with other providers.")
def signatures() -> None:
    """Share what campaigns look like with other providers, without a prompt and without an account.

    \b
    harvestdetect signatures keygen issuer.pem             your key pair
    harvestdetect signatures keygen shared.key --secret    a secret for you and your partners
    harvestdetect signatures export results --key issuer.pem --secret shared.key --out ours.json
    harvestdetect scan DUMP --out results --signatures theirs.json --trust their.pem.pub
        --signature-secret shared.key

    They need the extra signatures: pip install 'harvestdetect[signatures]'.
    """


@signatures.command(short_help="Make a key pair or a shared secret.")
@click.argument("file", type=FOLDER, metavar="FILE")
@click.option("--secret", is_flag=True, help="Make a secret for the hashes of several partners in place of a key pair.")
@click.option(
    "--passphrase", is_flag=True,
    help="Encrypt the private key. The passphrase is that of the variable HARVESTDETECT_SIGNATURE_PASSPHRASE, or is "
    "asked for.",
)  # fmt: skip
def keygen(file: Path, secret: bool, passphrase: bool) -> int:
    """Make a private key (Ed25519) in FILE and its public key in FILE.pub, or a shared secret in FILE.

    Nobody but you may read FILE. Give the public key to your partners by a way on which nobody can replace it, and
    compare its fingerprint with them. Give a shared secret to partners alone.
    """
    from harvestdetect.signatures.keys import new_pair, new_secret, public_file

    if secret and passphrase:
        raise UsageError("--passphrase is for key pairs; a shared secret is kept as it is")
    if secret:
        made = new_secret(file)
        answer(f"{shown(str(file))}: a new shared secret, fingerprint {made}; only you may read it\n")
        return 0
    made = new_pair(file, passphrase=_passphrase(confirm=True) if passphrase else None)
    answer(
        f"{shown(str(file))}: a new private key, which only you may read\n"
        f"{shown(str(public_file(file)))}: its public key, fingerprint {made}\n"
    )
    return 0


@signatures.command(short_help="Describe the campaigns of a scan for other providers.")
@click.argument("folder", type=FOLDER, metavar="DIR")
@click.option("--key", type=FOLDER, required=True, metavar="FILE", help="Your private key, which keygen made.")
@click.option("--out", type=FOLDER, required=True, metavar="FILE", help="File to write.")
@click.option(
    "--secret", type=FOLDER, metavar="FILE",
    help="Shared secret with which words are hashed. Only who has it can look for them.",
)  # fmt: skip
@click.option(
    "--plain", is_flag=True,
    help="Hash words without a secret: anybody can look for them, and can try out words. Shingles then have five words "
    "or more.",
)  # fmt: skip
@click.option(
    "--campaign", "campaigns", multiple=True, metavar="ID",
    help="Export only this finding: an id or the beginning of one. Repeat for more.  [default: by --tier]",
)  # fmt: skip
@click.option(
    "--tier", type=click.Choice(TIERS), default="review", show_default=True,
    help="Export findings at this tier or above.",
)  # fmt: skip
@click.option(
    "--dump", "dumps", multiple=True, metavar="DUMP",
    help="A dump that was scanned, if it is no longer where it was. Repeat for all.  [default: as the scan named them]",
)  # fmt: skip
@click.option("--issuer", default="", metavar="NAME", help="Your organisation, at most 80 characters.")
@click.option(
    "--words", "size", type=int, metavar="N",
    help="Number of words of a shingle.  [default: 3 with --secret, 5 with --plain]",
)  # fmt: skip
@click.option(
    "--least-accounts", type=click.IntRange(5), default=5, show_default=True, metavar="N",
    help="Leave out words and subjects that fewer accounts of the campaign sent.",
)  # fmt: skip
@click.option("--valid", default="180d", show_default=True, metavar="PERIOD", help="How long partners use the file.")
@click.option("--reveal-templates", "reveal", is_flag=True, help="Also write the hashed words in clear.")
@click.option("--quiet", "-q", is_flag=True, help="Print no progress and no notes on standard error.")
def export(folder: Path, key: Path, out: Path, **given: Any) -> int:
    """Write what the findings in DIR look like into a signed file.

    DIR is a folder that scan --out named. The dumps are read again, because they tell how many accounts sent each
    word. The file has hashes of fixed words of templates, cells of a codebook, tempo, list shape and rounded sizes. It
    has no account, no address, no prompt and no filling of a slot. docs/signatures.md says what it gives away.

    \b
    Exit codes  0 done   1 failed   2 wrong usage
    """
    from harvestdetect.signatures import Request, export_signatures, sealed
    from harvestdetect.signatures.keys import others_may_read, private_key, read_secret
    from harvestdetect.signatures.show import campaign_lines
    from harvestdetect.util.periods import DAY, parse_period

    if (given["secret"] is None) == (not given["plain"]):
        raise UsageError("give either --secret FILE, for partners, or --plain, for hashes without a secret")
    if len(given["issuer"]) > 80:
        raise UsageError(f"--issuer must have at most 80 characters, got {len(given['issuer'])}")
    days = parse_period(given["valid"]) // DAY
    if days < 1:
        raise UsageError(f"--valid must be a day or more, such as 180d; got {given['valid']!r}")
    own = private_key(key, ask=_asker())
    secret = None if given["secret"] is None else read_secret(given["secret"])
    for private in (key, given["secret"]):
        if private is not None and others_may_read(private) and not given["quiet"]:
            note(f"other users can read {private}; chmod 600 {quoted(private)} keeps it secret")
    request = Request(
        folder=folder, dumps=given["dumps"], campaigns=given["campaigns"], tier=given["tier"], issuer=given["issuer"],
        secret=secret, size=given["size"], least_accounts=given["least_accounts"], days=days, reveal=given["reveal"],
    )  # fmt: skip
    with working("reading", quiet=given["quiet"]):
        exported = export_signatures(request, own)
    _save(out, sealed(exported.content, own))
    lines = [line for one in exported.content.campaigns for line in campaign_lines(one, exported.names)]
    _print(lines or ["no finding was exported; --tier watch exports all"])
    if not given["quiet"]:
        for sentence in exported.notes:
            note(sentence)
    return 0


@signatures.command(short_help="Print what a signature file says.")
@click.argument("file", type=FOLDER, metavar="FILE")
def show(file: Path) -> int:
    """Print who signed FILE, until when it is used, and what it says about each campaign.

    FILE is a signature file. Whether you can trust its issuer is not checked, see verify.
    """
    from harvestdetect.signatures import opened
    from harvestdetect.signatures.envelope import read_raw
    from harvestdetect.signatures.show import campaign_lines, head_lines

    found = opened(read_raw(file), name=str(file))
    _print([*head_lines(found), *(line for one in found.content.campaigns for line in campaign_lines(one))])
    return 0


@signatures.command(short_help="Check the signature of a file.")
@click.argument("file", type=FOLDER, metavar="FILE")
@click.option(
    "--trust", type=FOLDER, multiple=True, required=True, metavar="FILE",
    help="Public key of an issuer whom you trust. Repeat for more issuers.",
)  # fmt: skip
def verify(file: Path, trust: tuple[Path, ...]) -> int:
    """Check that a trusted issuer signed FILE, that nobody changed it since, and that it has not expired.

    Exit code 1: one of these is not so.
    """
    from harvestdetect.signatures import open_signatures
    from harvestdetect.signatures.keys import trusted_key
    from harvestdetect.signatures.show import head_lines

    found = open_signatures(file, trust=[trusted_key(path) for path in trust])
    _print([f"{file}: the signature is right", *head_lines(found)])
    return 0


def _print(lines: Iterable[str]) -> None:
    answer("".join(f"{shown(line)}\n" for line in lines))


def _asker() -> Any:
    """The function that asks for a passphrase; None without a terminal."""
    return _passphrase if sys.stdin is not None and sys.stdin.isatty() else None


def _passphrase(*, confirm: bool = False) -> str:
    """The passphrase of the environment, or the one that the user types.

    Raises:
        UsageError: it is empty, or nobody can be asked.
    """
    from harvestdetect.signatures.keys import PASSPHRASE

    told = os.environ.get(PASSPHRASE)
    if told is None:
        if sys.stdin is None or not sys.stdin.isatty():
            raise UsageError(f"a passphrase is needed; put it into the variable {PASSPHRASE}")
        told = click.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm, err=True)
    if not told:
        raise UsageError("the passphrase must not be empty")
    return str(told)


def _save(file: Path, data: bytes) -> None:
    """Writes a file that only its owner may read. It replaces an older one when it is complete."""
    from harvestdetect.util.disk import reason_of
    from harvestdetect.util.files import make_folder, replacing

    try:
        make_folder(file.parent)
        with replacing(file) as stream:
            stream.write(data)
    except OSError as error:
        raise OutputError(f"cannot write {file}: {reason_of(error)}; give --out another place") from None

"""Signatures between providers: whether a campaign is found again elsewhere, and whether innocents are.

    python -m benchmarks.signatures --data DIR [--world api,adaptive] [--half tuning|reporting] [--seeds 1]
        [--first-seed 0] [--rows 20000] [--kinds game,irc,forum,git,chat,service] [--innocent-rows 8000]
        [--work DIR] [--docs FILE]

Two dumps of each world have the same campaigns with other accounts, fillings, times and neighbours
(:mod:`benchmarks.signature_pairs`). The first is scanned, and every finding with a planted campaign is exported, as a
provider exports what its analysts have confirmed. The second is scanned with these signatures. Then innocent dumps
(:mod:`benchmarks.innocents`) are scanned with the signatures of all worlds. Dumps that lie in the folder of ``--work``
are used again, because they do not depend on the detector.

Whoever tries to rebuild prompts gets everything but the prompts of one account: the secret, every filling of the first
dump, and every sequence of words in it. The table says how many hashes of the file they explain, and how many of these
sequences have a word of a filling. Without ``--data``, the texts are those of the package's grammar.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, get_args

from benchmarks.innocents import lay as lay_innocent
from benchmarks.pages import publish
from benchmarks.planting import PlantedDump, write
from benchmarks.real_texts import Half
from benchmarks.signature_pairs import SIDES, lay_side
from benchmarks.world_sources import data_missing
from benchmarks.worlds import ROOT, commit_of
from harvestdetect import Detection, Settings, detect, read_dumps, write_outputs
from harvestdetect.simulate.evaluate import Planted, read_truth

__all__ = ["Matched", "main", "score", "tables"]

KINDS: Final = "game,irc,forum,git,chat,service"
DUMP: Final = "prompts.jsonl.gz"
"""Name of the dumps that :func:`benchmarks.planting.write` writes."""
WHOLE: Final = "whole"
"""File that marks the folder of a dump that was written to its end."""
MOSTLY: Final = 0.5
"""Share of the accounts of a group that must be of a planted campaign for the group to be that campaign."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """What one signature fitted in the second dump of its pair."""

    world: str
    campaign: str
    templates: int
    by: str
    """``template``, ``profile``, or empty if it fitted nothing."""
    right: bool
    """Whether it fitted the same campaign."""
    others: int
    """Other campaigns that it fitted."""
    innocents: int
    """Innocent groups that it fitted."""


def score(
    detection: Detection,
    truth: Sequence[Planted],
    names: Mapping[str, str],
    templates: Mapping[str, int],
    *,
    world: str,
) -> list[Matched]:
    """What each signature fitted.

    Args:
        detection: of the second dump.
        truth: its planted groups.
        names: signature -> the planted campaign that it describes.
        templates: signature -> its number of templates.
        world: name of the world.
    """
    members = {f.campaign_id: {m.account for m in f.members} for f in detection.findings}
    found = []
    for signature, campaign in sorted(names.items(), key=lambda pair: (pair[1], pair[0])):
        fits = [fit for fit in detection.signatures if fit.signature == signature]
        held = [main_group(members[f.campaign_id] if f.campaign_id else set(f.members), truth) for f in fits]
        right = [fit.by for fit, name in zip(fits, held, strict=True) if name == campaign]
        found.append(
            Matched(
                world=world,
                campaign=campaign,
                templates=templates[signature],
                by=right[0] if right else "",
                right=bool(right),
                others=sum(name not in ("", campaign) for name in held),
                innocents=sum(not name for name in held),
            )
        )
    return found


def main_group(accounts: set[str], truth: Sequence[Planted]) -> str:
    """The planted campaign that most of some accounts are of; empty if there is none."""
    for group in truth:
        if group.kind == "campaign" and len(accounts & set(group.accounts)) >= MOSTLY * len(accounts):
            return group.name
    return ""


def tables(found: Sequence[Matched], innocents: Mapping[str, tuple[int, int]], attack: Mapping[str, int]) -> str:
    """The results as Markdown.

    Args:
        found: of all pairs.
        innocents: kind -> prompts of its dump, and groups that some signature fitted.
        attack: figures of the attempts to rebuild prompts.
    """
    campaigns = sorted({(one.world, one.campaign) for one in found})
    again = {pair: any(one.right for one in found if (one.world, one.campaign) == pair) for pair in campaigns}
    lines = ["| world | campaign | signatures | with a template | found by | other campaigns | innocent groups |"]
    lines.append("|---|---|--:|--:|---|--:|--:|")
    for world, campaign in campaigns:
        mine = [one for one in found if (one.world, one.campaign) == (world, campaign)]
        by = ", ".join(sorted({one.by for one in mine if one.by})) or "not found"
        lines.append(
            f"| {world} | {campaign} | {len(mine)} | {sum(one.templates > 0 for one in mine)} | {by} | "
            f"{sum(one.others for one in mine)} | {sum(one.innocents for one in mine)} |"
        )
    worded = [p for p in campaigns if any(o.templates and (o.world, o.campaign) == p for o in found)]
    lines += [
        "",
        f"{sum(again.values())} of {len(campaigns)} exported campaigns are found again; of those whose signature has a "
        f"template, {sum(again[pair] for pair in worded)} of {len(worded)}.",
        "",
        "| innocent dump | prompts | groups that a signature fits |",
        "|---|--:|--:|",
        *(f"| {kind} | {prompts:,} | {count} |" for kind, (prompts, count) in innocents.items()),
        "",
        f"All {attack['tried']:,} sequences of words of the first dumps were tried on {attack['hashes']:,} hashes: "
        f"{attack['explained']:,} hashes are explained, {attack['filled']:,} of them by a sequence with a word that "
        f"fewer than {attack['least']} accounts of the campaign sent.",
        "",
    ]
    return "\n".join(lines)


# ---------------------------------------------------------------- running


def _texts(given: argparse.Namespace) -> str:
    """Names the texts that the dumps are made of."""
    return "grammar" if given.data is None else str(given.half)


def _laid(folder: Path, lay: Callable[[], PlantedDump]) -> Path:
    """A dump and its truth in a folder, laid unless both are there.

    Args:
        folder: of the dump.
        lay: makes it.
    """
    dump = folder / DUMP
    if not (folder / WHOLE).exists():
        write(lay(), folder)
        (folder / WHOLE).touch()
    return dump


def _detected(dump: Path, shared: Any = None) -> Detection:
    settings = Settings(workers=1)
    return detect(read_dumps([str(dump)], settings=settings), settings=settings, shared=shared)


def _pair(world: Any, seed: int, given: argparse.Namespace, keys: Any, work: Path) -> tuple[list[Matched], Any, Any]:
    """Lays and scans one pair.

    Returns:
        what was matched; the signatures that were exported; what an attacker explained of their hashes.
    """
    from harvestdetect.signatures import Request, Shared, export_signatures, opened, sealed

    dumps = []
    for side in range(SIDES):
        folder = work / "-".join((_texts(given), world, str(seed), str(side), str(given.rows)))
        lay = partial(lay_side, world, side, half=given.half, seed=seed, rows=given.rows, data=given.data)
        dumps.append(_laid(folder, lay))
        _say(f"{world}, seed {seed}: side {side} is laid")
    first = _detected(dumps[0])
    out = dumps[0].parent / "scan"
    write_outputs(first, out)
    truth = read_truth(dumps[0].parent)
    planted = {f.campaign_id: main_group({m.account for m in f.members}, truth) for f in first.findings}
    confirmed = tuple(campaign for campaign, name in planted.items() if name)
    exported = export_signatures(Request(folder=out, campaigns=confirmed, secret=keys.secret), keys.private)
    file = opened(sealed(exported.content, keys.private), name=world)
    second = _detected(dumps[1], Shared(files=(file,), secret=keys.secret))
    names = {signature: planted[campaign] for signature, campaign in exported.names.items()}
    templates = {one.id: len(one.templates) for one in exported.content.campaigns}
    found = score(second, read_truth(dumps[1].parent), names, templates, world=world)
    _say(f"  {len(confirmed)} findings exported, {sum(one.right for one in found)} signatures fit their campaign")
    return found, file, _attacked(dumps[0], out, exported, keys.secret)


def _attacked(dump: Path, out: Path, exported: Any, secret: bytes) -> dict[str, int]:
    """Tries every sequence of words of a dump on the hashes of a file made from it."""
    from harvestdetect.context import open_context
    from harvestdetect.signatures.shingles import find_shingles, hasher, senders_of, shingles_of
    from harvestdetect.stages.reading import read_corpus
    from harvestdetect.template.tokens import folded_words

    content = exported.content
    hash_of = hasher(content.hashing, secret)
    runs = [run for one in content.campaigns for template in one.templates for run in template.runs]
    number = {h: i for i, h in enumerate(sorted({h for run in runs for h in run.shingles}))}
    settings = Settings(workers=1)
    corpus = read_corpus(read_dumps([str(dump)], settings=settings), open_context(settings), None).corpus
    known: dict[str, int] = {}
    tried: set[str] = set()
    for text in corpus.text:
        for shingle in shingles_of(folded_words(text), content.hashing.words):
            if shingle not in tried:
                tried.add(shingle)
                if (place := number.get(hash_of(shingle))) is not None:
                    known[shingle] = place
    words = {word: i for i, word in enumerate(sorted({w for shingle in known for w in shingle.split()}))}
    sent = senders_of(corpus, find_shingles(corpus, words, size=1))
    members = _members(out, exported.names.values())
    own = [i for i, name in enumerate(corpus.prompts.accounts.to_pylist()) if name in members]
    users: dict[int, set[int]] = {}
    for word, account in zip(sent.shingle.tolist(), sent.account.tolist(), strict=True):
        users.setdefault(word, set()).add(account)
    inside = set(own)
    rare = {word for word, i in words.items() if len(users.get(i, set()) & inside) < content.least_accounts}
    return {
        "tried": len(tried),
        "hashes": len(number),
        "explained": len(set(known.values())),
        "filled": sum(bool(rare & set(shingle.split())) for shingle in known),
        "least": content.least_accounts,
    }


def _members(out: Path, campaigns: Iterable[str]) -> set[str]:
    from harvestdetect.report.read import csv_rows
    from harvestdetect.util.escape import csv_text

    chosen = set(campaigns)
    rows = csv_rows(out / "accounts.csv", ("account", "campaign_id"))
    return {csv_text(row["account"]) for _, row in rows if csv_text(row["campaign_id"]) in chosen}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Keys:
    private: Any
    secret: bytes


def _keys(work: Path) -> _Keys:
    from harvestdetect.signatures.keys import new_pair, new_secret, private_key, read_secret

    for name, make in (("issuer.pem", new_pair), ("shared.key", new_secret)):
        if not (work / name).exists():
            make(work / name)
    return _Keys(private=private_key(work / "issuer.pem"), secret=read_secret(work / "shared.key"))


def _measured(given: argparse.Namespace, work: Path) -> str:
    from harvestdetect.signatures import Shared

    keys = _keys(work)
    found: list[Matched] = []
    files = []
    attack: dict[str, int] = {}
    for world in given.world:
        for seed in range(given.first_seed, given.first_seed + given.seeds):
            matched, file, tried = _pair(world, seed, given, keys, work)
            found += matched
            files.append(file)
            attack = {n: (v if n == "least" else attack.get(n, 0) + v) for n, v in tried.items()}
    innocents = {}
    for kind in given.kinds:
        folder = work / "-".join((_texts(given), kind, str(given.first_seed), str(given.innocent_rows)))
        dump = _laid(
            folder,
            partial(
                lay_innocent, kind, half=given.half, seed=given.first_seed, rows=given.innocent_rows, data=given.data,
                metadata=True,
            ),
        )  # fmt: skip
        found_there = _detected(dump, Shared(files=tuple(files), secret=keys.secret))
        innocents[kind] = int(found_there.counts["prompts"]), len(found_there.signatures)
        _say(f"{kind}: {innocents[kind][0]:,} prompts, {innocents[kind][1]} fits")
    return tables(found, innocents, attack)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.signatures", description="Signatures, elsewhere.")
    parser.add_argument("--data", type=Path, help="folder with the public texts; none takes the package's grammar")
    parser.add_argument("--world", default="api,adaptive", help="api, adaptive or both, with a comma")
    parser.add_argument("--half", default="tuning", choices=get_args(Half))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--rows", type=int, default=20_000, help="about the number of rows of a dump of a pair")
    parser.add_argument("--kinds", default=KINDS, help="kinds of innocent dumps, with commas; empty for none")
    parser.add_argument("--innocent-rows", type=int, default=8_000)
    parser.add_argument(
        "--work", type=Path, help="folder for dumps and keys, kept for the next time; a temporary one unless named"
    )
    parser.add_argument("--docs", type=Path, help="Markdown page whose section is replaced")
    given = parser.parse_args(arguments)
    given.world = given.world.split(",")
    given.kinds = [kind for kind in given.kinds.split(",") if kind]
    if given.data is not None and (missing := data_missing(given.data)):
        raise SystemExit(f"{given.data} lacks {missing[0]}.jsonl.gz")
    with tempfile.TemporaryDirectory() as temporary:
        work = given.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        text = _measured(given, work)
    shown = f"python -m benchmarks.signatures --data DIR --half {given.half} --first-seed {given.first_seed}"
    publish(text, given.docs, "signatures", command=f"{shown} --rows {given.rows}", commit=commit_of(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What a signature file does not have: fillings, hashes of fillings, accounts, names of files, rare words."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harvestdetect import read_dumps
from harvestdetect.context import open_context
from harvestdetect.corpus.by_prompt import parts_by_prompt
from harvestdetect.embed.encoders import load_encoder
from harvestdetect.signatures import Exported
from harvestdetect.signatures.apart import alike_findings
from harvestdetect.signatures.cells import codebook_of
from harvestdetect.signatures.keys import read_secret
from harvestdetect.signatures.making import GroupTemplate, Naming, Seen, SignatureGroup, describe_groups
from harvestdetect.signatures.shingles import hasher, shingles_of, words_of
from harvestdetect.stages.reading import read_corpus
from tests.signatures.conftest import Issuer
from tests.signatures.providers import FEW, POPULAR, SETTINGS, fillings


def prompts_of(issuer: Issuer) -> list[str]:
    return [json.loads(line)["prompt"] for line in issuer.dump.read_text(encoding="utf-8").splitlines()]


def hashes_of(exported: Exported) -> set[str]:
    return {
        one
        for campaign in exported.content.campaigns
        for template in campaign.templates
        for run in template.runs
        for one in run.shingles
    }


@pytest.mark.parametrize("kind", ["keyed", "plain"])
def test_a_dictionary_attack_with_all_prompts_finds_fixed_words_only(
    kind: str, issuer: Issuer, request: pytest.FixtureRequest
) -> None:
    """The attacker has the secret, every filling and every prompt, and hashes every sequence of words in them."""
    exported, _ = request.getfixturevalue(kind)
    hashing = exported.content.hashing
    hash_of = hasher(hashing, read_secret(issuer.secret) if kind == "keyed" else None)
    hashes = hashes_of(exported)
    assert hashes
    fixed = set(shingles_of(words_of(POPULAR), hashing.words))
    rebuilt = set()
    for prompt in prompts_of(issuer):
        rebuilt |= {s for s in shingles_of(words_of(prompt), hashing.words) if hash_of(s) in hashes}
    assert rebuilt == fixed
    assert {hash_of(s) for s in rebuilt} == hashes


def test_no_hash_of_any_length_of_words_with_a_filling_is_in_the_file(
    keyed: tuple[Exported, bytes], issuer: Issuer
) -> None:
    hashing = keyed[0].content.hashing
    hash_of, hashes = hasher(hashing, read_secret(issuer.secret)), hashes_of(keyed[0])
    filled = {word for a, n in itertools.product(range(40), range(12)) for word in fillings(1, a, n)}
    tried = 0
    for prompt in prompts_of(issuer)[: 40 * 12]:
        words = words_of(prompt)
        for size in range(1, 9):
            for shingle in shingles_of(words, size):
                if filled & set(shingle.split()):
                    tried += 1
                    assert hash_of(shingle) not in hashes
    assert tried > 10_000


@pytest.mark.parametrize("kind", ["keyed", "plain"])
def test_the_bytes_have_no_filling_no_account_and_no_name(
    kind: str, issuer: Issuer, request: pytest.FixtureRequest
) -> None:
    exported, raw = request.getfixturevalue(kind)
    text = raw.decode("ascii").casefold()
    for target in {one for campaign in exported.content.campaigns for one in campaign.targets}:
        text = text.replace(target.casefold(), "")  # these are terms of this program
    for account, number in itertools.product(range(40), range(12)):
        assert not any(word in text for word in fillings(1, account, number))
    for row in map(json.loads, issuer.dump.read_text(encoding="utf-8").splitlines()):
        assert row["account"] not in text
    assert "pool-" not in text
    assert "dump.jsonl" not in text
    assert str(issuer.folder) not in text
    for campaign in exported.names.values():
        assert campaign.removeprefix("c-") not in text
    words = {word for word in words_of(POPULAR) if len(word) > 4}
    assert words
    assert not any(f'"{word}' in text or f" {word}" in text for word in words)


def test_words_that_four_accounts_sent_are_left_out(keyed: tuple[Exported, bytes], issuer: Issuer) -> None:
    hash_of, hashes = hasher(keyed[0].content.hashing, read_secret(issuer.secret)), hashes_of(keyed[0])
    size = keyed[0].content.hashing.words
    assert not hashes & {hash_of(s) for s in shingles_of(words_of(FEW), size)}


def test_revealed_words_are_fixed_words(issuer: Issuer) -> None:
    exported, raw = issuer.export(reveal=True)
    shown = {
        word
        for campaign in exported.content.campaigns
        for template in campaign.templates
        for run in template.runs
        for word in (run.text or "").split()
    }
    assert set(words_of(POPULAR)) <= shown
    assert shown <= {*words_of(POPULAR), "explain", "and", "case", "?"}
    for account, number in itertools.product(range(40), range(12)):
        assert not any(word.encode() in raw for word in fillings(1, account, number))


def test_more_accounts_may_be_asked_for(issuer: Issuer) -> None:
    """With more accounts than the campaign has, nothing of it is left but rounded numbers."""
    exported, _ = issuer.export(least_accounts=41)
    for campaign in exported.content.campaigns:
        assert not campaign.templates
        assert not campaign.profile
        assert not any((*campaign.form.lengths, *campaign.form.signs))


def test_cells_and_sizes_are_rounded(keyed: tuple[Exported, bytes]) -> None:
    for campaign in keyed[0].content.campaigns:
        sizes = (campaign.sizes.accounts, campaign.sizes.prompts, campaign.form.words)
        assert all(size.bit_count() == 1 for size in sizes)
        assert all(cell.share % 5 == 0 for cell in campaign.profile)
        assert all(share % 50 == 0 for share in (*campaign.form.lengths, *campaign.form.signs))
        assert campaign.tempo is not None
        assert all(share % 25 == 0 for share in campaign.tempo.hours)


def test_a_secret_is_needed_to_try_words(keyed: tuple[Exported, bytes]) -> None:
    """Without the secret, all shingles of the true template lead nowhere."""
    content = keyed[0].content
    hashes = hashes_of(keyed[0])
    for hash_of in (
        hasher(replace(content.hashing, method="sha256"), None),
        hasher(content.hashing, bytes(32)),
    ):
        assert not {hash_of(s) for s in shingles_of(words_of(POPULAR), content.hashing.words)} & hashes


def test_words_of_everybody_are_not_exported(issuer: Issuer, cache: Path) -> None:
    """If others send the same words, they are not the campaign's and would accuse these others."""
    settings = SETTINGS.replace(cache=cache)
    context = open_context(settings)
    corpus = read_corpus(read_dumps([str(issuer.dump)], settings=settings), context, None).corpus
    encoder = load_encoder("wording", settings=settings)
    names = corpus.prompts.accounts.to_pylist()
    own = {i for i, name in enumerate(names) if name.startswith("pool-") and int(name.rsplit("-", 1)[1]) < 20}
    prompts = np.flatnonzero(np.isin(corpus.prompts.account, sorted(own)))
    group = SignatureGroup(
        id="s-" + "0" * 12, targets=(), prompts=prompts,
        templates=(GroupTemplate(words=("Explain", None, POPULAR), prompts=prompts),),
    )  # fmt: skip
    naming = Naming(size=3, hash_of=str.upper, least_accounts=5)

    def exported(outsiders: int) -> list[str]:
        """The words that leave if so many accounts that send them too are in no finding."""
        others = [i for i, name in enumerate(names) if name.startswith("pool-") and i not in own]
        outside = np.zeros(len(names), bool)
        outside[others[:outsiders]] = True
        seen = Seen(
            corpus=corpus, parts=parts_by_prompt(corpus), vectors=encoder.encode(list(corpus.text)),
            cells=codebook_of(encoder), outside=outside,
        )  # fmt: skip
        (described,) = describe_groups([group], seen, naming)
        return [one for template in described.templates for run in template.runs for one in run.shingles]

    assert exported(4) == [one.upper() for one in shingles_of(words_of(POPULAR), 3)]
    assert exported(5) == []


def test_a_finding_that_nothing_tells_from_another_is_told(issuer: Issuer, cache: Path) -> None:
    """Two halves of one campaign, without a template that may leave, and another group."""
    settings = SETTINGS.replace(cache=cache)
    corpus = read_corpus(
        read_dumps([str(issuer.dump)], settings=settings), open_context(settings), registry=None
    ).corpus
    encoder = load_encoder("wording", settings=settings)
    names = corpus.prompts.accounts.to_pylist()
    own = [i for i, name in enumerate(names) if name.startswith("pool-")]
    people = [i for i, name in enumerate(names) if not name.startswith("pool-")]
    first, second, others = (
        SignatureGroup(
            id=f"s-{number:012x}", targets=(), templates=(),
            prompts=np.flatnonzero(np.isin(corpus.prompts.account, accounts)),
        )
        for number, accounts in enumerate((own[:20], own[20:], people))
    )  # fmt: skip
    seen = Seen(
        corpus=corpus, parts=parts_by_prompt(corpus), vectors=encoder.encode(list(corpus.text)),
        cells=codebook_of(encoder), outside=np.ones(len(names), bool),
    )  # fmt: skip
    described = describe_groups([first, others], seen, Naming(size=3, hash_of=str.upper, least_accounts=5))
    ((signature, other, like),) = alike_findings(described, [first, second, others], seen)
    assert (signature, other) == (first.id, second.id)
    assert like > 0.9
    assert not list(alike_findings(described[:1], [first, others], seen))
    assert not list(alike_findings(described[:1], [first], seen))

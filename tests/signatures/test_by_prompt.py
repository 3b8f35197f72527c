"""Signatures and single prompts: a campaign is found without any group of the scan, and innocent prompts are not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harvestdetect import read_dumps
from harvestdetect.context import open_context
from harvestdetect.corpus.by_prompt import first_rows, parts_by_prompt
from harvestdetect.data import SignatureFit
from harvestdetect.embed.encoders import load_encoder
from harvestdetect.signatures import Exported, Shared, opened, sealed
from harvestdetect.signatures.cells import codebook_of
from harvestdetect.signatures.keys import private_key, read_secret
from harvestdetect.signatures.matching import Scanned, ScannedCandidate, match_signatures
from harvestdetect.signatures.show import fit_sentence
from harvestdetect.signatures.style import Style, affinity, style_of
from harvestdetect.signatures.values import SIGNS
from harvestdetect.stages.reading import read_corpus
from tests.signatures.conftest import Issuer
from tests.signatures.providers import SETTINGS, lay


def scanned(dump: Path, cache: Path) -> Scanned:
    """A dump in which nothing was found."""
    settings = SETTINGS.replace(cache=cache)
    corpus = read_corpus(read_dumps([str(dump)], settings=settings), open_context(settings), None).corpus
    encoder = load_encoder("wording", settings=settings)
    return Scanned(
        corpus=corpus, parts=parts_by_prompt(corpus), vectors=encoder.encode(list(corpus.text)),
        cells=codebook_of(encoder), candidates=(),
    )  # fmt: skip


@pytest.fixture(scope="module")
def wordless(keyed: tuple[Exported, bytes], issuer: Issuer) -> Shared:
    """The signatures as if no template might leave."""
    content = keyed[0].content
    content = replace(content, campaigns=tuple(replace(one, templates=()) for one in content.campaigns))
    file = opened(sealed(content, private_key(issuer.key)), name="wordless")
    return Shared(files=(file,), secret=read_secret(issuer.secret))


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Scanned:
    return scanned(lay(tmp_path_factory.mktemp("elsewhere") / "dump.jsonl", 2), cache)


@pytest.fixture(scope="module")
def found(wordless: Shared, elsewhere: Scanned) -> SignatureFit:
    (fit,) = match_signatures(wordless, elsewhere)
    return fit


def test_a_campaign_is_found_though_the_scan_has_no_group_of_it(found: SignatureFit) -> None:
    assert (found.by, found.campaign_id, found.accounts) == ("prompts", None, 40)
    assert set(found.members) == {f"pool-2-{i}" for i in range(40)}
    assert min(found.profile, found.form) > 0.9
    assert found.shingles == found.found == found.rest == 0
    assert "40 accounts in no finding: by single prompts, alike to" in fit_sentence(found)


def test_nothing_fits_where_the_campaign_is_not(wordless: Shared, tmp_path: Path, cache: Path) -> None:
    assert match_signatures(wordless, scanned(lay(tmp_path / "dump.jsonl", 3, campaign=False), cache)) == ()


def test_accounts_of_a_finding_are_not_reported_beside_it(
    wordless: Shared, elsewhere: Scanned, found: SignatureFit
) -> None:
    """The finding is about something else, so the signature does not fit it."""
    prompts = elsewhere.corpus.prompts
    names = prompts.accounts.to_pylist()
    members = np.array([i for i, name in enumerate(names) if name in found.members or name.endswith("7")])
    other = np.flatnonzero([not names[account].startswith("pool-") for account in prompts.account])
    finding = ScannedCandidate(campaign_id="c-1", tier="review", accounts=members, prompts=other)
    assert match_signatures(wordless, replace(elsewhere, candidates=(finding,))) == ()


def test_a_signature_with_words_is_not_compared_with_single_prompts(
    keyed: tuple[Exported, bytes], issuer: Issuer, tmp_path: Path, cache: Path
) -> None:
    """Another campaign on the same subjects, in the same manner, with other words."""
    dump = lay(tmp_path / "dump.jsonl", 2)
    text = dump.read_text(encoding="utf-8")
    dump.write_text(text.replace("inside trace tags and then give", "within note marks before you state"), "utf-8")
    shared = Shared(files=(opened(keyed[1], name="keyed"),), secret=read_secret(issuer.secret))
    assert {fit.by for fit in match_signatures(shared, scanned(dump, cache))} <= {"template"}


def test_the_style_of_a_group(tmp_path: Path, cache: Path) -> None:
    dump = tmp_path / "dump.jsonl"
    texts = ["is it so?", "one two three four", "a (b) is 7?", "one two three four."]
    rows = [{"account": f"a{i}", "prompt": [{"role": "system", "content": "#!"}, {"role": "user", "content": text}]}
            for i, text in enumerate(texts)]  # fmt: skip
    dump.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    corpus = scanned(dump, cache).corpus
    style = style_of(corpus, parts_by_prompt(corpus), np.flatnonzero(first_rows(corpus.prompts)))
    assert style.lengths[:4] == (0, 250, 750, 0)
    shares = dict(zip(SIGNS, style.signs, strict=True))
    assert (shares["?"], shares["."], shares["()"], shares["0123456789"]) == (500, 250, 250, 250)
    assert (shares["!"], shares["#@&$"]) == (0, 0), "system prompts are not read"
    few = style_of(corpus, parts_by_prompt(corpus), np.arange(4), least_accounts=2)
    assert few.lengths[:4] == (0, 0, 750, 0)
    assert dict(zip(SIGNS, few.signs, strict=True))["()"] == 0, "one account sent it"


def test_styles_are_alike_up_to_rounding() -> None:
    one = Style(lengths=(0, 0, 1_000, *(0,) * 9), signs=(0, 500, *(0,) * 13))
    assert affinity(one, one) == pytest.approx(1)
    assert affinity(one, replace(one, signs=(50, 500, *(0,) * 13))) > 0.98
    assert affinity(one, replace(one, signs=(1_000, 500, *(0,) * 13))) < 0.4
    assert affinity(one, replace(one, lengths=(0, 1_000, *(0,) * 10))) < 0.6

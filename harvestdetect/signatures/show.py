"""Signatures and what they fit, in words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from harvestdetect.data import SignatureFit
from harvestdetect.report.format import plural
from harvestdetect.signatures.by_profile import together
from harvestdetect.signatures.envelope import Opened
from harvestdetect.signatures.values import HOUR_PARTS, SignedCampaign, TemplateShape

__all__ = ["campaign_lines", "fit_sentence", "head_lines"]


def head_lines(file: Opened) -> Iterator[str]:
    """Who signed a file, until when it is used, and how its hashes were made. Names are not escaped."""
    content, hashing = file.content, file.content.hashing
    yield f"issuer     {content.issuer.name or 'without a name'}, key {file.issuer}"
    yield f"created    {content.created}, used until {content.expires}{' (expired)' if file.expired() else ''}"
    how = "SHA-256 without a secret" if hashing.method == "sha256" else f"HMAC-SHA-256 with the secret {hashing.secret}"
    yield f"hashes     of {hashing.words} words each, {how}"
    yield f"accounts   what fewer than {content.least_accounts} accounts sent is not in the file"
    yield f"campaigns  {len(content.campaigns):,}"


def campaign_lines(campaign: SignedCampaign, names: Mapping[str, str] | None = None) -> Iterator[str]:
    """What one signature says, a line each. Texts of the file are not escaped.

    Args:
        campaign: the signature.
        names: signature -> campaign, for its issuer.
    """
    known = (names or {}).get(campaign.id)
    sizes, form = campaign.sizes, campaign.form
    yield (
        f"{campaign.id}{f' = {known}' if known else ''}: about {plural(sizes.accounts, 'account')} and "
        f"{plural(sizes.prompts, 'prompt')}"
    )
    if campaign.targets:
        yield f"  after {', '.join(campaign.targets)}"
    for template in campaign.templates:
        yield f"  template of {template.share / 10:.0f} % of the prompts: {_skeleton(template)}"
        if any(run.text is not None for run in template.runs):
            yield f"    {' [...] '.join(run.text or '' for run in template.runs)}"
    yield f"  profile of {plural(len(campaign.profile), 'cell')}"
    yield f"  prompts of about {plural(form.words, 'word')}, {form.system / 10:.0f} % with a system prompt"
    if (tempo := campaign.tempo) is not None:
        busiest = max(range(HOUR_PARTS), key=lambda part: tempo.hours[part])
        hours = 24 // HOUR_PARTS
        yield (
            f"  about {tempo.per_day / 10:g} prompts of an account a day, over about {plural(tempo.days, 'day')}, most "
            f"from {hours * busiest}:00 to {hours * (busiest + 1)}:00 UTC"
        )
    yield (
        f"  about {campaign.list.each / 10:g} prompts an account; "
        f"{campaign.list.repeated / 10:.0f} % of them sent by several accounts"
    )


def _skeleton(template: TemplateShape) -> str:
    """Numbers of words with dots for slots, and the number of hashes."""
    runs = " ... ".join(str(run.words) for run in template.runs)
    before = "... " if template.begins == "slot" else ""
    after = " ..." if template.ends == "slot" else ""
    hashes = sum(len(run.shingles) for run in template.runs)
    return f"{before}{runs}{after} words, {plural(hashes, 'hash', 'hashes')}"


def fit_sentence(fit: SignatureFit) -> str:
    """How one signature fits, in a sentence."""
    where = f"{fit.campaign_id} ({fit.tier})" if fit.campaign_id else f"{plural(fit.accounts, 'account')} in no finding"
    if fit.by == "template":
        what = f"{plural(fit.accounts, 'account')} sent {fit.found:,} of its {plural(fit.shingles, 'shingle')}"
        what += f" in {plural(fit.prompts, 'prompt')}, {_percent(fit.words)} of them in a prompt"
    else:
        alike = together(fit.profile, (fit.form, fit.tempo, fit.list_shape))
        which = "by single prompts" if fit.by == "prompts" else "without its words"
        what = f"{which}, alike to {_percent(alike)} ({_percent(fit.rest)} for the next group)"
        if fit.shingles:
            what += f", with {fit.found:,} of its {plural(fit.shingles, 'shingle')}: it may be another campaign"
    likeness = {"profile": fit.profile, "form": fit.form, "tempo": fit.tempo, "list": fit.list_shape}
    also = ", ".join(f"{name} {_percent(value)}" for name, value in likeness.items() if not math.isnan(value))
    return f"signature {fit.signature} of {fit.issuer} fits {where}: {what}; {also}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"

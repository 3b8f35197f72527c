"""Titles of findings: what the prompts ask for, in their own words.

A title has up to three parts: the capability target, the language where it is not English, and words of the prompts.
The words are fixed words of the largest templates. Where there are hardly any, as in reworded prompts or in groups of
alike accounts, they are words that are common in the finding and rare in the dump.

Only fixed words of templates and words of several accounts are used. What fills a slot is not quoted. So a title shows
no more of the prompts than the templates of the finding do with their examples. It depends on the content of the dump,
never on the order of its rows.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from harvestdetect.corpus.by_prompt import cluster_texts
from harvestdetect.corpus.normalize import normalize
from harvestdetect.data import Campaign, Template
from harvestdetect.evidence.candidate import ScanData
from harvestdetect.judge.title_words import WordUse, distinctive, usual_words
from harvestdetect.util.arrays import unique
from harvestdetect.util.escape import INVISIBLE
from harvestdetect.util.languages import language_of
from harvestdetect.util.redact import redact
from harvestdetect.util.words import words

__all__ = ["LONGEST", "TitleMaterial", "material_of", "title_of", "usual_words"]

LONGEST: Final = 220
"""Characters of a title at most."""
ROOM: Final = 130
"""Characters of the words of a single template. Chosen."""
ROOM_OF_SEVERAL: Final = 165
"""Characters of the words of several templates together. Chosen."""
QUOTED: Final = 3
"""Templates that a title quotes at most. Chosen."""
LEAST_PART: Final = 0.15
"""Share of the prompts of a finding that a template needs to be quoted beside the largest one. Chosen."""
TEXTS: Final = 60
"""Texts of a finding that are read for its words and its language. Chosen."""
TELLING: Final = 14.0
"""Bits that the fixed words of a template must say, see :meth:`~harvestdetect.judge.title_words.WordUse.rarity`, to be
quoted alone. With fewer, distinctive words stand beside them. Chosen."""
LEAST_QUOTED: Final = 8.0
"""Bits that the fixed words of a template must say to be quoted at all. Chosen."""
LEAST_WORDS: Final = 4
"""Words of a quotation at least. Chosen."""
COVERED: Final = 0.4
"""Share of the prompts of a finding that the quoted templates must have. Chosen."""
MOST_OF_ONE: Final = 8.0
"""Bits that one word counts at most. Chosen."""
LEADS: Final = 0.5
"""Share of the bits per character of the most telling sentence from which an earlier sentence leads. Chosen."""
LEAST_BITS: Final = 6.0
"""Bits of a sentence that leads. Chosen."""
LEAST_ROOM: Final = 30
"""Characters that must be left for a sentence to be added in part. Chosen."""
JOINING: Final = 3
"""Characters between two sentences that do not follow each other."""
WORDS: Final = 6
"""Distinctive words of a title at most. Chosen."""
WORDS_BESIDE: Final = 3
"""Distinctive words beside a quotation that says little. Chosen."""
ONE_LANGUAGE: Final = 0.6
"""Share of the texts whose language is known that one language needs to be named. Chosen."""
PART_OF_LANGUAGES: Final = 0.05
"""Share of these texts that a language needs to be counted among several. Chosen."""
LEAST_LANGUAGES: Final = 2
"""Languages besides English from which prompts are said to be in several. Chosen."""
LEAST_SAID: Final = 3
"""Distinctive words from which prompts in several languages are told by them. Chosen."""
_SEVERAL: Final = " in several languages"
SLOT: Final = "…"
"""What stands for a slot."""

HEADS: Final[Mapping[str, str]] = {
    "reasoning traces": "Step-by-step reasoning",
    "response patterns": "Response patterns and tool calls",
    "safety behaviour": "Safety limits and refusals",
    "coding": "Program code",
    "writing style": "Writing style",
    "knowledge boundaries": "Knowledge and its limits",
    "rubric grading": "Grading of answers",
    "task generation": "New tasks and questions",
    "trace translation": "Translated reasoning",
}
"""Capability target -> how a title names it."""
_CUES: Final[Mapping[str, re.Pattern[str]]] = {
    target: re.compile(pattern, re.IGNORECASE)
    for target, pattern in {
        "reasoning traces": r"step[- ]by[- ]step|reason|thought|think|work through|stream of consc|rationale|each step",
        "response patterns": r"\btools?\b|function call|\baction\b|json\b|as an? (agent|assistant)",
        "safety behaviour": r"refus|unsafe|safety|harmful|decline|policy|jailbreak|the line",
        "coding": r"\bcode\b|function|program|docstring|unit tests?|\bsql\b|python|\bapi\b|refactor",
        "writing style": r"\bstory\b|monologue|poem|in the style|character|essay|rewrite|first person|dialogue",
        "knowledge boundaries": r"confiden|certain|do(es)? not know|\bfacts?\b|knowledge|explain what",
        "rubric grading": r"\bscor(e|es|ing)\b|\brat(e|ing)\b|grad(e|er|ing)\b|\bjudge|rubric|critique|evaluat|prefer",
        "task generation": r"problems?\b|questions?\b|exercises?\b|\btasks?\b|quiz|exam",
        "trace translation": r"translat|clean up|rephrase|rewrite",
    }.items()
}
"""Capability target -> what its requests say in English. It orders the targets of a finding and names none."""
_TAG: Final = re.compile(r"<([A-Za-z][\w-]{1,24})>")
_STOP: Final = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])\s*|\s*\n\s*")
_MARKS: Final = re.compile(r"^[\s#*>\-–•|=_~`.,;:]+|[\s#*>|=_~`]+$")
_BEFORE_MARK: Final = re.compile(r"… (?=[.,;:!?)\]}»”'’])")
_DOTS: Final = re.compile(r"…[\s….,;:]*…")
_QUOTES: Final = str.maketrans({"“": "'", "”": "'", "„": "'", '"': "'", "«": "'", "»": "'"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TitleMaterial:
    """What the title of a finding is made of."""

    templates: tuple[Template, ...]
    """The largest first."""
    targets: tuple[str, ...]
    """Capability targets, the clearest first."""
    texts: tuple[str, ...]
    """Some of its texts, each of another account, redacted."""


def material_of(
    campaign: Campaign, scan: ScanData, *, templates: Sequence[Template], targets: Sequence[str]
) -> TitleMaterial:
    """What the title of a finding is made of.

    Args:
        campaign: the finding.
        scan: data of the scan.
        templates: of the finding, the largest first.
        targets: its capability targets.
    """
    segments = [scan.assigned[int(c)].cluster.segments for c in campaign.clusters]
    # one prompt of each account, so that a word of several texts is a word of several accounts
    _, first = np.unique(scan.corpus.prompts.account[campaign.prompts], return_index=True)
    texts, _ = cluster_texts(
        scan.corpus, scan.parts, campaign.prompts[first], unique(np.concatenate(segments)), at_most=TEXTS
    )
    return TitleMaterial(
        templates=tuple(templates), targets=tuple(targets), texts=tuple(redact(text) for text in texts)
    )


def title_of(material: TitleMaterial, usual: WordUse) -> str:
    """The title of a finding: one line of at most :data:`LONGEST` characters, without invisible characters.

    Args:
        material: of the finding.
        usual: how common words are in the dump.
    """
    quoted, told = _quotations(material.templates, usual, material.targets)
    said: list[str] = []
    if told < TELLING:
        said = distinctive(material.texts, usual, at_most=WORDS_BESIDE if quoted else WORDS)
    language = _language(material.texts)
    if language == _SEVERAL and len(said) < LEAST_SAID:
        said = []
    fixed = " ".join(run for template in material.templates for run in template.words if run)
    target = _head(material.targets, f"{fixed} {' '.join(said)}", certain=bool(quoted))
    more = len(material.templates) - len(quoted)
    if quoted:
        kind = target or (f"{len(material.templates)} templates" if more else "")
        line = f"{kind}{language}: " if kind or language else ""
        line += ", ".join(f"“{quote}”" for quote in quoted)
        line += f" and {more} more" if more and len(quoted) > 1 else ""
        line += f" ({', '.join(said)})" if said else ""
    else:
        line = f"{target or 'Prompts'}{language} without fixed wording"
        line += f": {', '.join(said)}" if said else ""
    line = _clean(line)
    line = line[:1].upper() + line[1:]
    return line if len(line) <= LONGEST else line[: LONGEST - 1].rstrip() + SLOT


def _clean(text: str) -> str:
    """One line without invisible characters."""
    return " ".join(INVISIBLE.sub("", " ".join(text.split())).split())


# ---------------------------------------------------------------- target and language


def _head(targets: Sequence[str], fixed: str, *, certain: bool) -> str:
    """The capability target: of those of the finding, the one that its words speak of most.

    Args:
        targets: of the finding.
        fixed: the fixed words of its templates, and its distinctive words.
        certain: name no target that these words do not speak of.
    """
    known = [target for target in targets if target in HEADS]
    if not known:
        return ""
    found = {target: [match.start() for match in _CUES[target].finditer(fixed)] for target in known}
    first = min(known, key=lambda target: (-len(found[target]), min(found[target], default=0), known.index(target)))
    if certain and not found[first]:
        return ""
    head = HEADS[first]
    if first == "reasoning traces" and (tag := _TAG.search(fixed)):
        head += f" in <{tag[1]}> tags"
    return head


def _language(texts: Sequence[str]) -> str:
    """`` in German`` for prompts in one language that is not English, `` in several languages``, or nothing."""
    found = Counter(filter(None, map(language_of, texts)))
    known = found.total()
    if not known:
        return ""
    used = [name for name, count in found.items() if count >= max(2, PART_OF_LANGUAGES * known) and name != "English"]
    (first, most) = min(found.items(), key=lambda item: (-item[1], item[0]))
    if most >= ONE_LANGUAGE * known and most > 1:
        return "" if first == "English" else f" in {first}"
    return _SEVERAL if len(used) >= LEAST_LANGUAGES else ""


# ---------------------------------------------------------------- quotations


def _quotations(templates: Sequence[Template], usual: WordUse, targets: Sequence[str]) -> tuple[list[str], float]:
    """Words of the largest templates, and the bits that they say."""
    whole = sum(template.prompts for template in templates)
    large = [t for i, t in enumerate(templates[:QUOTED]) if i == 0 or t.prompts >= LEAST_PART * whole]
    room = ROOM if len(large) < 2 else ROOM_OF_SEVERAL // len(large)
    quoted: list[str] = []
    told, covered = 0.0, 0
    for template in large:
        text, bits = _quotation(template.words, usual, room, targets)
        if bits >= LEAST_QUOTED and sum(map(_says, words(text))) >= LEAST_WORDS and text not in quoted:
            quoted.append(text)
            told += bits
            covered += template.prompts
    return (quoted, told) if covered >= COVERED * whole else ([], 0.0)


def _quotation(fixed: Sequence[str | None], usual: WordUse, room: int, targets: Sequence[str]) -> tuple[str, float]:
    """The most telling sentences of the fixed words, in their order, and the bits that they say."""
    sentences = _sentences(fixed)
    bits = [_bits(sentence[:room], usual) for sentence in sentences]
    dense = [value / min(len(sentence), room) for value, sentence in zip(bits, sentences, strict=True)]
    most = max(bits, default=0.0)
    if not most:
        return "", 0.0
    least = LEADS * dense[bits.index(most)]
    lead = next(i for i, value in enumerate(bits) if value >= min(LEAST_BITS, most) and dense[i] >= least)
    chosen, left = {lead: _shortened(sentences[lead], room)}, room - len(sentences[lead])
    later = range(lead + 1, len(sentences))
    for i in sorted(later, key=lambda i: (not _speaks(sentences[i], targets), i)):
        if not bits[i]:
            continue
        if len(sentences[i]) + JOINING <= left:
            chosen[i] = sentences[i]
        elif left >= LEAST_ROOM:
            chosen[i] = _shortened(sentences[i], left - JOINING)
        else:
            break
        left -= len(chosen[i]) + JOINING
    out, before = "", lead
    for i in sorted(chosen):
        out += (" " if i == before + 1 else f" {SLOT} " if i > lead else "") + chosen[i]
        before = i
    return _DOTS.sub(SLOT, out).lstrip(f"{SLOT} ").rstrip().removesuffix("."), sum(bits[i] for i in chosen)


def _speaks(sentence: str, targets: Sequence[str]) -> bool:
    """Whether a sentence speaks of one of the targets."""
    return any(_CUES[target].search(sentence) for target in targets if target in _CUES)


def _sentences(fixed: Sequence[str | None]) -> list[str]:
    """The sentences of a template with a mark for each slot, without the marks of lists and headings."""
    text = " ".join(f" {SLOT} " if run is None else run.replace(SLOT, " ") for run in fixed)
    text = INVISIBLE.sub("", text).translate(_QUOTES)
    found = []
    for piece in _STOP.split(text):
        piece = _MARKS.sub("", " ".join(piece.split()))
        piece = _BEFORE_MARK.sub(SLOT, _DOTS.sub(SLOT, piece))
        if any(c.isalnum() for c in piece):
            found.append(piece)
    return found


def _bits(sentence: str, usual: WordUse) -> float:
    """What the words of a sentence say, each once."""
    return sum(min(usual.rarity(word), MOST_OF_ONE) for word in set(words(normalize(sentence))) if _says(word))


def _says(word: str) -> bool:
    """Whether a word is more than a number or a letter, such as that of an option."""
    return not word.isdigit() and (len(word) > 1 or not word.isascii())


def _shortened(sentence: str, room: int) -> str:
    """A sentence cut after a word."""
    if len(sentence) <= room:
        return sentence
    short = sentence[: room - 1]
    cut = short.rfind(" ")
    return (short[:cut] if cut > room // 2 else short).rstrip(" ,;:") + SLOT

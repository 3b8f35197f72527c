"""What pairs of texts are to one another: copies, rewordings, translations or unrelated."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import numpy as np

from harvestdetect.corpus.normalize import normalize
from harvestdetect.evidence.observation import Observation
from harvestdetect.evidence.wording import READ_CHARACTERS
from harvestdetect.util.amounts import MOST
from harvestdetect.util.arrays import AnyInts, Bools, Floats32, Ints, spread
from harvestdetect.util.words import words

__all__ = ["PAIRS", "duplicate_types", "paired"]


PAIRS: Final = 24
"""Pairs of prompts that are drawn at most. Chosen."""
COPY: Final = 0.9
"""Share of their letters (sets of three in a row, Dice) from which two texts are copies but for a name or a typing
error. Chosen."""
ALIKE: Final = 0.5
"""Share of their letters (sets of three in a row, Dice) from which one text is a rewording of the other. Chosen."""
CLOSE: Final = 0.75
"""Cosine of two short prompt vectors from which one text is a rewording of the other. Chosen."""
KEEPS: Final = 0.7
"""Share of a template's fixed words from which a text is a filling of it. Chosen."""
MAX_TEMPLATES: Final = 24
"""Templates, the largest ones, whose fillings are recognised."""
TRACES: Final = 2
"""Traces that a translation shares with its original, at least. Chosen."""
SAME_TRACES: Final = 0.5
"""Jaccard index of the traces, at least, of a translation and its original. Chosen."""
LENGTHS: Final = 2.5
"""A translation is at most this many times as long as its original, in bytes of UTF-8. Chosen."""
BUCKETS: Final = 1 << 15
"""Hash buckets for sets of three letters in a row."""


def paired(account: AnyInts, cluster: AnyInts, *, seed: int) -> Ints:
    """Pairs of prompts of one cluster by different accounts, drawn at random, no prompt in two of them.

    Args:
        account: int[q], of every prompt.
        cluster: int[q], of every prompt.
        seed: of the draw.

    Returns:
        int64[2 k], k at most :data:`PAIRS`: positions, each even one with the next.
    """
    order = np.lexsort((np.random.default_rng(seed).random(len(account)), cluster))
    first, second = order[:-1:2], order[1::2]
    fit = (cluster[first] == cluster[second]) & (account[first] != account[second])
    chosen = np.flatnonzero(fit)[spread(int(fit.sum()), PAIRS)] if fit.any() else np.empty(0, np.int64)
    return np.column_stack((first[chosen], second[chosen])).ravel().astype(np.int64)


def duplicate_types(
    texts: Sequence[str], *, account: AnyInts, vectors: Floats32, templates: Sequence[Sequence[str]]
) -> Observation | None:
    """What pairs of texts are to one another: copies, rewordings, translations or unrelated.

    The kinds are those of D3lta (arXiv 2312.17338), found without its multilingual encoder:

    * a **copy** shares :data:`COPY` of its letters (three in a row, after normalisation);
    * a **rewording** has the words of the same template, :data:`ALIKE` of the letters, or a close vector;
    * a **translation** is in another script or language, has the same traces that no language changes (numbers,
      addresses, code, names, the shape of its lines) and a similar length. Plain prose leaves no trace, so its
      translations are not recognised.

    No language ever adds risk. Languages serve to recognise translations, which are shown and no part of the p-value.
    Vectors are compared only where both texts may be English, because an English encoder knows little of others. The
    p-value weighs copies against rewordings: of a text that is passed on, at least
    :data:`~harvestdetect.util.amounts.MOST` of the related pairs are copies (binomial, over the pairs given,
    which have no text in common).

    Args:
        texts: originals; each at an even position and the next are a pair that was drawn, see :func:`paired`. The
            shares in the sentence are those of all pairs by different accounts.
        account: int[len(texts)].
        vectors: float32[len(texts), d], of the prompts.
        templates: fixed tokens of the templates, the largest first.

    Returns:
        None where no pair is related.
    """
    from scipy.special import bdtr

    copy, rewording, translation = _kinds(texts, vectors, templates)
    apart = np.triu(np.asarray(account)[:, None] != np.asarray(account), k=1)
    pairs = int(apart.sum())
    copies, reworded, translated = (int((kind & apart).sum()) for kind in (copy, rewording, translation))
    if not copies + reworded + translated:
        return None
    even = np.arange(0, len(texts) - 1, 2)
    own = int(copy[even, even + 1].sum())
    related = own + int(rewording[even, even + 1].sum())
    return Observation(
        value=(related - own) / max(related, 1),
        null=f"a text that is passed on: at least {MOST:.0%} of the related pairs are copies",
        expected=1 - MOST,
        p_value=float(bdtr(own, related, MOST)),
        sentence=(
            f"Of {pairs:,} pairs of these texts by different accounts {copies / pairs:.0%} are copies, "
            f"{reworded / pairs:.0%} rewordings or other fillings, {translated / pairs:.0%} translations and "
            f"{1 - (copies + reworded + translated) / pairs:.0%} unrelated; of {related} related pairs of one cluster "
            f"{own} are copies."
        ),
    )


def _kinds(texts: Sequence[str], vectors: Floats32, templates: Sequence[Sequence[str]]) -> tuple[Bools, Bools, Bools]:
    """Which pairs are copies, rewordings and translations: bool[t, t] each, disjoint."""
    plain = [normalize(text[:READ_CHARACTERS]) for text in texts]
    own = [frozenset(words(text)) for text in plain]
    language = [_language(text, found) for text, found in zip(plain, own, strict=True)]
    english = np.array([name in (None, "en") for name in language], bool)
    named = np.array([name is not None for name in language], bool)
    code = np.unique([name or "" for name in language], return_inverse=True)[1]

    letters = _shared_letters(plain)
    length = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    close = ((vectors / length) @ (vectors / length).T >= CLOSE) & english[:, None] & english
    other_language = (code[:, None] != code) & named[:, None] & named
    copy = letters >= COPY
    rewording = ~copy & (_same_template(own, templates) | (letters >= ALIKE) | close)
    translation = ~copy & ~rewording & other_language
    if translation.any():
        translation &= _same_traces(texts)
    return np.asarray(copy), np.asarray(rewording), np.asarray(translation)


_SCRIPTS: Final = (
    (0x41, "latin"), (0x250, ""), (0x370, "greek"), (0x400, "cyrillic"), (0x530, "armenian"), (0x590, "hebrew"),
    (0x600, "arabic"), (0x780, ""), (0x900, "devanagari"), (0x980, "bengali"), (0xA00, "gurmukhi"), (0xA80, "gujarati"),
    (0xB00, "odia"), (0xB80, "tamil"), (0xC00, "telugu"), (0xC80, "kannada"), (0xD00, "malayalam"), (0xD80, "sinhala"),
    (0xE00, "thai"), (0xE80, "lao"), (0xF00, ""), (0x10A0, "georgian"), (0x1100, "hangul"), (0x1200, "ethiopic"),
    (0x1380, ""), (0x1780, "khmer"), (0x1800, ""), (0x1E00, "latin"), (0x1F00, "greek"), (0x2000, ""), (0x3040, "kana"),
    (0x3100, ""), (0x3400, "han"), (0xA000, ""), (0xAC00, "hangul"), (0xD7B0, ""), (0x20000, "han"), (0x32000, ""),
)  # fmt: skip
"""Code point at which each script begins; an empty name ends the one before."""
KANA_SHARE: Final = 0.1
"""Share of kana among kana and Chinese characters above which a text is Japanese. Chosen."""
_STARTS: Final = np.array([start for start, _ in _SCRIPTS])
"""The code points of :data:`_SCRIPTS`."""
_NAMES: Final = tuple(name for _, name in _SCRIPTS)
"""The names of :data:`_SCRIPTS`."""
_FUNCTION_WORDS: Final = {
    name: frozenset(listed.split())
    for name, listed in (
        ("en", "the and of is that with this which are was from for you your have would"),
        ("de", "der die das und ist nicht mit ein eine den von für auf wird sind sich"),
        ("fr", "le les des est et une dans pour que qui avec sur pas vous sont aux"),
        ("es", "el los las una y que por con para es del como pero está más sus"),
        ("pt", "os as uma não que com para é do da em por mais como são dos"),
        ("it", "il gli una che di per con non è del della sono nel alla più anche"),
        ("nl", "het een en van niet met voor zijn dat de op aan ook wordt naar bij"),
    )
}
"""Function words by which a language in Latin script is recognised."""
_FEW_WORDS: Final = 2
"""Different function words from which a text is in a language, if no other language has as many. Chosen."""
_TRACE: Final = re.compile(
    r"https?://[^\s<>\"')\]]+|`[^`\n]{2,60}`|[A-Za-z]+_[A-Za-z_\d]+|[a-z]+[A-Z][A-Za-z]*|[A-Za-z_]\w*(?=\()"
    r"|[A-Za-z]+\d+|(?<=[^\s.!?:] )[A-Z][A-Za-z]{2,}|(?<=[^\W\d_a-zA-Z])[A-Za-z]{3,}|\d{2,18}"
)
"""What a translation leaves as it is: addresses, code, identifiers, names within a sentence, numbers."""
_MARK: Final = re.compile(
    r"^[ \t]*(?:(#{1,6}) |([-*•]) |(\(?(?:\d{1,2}|[a-zA-Z])[.):、])|([^\n:：]{1,40}[:：])|\S)", re.MULTILINE
)
"""The beginning of a line: a heading, a bullet, a number, a label, or anything else."""
_MARKED_LINES: Final = 3
"""Marked lines (headings, bullets, numbers, labels) from which their sequence is a trace. Chosen."""


def _language(plain: str, found: frozenset[str]) -> str | None:
    """The script of most letters or, of Latin ones, the language with the most function words; None where unsure."""
    if plain.isascii():
        script = "latin" if max(plain, default="") >= "a" else None
    else:
        script = _script(plain)
    if script != "latin":
        return script
    (most, name), (second, _) = sorted(((len(found & own), name) for name, own in _FUNCTION_WORDS.items()))[:-3:-1]
    return name if most >= _FEW_WORDS and most > second else None


def _script(plain: str) -> str | None:
    """The script of most letters; None where there is none, or one of several is in doubt."""
    codes = np.frombuffer(plain.encode("utf-32-le", "replace"), np.uint32)
    place = np.searchsorted(_STARTS, codes, side="right") - 1
    count = np.bincount(place[(codes >= 0x61) & (place >= 0)], minlength=len(_NAMES))
    total: dict[str, int] = {}
    for name, found in zip(_NAMES, count.tolist(), strict=True):
        if name:
            total[name] = total.get(name, 0) + found
    if total["kana"] > KANA_SHARE * (total["kana"] + total["han"]):
        return "kana" if total["kana"] + total["han"] > total["latin"] else None
    script = max(total, key=lambda name: total[name])
    return script if total[script] else None


def _shared_letters(plain: Sequence[str]) -> Floats32:
    """Dice coefficient of the sets of three letters in a row of any two texts: float32[t, t]; of equal texts 1."""
    from scipy import sparse

    codes = np.frombuffer("".join(f"\n{text}\n\n" for text in plain).encode("utf-32-le", "replace"), np.uint32)
    length = np.array([len(text) + 3 for text in plain], np.int64)
    row = np.repeat(np.arange(len(plain)), length)[:-2]
    mixed = ((codes[:-2] * 31 + codes[1:-1]) * 1_000_003 + codes[2:]) * np.uint32(2_654_435_761) >> 17
    inside = np.ones(len(row), bool)
    ends = np.cumsum(length)[:-1]
    inside[np.concatenate((ends - 1, ends - 2))] = False  # letters of two texts
    packed = np.sort((row * BUCKETS + mixed)[inside])
    packed = packed[np.diff(packed, prepend=-1) > 0]
    present = sparse.csr_matrix(
        (
            np.ones(len(packed), np.float32),
            packed % BUCKETS,
            np.searchsorted(packed, np.arange(len(plain) + 1) * BUCKETS),
        ),
        shape=(len(plain), BUCKETS),
    )
    size = np.diff(present.indptr).astype(np.float32)
    shared = (present @ present.T).toarray()
    return np.asarray(2 * shared / np.maximum(size[:, None] + size, 1), np.float32)


def _same_template(own: Sequence[frozenset[str]], templates: Sequence[Sequence[str]]) -> Bools:
    """Pairs that have :data:`KEEPS` of the fixed words of one template: bool[t, t]."""
    fixed = [frozenset(words(normalize(" ".join(tokens)))) for tokens in templates[:MAX_TEMPLATES]]
    has = np.array([[bool(f) and len(f & w) >= KEEPS * len(f) for f in fixed] for w in own], np.float32)
    has = has.reshape(len(own), len(fixed))
    return np.asarray(has @ has.T > 0)


def _same_traces(texts: Sequence[str]) -> Bools:
    """Pairs with the traces and the length of a translation: bool[t, t]."""
    traces = [_traces(text[:READ_CHARACTERS]) for text in texts]
    names = sorted(frozenset().union(*traces))
    place = {name: i for i, name in enumerate(names)}
    present = np.zeros((len(texts), max(len(names), 1)), np.float32)
    for row, of_text in enumerate(traces):
        present[row, [place[name] for name in of_text]] = 1
    shared, size = present @ present.T, present.sum(axis=1)
    either = np.maximum(size[:, None] + size - shared, 1)
    length = np.log([max(len(text[:READ_CHARACTERS].encode("utf-8", "replace")), 1) for text in texts])
    return np.asarray(
        (shared >= TRACES) & (shared >= SAME_TRACES * either) & (abs(length[:, None] - length) <= np.log(LENGTHS))
    )


def _traces(text: str) -> frozenset[str]:
    """What a translation leaves as it is: numbers, addresses, code, names, and the shape of its lines."""
    found = {str(int(m)) if m.isdigit() else m.casefold() for m in _TRACE.findall(text)}
    shape = "".join("#-1:"[m.lastindex - 1] if m.lastindex else "." for m in _MARK.finditer(text))
    if len(shape) - shape.count(".") >= _MARKED_LINES:
        found.add(f"lines {shape}")
    return frozenset(found)

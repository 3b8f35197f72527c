"""What the texts say about themselves: rigid wording, density, fillings against copies.

Wording alone never makes more than a finding to watch: people repeat templates for innocent reasons.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from harvestdetect.corpus.normalize import normalize
from harvestdetect.data import Evidence
from harvestdetect.evidence.nulls import tail_p
from harvestdetect.util.arrays import AnyInts, Bools, Floats, Floats32, Ints, spread, unique

__all__ = [
    "DECIDING",
    "PAIRS",
    "READ",
    "copies_share",
    "duplicate_types",
    "paired",
    "slot_sweep",
    "text_evidence",
]


DECIDING: Final = ("rigid wording", "shared wording")
"""The measures on which the family stands; the others describe."""
PASSED_ON: Final = 0.5
"""A text that is passed on is copied in at least this share of the prompts."""
READ: Final = 1_500
"""Characters of a text that its slots and its pairs are read from."""
FILLED: Final = 0.5
"""Share of the texts that fill a gap between fixed words from which it is a slot."""
PAIRS: Final = 24
COPY: Final = 0.9
"""Texts that share this part of their letters, three in a row, are copies but for a name or a typing error..."""
ALIKE: Final = 0.5
"""...and from here on one is a rewording of the other."""
CLOSE: Final = 0.75
"""Cosine of two short prompt vectors from which one text is a rewording of the other."""
KEEPS: Final = 0.7
"""Share of a template's fixed words from which a text is a filling of it."""
MOST_TEMPLATES: Final = 24
TRACES: Final = 2
"""Traces that a translation shares with its original: at least so many..."""
SAME_TRACES: Final = 0.5
"""...and this Jaccard index of them."""
LENGTHS: Final = 2.5
"""A translation is at most so many times as long as its original, in bytes of UTF-8."""
BUCKETS: Final = 1 << 15


def copies_share(contents: npt.NDArray[np.int32]) -> float:
    """The share of prompts that repeat an earlier one word for word (after normalisation)."""
    return 1.0 - len(unique(contents)) / len(contents) if len(contents) else 0.0


def text_evidence(
    *,
    fixed_words: int,
    rigidity: float,
    shared_words: float,
    background_fixed: Floats,
    background_shared: Floats,
    distances: Floats,
    background_distances: Floats,
    contents: npt.NDArray[np.int32],
) -> list[Evidence]:
    """The text measures of a campaign.

    Args:
        fixed_words: of its most rigid template.
        rigidity: fixed share of that template.
        shared_words: words that its texts keep of their medoid, on average, less those they keep when read backwards.
        background_fixed: float64[b], fixed words of neighbourhoods outside every candidate.
        background_shared: float64[b], shared words of the same.
        distances: float64[s], chord distance of its segments to their neighbours from other accounts.
        background_distances: float64[b], the same outside every candidate, ascending.
        contents: int32[q], content ids of its prompts.
    """
    from scipy.special import bdtr

    found = [
        Evidence(
            name="rigid wording",
            family="text",
            value=float(fixed_words),
            null="neighbourhoods of other texts",
            expected=_mean(background_fixed),
            p_value=tail_p(float(fixed_words), background_fixed) if len(background_fixed) else 1.0,
            sentence=(
                f"{fixed_words} words stand in the same order in these prompts ({rigidity:.0%} of a prompt of usual "
                f"length); in neighbourhoods of other texts {_mean(background_fixed):.1f} do."
            ),
        )
    ]
    found.append(
        Evidence(
            name="shared wording",
            family="text",
            value=shared_words,
            null="neighbourhoods of other texts",
            expected=_mean(background_shared),
            p_value=tail_p(shared_words, background_shared) if len(background_shared) else 1.0,
            sentence=(
                f"One of these prompts keeps {max(shared_words, 0.0):.1f} longer words of another by their order, "
                "beyond those that any order keeps; in neighbourhoods of other texts "
                f"{max(_mean(background_shared), 0.0):.1f}."
            ),
        )
    )
    if len(distances) and len(background_distances):
        value = float(np.median(distances))
        middle = len(background_distances) // 2
        usual = float(background_distances[[middle, -middle - 1]].mean())
        found.append(
            Evidence(
                name="density",
                family="text",
                value=value,
                null="other texts and their neighbours",
                expected=usual,
                p_value=(1 + int(np.searchsorted(background_distances, value, side="right")))
                / (len(background_distances) + 1),
                sentence=(
                    f"The nearest texts of other accounts lie at a distance of {value:.2f}; elsewhere at {usual:.2f}."
                ),
            )
        )
    different = len(unique(contents))
    copies = len(contents) - different
    found.append(
        Evidence(
            name="fillings, not copies",
            family="text",
            value=different / len(contents),
            null="a text that is passed on: half of the prompts or more are copies",
            expected=1 - PASSED_ON,
            p_value=float(bdtr(copies, len(contents), PASSED_ON)),
            sentence=f"{different} of {len(contents)} prompts are different; a text that is passed on repeats itself.",
        )
    )
    return found


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else 0.0


# ---------------------------------------------------------------- fillings of slots


def slot_sweep(
    texts: Sequence[Sequence[str]], alignments: Sequence[Sequence[tuple[int, int]]], *, copied: Bools
) -> Evidence | None:
    """Whether the slots of a template are swept: a new filling nearly every time.

    The slots alone are looked at, so that a rewording of the fixed words makes no filling new. Where the template is a
    text that people pass on, a filling repeats an earlier one in half of the prompts or more (a binomial null,
    Bonferroni over the slots); the most varied slot decides. Only a sample is read, so a prompt that repeats any other
    of the campaign, read or not, counts as a repetition too.

    Args:
        texts: tokens of a sample of prompts of one template.
        alignments: for each, pairs of positions (fixed token, token of the text), ascending.
        copied: bool[len(texts)], whether the whole prompt was sent before.

    Returns:
        None where no slot is filled by :data:`FILLED` of the texts.
    """
    from scipy.special import bdtr

    fillings: dict[int, dict[int, list[str]]] = {}
    for row, (text, aligned) in enumerate(zip(texts, alignments, strict=True)):
        for (i, j), (_, end) in itertools.pairwise(((-1, -1), *aligned, (0, len(text)))):
            if words := [token for token in text[j + 1 : end] if token[0].isalnum()]:
                fillings.setdefault(i + 1, {})[row] = words
    slots = [held for held in fillings.values() if len(held) >= max(2.0, FILLED * len(texts))]
    if not slots:
        return None
    best, new, filled = float("inf"), 0, 0
    for slot in slots:
        seen: set[tuple[str, ...]] = set()
        again = 0
        for row, words in slot.items():
            filling = tuple(words)
            again += filling in seen or bool(copied[row])
            seen.add(filling)
        # the first filling of all cannot repeat another
        p_value = float(bdtr(min(again, len(slot) - 1), len(slot) - 1, PASSED_ON)) * len(slots)
        if p_value < best:
            best, new, filled = p_value, len(slot) - again, len(slot)
    return Evidence(
        name="slot sweep",
        family="text",
        value=new / filled,
        null="fillings that are passed on: half of them or more repeat an earlier one",
        expected=1 - PASSED_ON,
        p_value=min(1.0, best),
        sentence=(
            f"{f'The most varied of {len(slots)} slots' if len(slots) > 1 else 'The slot'} of the largest template has "
            f"a new filling in {new} of {filled} prompts looked at; fillings that are passed on repeat in half of "
            "them or more."
        ),
    )


# ---------------------------------------------------------------- kinds of duplicates


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
    held = (cluster[first] == cluster[second]) & (account[first] != account[second])
    chosen = np.flatnonzero(held)[spread(int(held.sum()), PAIRS)] if held.any() else np.empty(0, np.int64)
    return np.column_stack((first[chosen], second[chosen])).ravel().astype(np.int64)


def duplicate_types(
    texts: Sequence[str], *, account: AnyInts, vectors: Floats32, templates: Sequence[Sequence[str]]
) -> Evidence | None:
    """What pairs of texts are to one another: copies, rewordings, translations or nothing.

    The kinds are those of D3lta (arXiv 2312.17338), told without its encoder of many languages:

    * a **copy** shares :data:`COPY` of its letters (three in a row, after normalisation);
    * a **rewording** has the words of the same template, :data:`ALIKE` of the letters, or a close vector;
    * a **translation** is in another script or language and has the same traces that no language changes (numbers,
      addresses, code, names, the shape of its lines) and a like length. Plain prose leaves no trace, and its
      translations are not told.

    No language ever adds risk. Languages serve to tell translations, which are shown and no part of the p-value;
    vectors are read only where both texts may be English, for of others an English encoder knows little. The p-value
    asks copies against rewordings: of a text that is passed on, half of the related pairs or more are copies (binomial,
    over the pairs given, which have no text in common).

    Args:
        texts: originals; each at an even position and the next are a pair that was drawn, see :func:`paired`. The
            shares are those of all pairs by different accounts.
        account: int[len(texts)].
        vectors: float32[len(texts), d], of the prompts.
        templates: fixed tokens of the templates, the largest first.

    Returns:
        None where no pair is related.
    """
    from scipy.special import bdtr

    plain = [normalize(text[:READ]) for text in texts]
    words = [frozenset(_WORD.findall(text)) for text in plain]
    language = [_language(text, held) for text, held in zip(plain, words, strict=True)]
    english = np.array([name in (None, "en") for name in language])
    named = np.array([name is not None for name in language])
    code = np.unique([name or "" for name in language], return_inverse=True)[1]

    letters = _shared_letters(plain)
    length = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    close = ((vectors / length) @ (vectors / length).T >= CLOSE) & english[:, None] & english
    other_language = (code[:, None] != code) & named[:, None] & named
    copy = letters >= COPY
    rewording = ~copy & (_same_template(words, templates) | (letters >= ALIKE) | close)
    translation = ~copy & ~rewording & other_language
    if translation.any():
        translation &= _same_traces(texts)

    apart = np.triu(np.asarray(account)[:, None] != np.asarray(account), k=1)
    pairs = int(apart.sum())
    copies, reworded, translated = (int((kind & apart).sum()) for kind in (copy, rewording, translation))
    if not copies + reworded + translated:
        return None
    even = np.arange(0, len(texts) - 1, 2)
    own = int(copy[even, even + 1].sum())
    related = own + int(rewording[even, even + 1].sum())
    return Evidence(
        name="duplicate types",
        family="text",
        value=(related - own) / max(related, 1),
        null="a text that is passed on: half of the related pairs or more are copies",
        expected=1 - PASSED_ON,
        p_value=float(bdtr(own, related, PASSED_ON)),
        sentence=(
            f"Of {pairs:,} pairs of these texts by different accounts {copies / pairs:.0%} are copies, "
            f"{reworded / pairs:.0%} rewordings or other fillings, {translated / pairs:.0%} translations and "
            f"{1 - (copies + reworded + translated) / pairs:.0%} unrelated; of {related} related pairs of one cluster "
            f"{own} are copies."
        ),
    )


_WORD: Final = re.compile(r"\w+")
_SCRIPTS: Final = (
    (0x41, "latin"), (0x250, ""), (0x370, "greek"), (0x400, "cyrillic"), (0x530, "armenian"), (0x590, "hebrew"),
    (0x600, "arabic"), (0x780, ""), (0x900, "devanagari"), (0x980, "bengali"), (0xA00, "gurmukhi"), (0xA80, "gujarati"),
    (0xB00, "odia"), (0xB80, "tamil"), (0xC00, "telugu"), (0xC80, "kannada"), (0xD00, "malayalam"), (0xD80, "sinhala"),
    (0xE00, "thai"), (0xE80, "lao"), (0xF00, ""), (0x10A0, "georgian"), (0x1100, "hangul"), (0x1200, "ethiopic"),
    (0x1380, ""), (0x1780, "khmer"), (0x1800, ""), (0x1E00, "latin"), (0x1F00, "greek"), (0x2000, ""), (0x3040, "kana"),
    (0x3100, ""), (0x3400, "han"), (0xA000, ""), (0xAC00, "hangul"), (0xD7B0, ""), (0x20000, "han"), (0x32000, ""),
)  # fmt: skip
"""Where a script begins; an empty name for what is none of these."""
_STARTS: Final = np.array([start for start, _ in _SCRIPTS])
_NAMES: Final = tuple(name for _, name in _SCRIPTS)
_FUNCTION_WORDS: Final = {
    name: frozenset(words.split())
    for name, words in (
        ("en", "the and of is that with this which are was from for you your have would"),
        ("de", "der die das und ist nicht mit ein eine den von für auf wird sind sich"),
        ("fr", "le les des est et une dans pour que qui avec sur pas vous sont aux"),
        ("es", "el los las una y que por con para es del como pero está más sus"),
        ("pt", "os as uma não que com para é do da em por mais como são dos"),
        ("it", "il gli una che di per con non è del della sono nel alla più anche"),
        ("nl", "het een en van niet met voor zijn dat de op aan ook wordt naar bij"),
    )
}
_FEW_WORDS: Final = 2
"""Different function words that name a language, if no other language has as many."""
_TRACE: Final = re.compile(
    r"https?://[^\s<>\"')\]]+|`[^`\n]{2,60}`|[A-Za-z]+_[A-Za-z_\d]+|[a-z]+[A-Z][A-Za-z]*|[A-Za-z_]\w*(?=\()"
    r"|[A-Za-z]+\d+|(?<=[^\s.!?:] )[A-Z][A-Za-z]{2,}|(?<=[^\W\d_a-zA-Z])[A-Za-z]{3,}|\d{2,18}"
)
_MARK: Final = re.compile(
    r"^[ \t]*(?:(#{1,6}) |([-*•]) |(\(?(?:\d{1,2}|[a-zA-Z])[.):、])|([^\n:：]{1,40}[:：])|\S)", re.MULTILINE
)
_SHAPED: Final = 3
"""Marked lines from which their sequence is a trace."""


def _language(plain: str, words: frozenset[str]) -> str | None:
    """The script of most letters or, of Latin ones, the language with the most function words; None where unsure."""
    if plain.isascii():
        script = "latin" if max(plain, default="") >= "a" else None
    else:
        script = _script(plain)
    if script != "latin":
        return script
    (most, name), (second, _) = sorted(((len(words & held), name) for name, held in _FUNCTION_WORDS.items()))[:-3:-1]
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
    if total["kana"] > 0.1 * (total["kana"] + total["han"]):
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
    held = sparse.csr_matrix(
        (
            np.ones(len(packed), np.float32),
            packed % BUCKETS,
            np.searchsorted(packed, np.arange(len(plain) + 1) * BUCKETS),
        ),
        shape=(len(plain), BUCKETS),
    )
    size = np.diff(held.indptr).astype(np.float32)
    shared = (held @ held.T).toarray()
    return np.asarray(2 * shared / np.maximum(size[:, None] + size, 1), np.float32)


def _same_template(words: Sequence[frozenset[str]], templates: Sequence[Sequence[str]]) -> Bools:
    """Pairs that have :data:`KEEPS` of the fixed words of one template: bool[t, t]."""
    fixed = [frozenset(_WORD.findall(normalize(" ".join(tokens)))) for tokens in templates[:MOST_TEMPLATES]]
    has = np.array([[bool(f) and len(f & w) >= KEEPS * len(f) for f in fixed] for w in words], np.float32)
    has = has.reshape(len(words), len(fixed))
    return np.asarray(has @ has.T > 0)


def _same_traces(texts: Sequence[str]) -> Bools:
    """Pairs with the traces and the length of a translation: bool[t, t]."""
    traces = [_traces(text[:READ]) for text in texts]
    names = sorted(frozenset().union(*traces))
    place = {name: i for i, name in enumerate(names)}
    held = np.zeros((len(texts), max(len(names), 1)), np.float32)
    for row, of_text in enumerate(traces):
        held[row, [place[name] for name in of_text]] = 1
    shared, size = held @ held.T, held.sum(axis=1)
    either = np.maximum(size[:, None] + size - shared, 1)
    length = np.log([max(len(text[:READ].encode("utf-8", "replace")), 1) for text in texts])
    return np.asarray(
        (shared >= TRACES) & (shared >= SAME_TRACES * either) & (abs(length[:, None] - length) <= np.log(LENGTHS))
    )


def _traces(text: str) -> frozenset[str]:
    """What a translation leaves as it is: numbers, addresses, code, names, and the shape of its lines."""
    found = {str(int(m)) if m.isdigit() else m.casefold() for m in _TRACE.findall(text)}
    shape = "".join("#-1:"[m.lastindex - 1] if m.lastindex else "." for m in _MARK.finditer(text))
    if len(shape) - shape.count(".") >= _SHAPED:
        found.add(f"lines {shape}")
    return frozenset(found)

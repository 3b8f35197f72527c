"""The wording view: a static embedding, computed from the matrix of a distilled model without loading torch.

The vector of a text is the mean of the vectors of its tokens. It is the same to the bit in any batch.

The packaged model was made for English. Its vocabulary lacks most Chinese characters and nearly all letters of Thai,
Lao, Khmer and Burmese, so all texts in these languages would look alike. Words of scripts without blanks, and words of
other scripts that the vocabulary does not know, get a random direction each (:data:`DIRECTIONS`): two texts are near if
they have many words in common.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from harvestdetect.embed.distill import StaticModel
from harvestdetect.embed.model_files import ENCODING_VERSION
from harvestdetect.util.arrays import Floats32, unit
from harvestdetect.util.words import has_runs, letters, segmenter, token_spans

__all__ = ["KNOWN_WORDS", "StaticEncoder"]

BLOCK_TEXTS: Final = 4_096
"""Number of texts whose tokens are in memory at once."""
KNOWN_WORDS: Final = 400_000
"""Number of words whose tokens are remembered. When a block takes it above this, all words are forgotten."""
DIRECTIONS: Final = 4_096
"""Random directions for words that the model has not learnt. The digest of a word chooses one."""
LENGTHS: Final = 4
"""Lengths that the vector of such a word may have. The shorter a word, the more common it is, and the less it says:
the learnt vectors of the commonest thousand words of English are half as long as those of usual ones."""
LETTERS: Final = 2
"""Letters of a word per step of length. A word of eight letters is as long as a usual learnt one. Chosen."""
UNLEARNT_VERSION: Final = 1
"""Number that is raised when unlearnt words get other vectors."""
TEXT_CHARACTERS: Final = 16_384
"""Characters of a text that are read, so that a text of megabytes is not tokenised whole. The 512 tokens that the
transformer reads are too few: many prompts have more fixed words than that before what is their own."""
_WORDS: Final = re.compile(r"[a-z0-9]+|[!-/:-@\[-`{-~]").findall
_BERT_NORMALIZERS: Final = tuple(
    {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": h, "strip_accents": a, "lowercase": True}
    for h in (False, True)
    for a in (None, False, True)
)


class StaticEncoder:
    """Encodes a text as the mean of the vectors of its tokens.

    Args:
        model: the matrix and the tokenizer.
    """

    def __init__(self, model: StaticModel) -> None:
        from tokenizers import Tokenizer

        self.name = "static"
        self.digest = hashlib.sha256(
            f"{ENCODING_VERSION} {UNLEARNT_VERSION} {TEXT_CHARACTERS} {segmenter()} {model.digest}".encode()
        ).hexdigest()
        self.dimensions = int(model.matrix.shape[1])
        self._model = model
        self._matrix = np.concatenate([model.matrix, _directions(model.matrix)])
        tokenizer = Tokenizer.from_str(model.tokenizer)
        tokenizer.no_truncation()
        self._tokens = _Tokens(tokenizer, first_direction=len(model.matrix))

    def __reduce__(self) -> tuple[type[StaticEncoder], tuple[StaticModel]]:
        """Another process makes the encoder of the same model. The remembered tokens stay here."""
        return StaticEncoder, (self._model,)

    def vocabulary(self) -> tuple[Floats32, str]:
        """The vectors of all tokens, float32[vocabulary, d], zero for special ones, and the JSON of the tokenizer."""
        return self._model.matrix, self._model.tokenizer

    def encode(self, texts: Sequence[str]) -> Floats32:
        """Unit rows, float32[n, d], in the order of the texts."""
        out = np.empty((len(texts), self.dimensions), dtype=np.float32)
        for start in range(0, len(texts), BLOCK_TEXTS):
            block = texts[start : start + BLOCK_TEXTS]
            out[start : start + len(block)] = self._encode_block(block)
        return out

    def _encode_block(self, texts: Sequence[str]) -> Floats32:
        from scipy.sparse import csr_array

        rows = self._tokens.of([text[:TEXT_CHARACTERS] for text in texts])
        bounds = np.zeros(len(texts) + 1, dtype=np.int32)
        np.cumsum([len(row) // 4 for row in rows], out=bounds[1:])
        columns = np.frombuffer(b"".join(rows), dtype=np.int32)
        # A sparse product adds up row by row in the order of the tokens, whatever the other rows are.
        ones = np.ones(len(columns), dtype=np.float32)
        counts = csr_array((ones, columns, bounds), shape=(len(texts), len(self._matrix)))
        sums = np.asarray(counts @ self._matrix, dtype=np.float32)
        for row in np.flatnonzero(~sums.any(axis=1)).tolist():
            sums[row] = _vector_of_unknown(texts[row], self.dimensions)
        return unit(sums)


class _Tokens:
    """Tokenises texts with the result of ``tokenizer.encode_batch_fast``, mostly without calling it.

    Words that the model has not learnt become numbers from ``first_direction`` on.

    A BERT tokenizer cuts ASCII text at white space and around every punctuation mark, and then tokenises each word
    by itself. So the tokens of a word are computed once and remembered. The tokenizer is called for text that is not
    plain ASCII, and for all texts if it works in another way.

    Args:
        tokenizer: a ``tokenizers.Tokenizer`` that truncates no text.
        first_direction: number of the first random direction, above those of all tokens.
    """

    def __init__(self, tokenizer: Any, *, first_direction: int) -> None:
        about = json.loads(tokenizer.to_str())
        added = [token["content"] for token in about["added_tokens"]]
        self._tokenizer = tokenizer
        self._unknown = tokenizer.token_to_id(about["model"].get("unk_token") or "")
        self._first_direction = first_direction
        self._known = _Words(tokenizer, unknown=self._unknown, first_direction=first_direction)
        self._odd = re.compile("|".join(["[^\\t\\n\\r -~]", *map(re.escape, added)])).search
        self._simple = (
            about["normalizer"] in _BERT_NORMALIZERS
            and about["pre_tokenizer"] == {"type": "BertPreTokenizer"}
            and about["model"]["type"] == "WordPiece"
            and not any(token["normalized"] for token in about["added_tokens"])
        )

    def of(self, texts: Sequence[str]) -> list[bytes]:
        """The tokens of each text as the bytes of int32 numbers, without special tokens."""
        if len(self._known) > KNOWN_WORDS:
            self._known.clear()
        known, odd = self._known.__getitem__, self._odd
        found: list[bytes] = []
        others: list[int] = []
        for i, text in enumerate(texts):
            if not self._simple or odd(text):
                others.append(i)
                found.append(b"")
            else:
                found.append(b"".join(map(known, _WORDS(text.lower()))))
        asked = self._tokenizer.encode_batch_fast([texts[i] for i in others], add_special_tokens=False)
        for i, tokens in zip(others, asked, strict=True):
            found[i] = np.array(tokens.ids, np.int32).tobytes()
            if self._simple and (self._unknown in tokens.ids or has_runs(texts[i])):
                own = b"".join([known(texts[i][a:b].casefold()) for a, b in token_spans(texts[i])])
                if max(np.frombuffer(own, np.int32), default=0) >= self._first_direction:
                    found[i] = own
        return found


class _Words(dict[str, bytes]):
    """Word -> its tokens as the bytes of int32 numbers. A new word is tokenised when it is looked up.

    A word in a script without blanks becomes a random direction. So does a word in another script that the vocabulary
    does not know, but for signs and ASCII, which are seldom words of a language.
    """

    def __init__(self, tokenizer: Any, *, unknown: int | None, first_direction: int) -> None:
        self._tokenizer = tokenizer
        self._unknown = unknown
        self._first_direction = first_direction

    def __missing__(self, word: str) -> bytes:
        ids = self._tokenizer.encode(word, add_special_tokens=False).ids
        if has_runs(word) or (self._unknown in ids and not word.isascii() and word[0].isalpha()):
            digest = hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest()
            length = min(-(-letters(word) // LETTERS), LENGTHS)
            ids = [self._first_direction + (length - 1) * DIRECTIONS + int.from_bytes(digest) % DIRECTIONS]
        self[word] = tokens = np.array(ids, np.int32).tobytes()
        return tokens


def _directions(matrix: Floats32) -> Floats32:
    """Random directions in each length, from short to that of usual tokens: float32[LENGTHS * DIRECTIONS, d]."""
    length = np.linalg.norm(matrix, axis=1)
    found = np.random.Generator(np.random.PCG64(0)).standard_normal((DIRECTIONS, matrix.shape[1])).astype(np.float32)
    # Rounded, so that the last bits of the arithmetic do not change the directions.
    usual = round(float(np.median(length[length > 0])), 2) if length.any() else 0.0
    steps = np.arange(1, LENGTHS + 1, dtype=np.float32) * np.float32(usual / LENGTHS)
    return (steps[:, None, None] * unit(found).astype(np.float16)).reshape(-1, matrix.shape[1]).astype(np.float32)


def _vector_of_unknown(text: str, dimensions: int) -> Floats32:
    """A random direction for a text without a known token. Equal texts get the same one."""
    seed = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return np.random.Generator(np.random.PCG64(list(seed))).standard_normal(dimensions).astype(np.float32)

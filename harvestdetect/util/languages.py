"""The language of a text, by its script and its function words. It names languages for people and decides nothing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from functools import cache
from typing import Final

from harvestdetect.util.words import words

__all__ = ["is_function_word", "language_of"]

READ: Final = 2_000
"""Characters of a text that are read. Chosen."""
LEAST_LETTERS: Final = 8
"""Letters of a script from which its language is named. Chosen."""
LEAST_SHARE: Final = 0.3
"""Share of the letters of a text that a script without function words needs: prompts mix in English terms. Chosen."""
LEAST_WORDS: Final = 2
"""Function words that a language needs. Chosen."""
LEAST_OF_WORDS: Final = 0.1
"""Share of the words of a text that must be function words of a language. Chosen."""

_SCRIPTS: Final[Mapping[str, re.Pattern[str]]] = {
    name: re.compile(f"[{letters}]")
    for name, letters in {
        "Japanese": "\u3041-\u3096\u30a1-\u30fa",
        "Korean": "\u1100-\u11ff\uac00-\ud7a3",
        "Chinese": "\u3400-\u4dbf\u4e00-\u9fff",
        "Thai": "\u0e01-\u0e3a\u0e40-\u0e4e",
        "Lao": "\u0e81-\u0ecf",
        "Khmer": "\u1780-\u17d3",
        "Burmese": "\u1000-\u103f",
        "Hebrew": "\u05d0-\u05ea",
        "Greek": "\u0386-\u03ce",
        "Georgian": "\u10d0-\u10ff",
        "Armenian": "\u0561-\u0587",
        "Bengali": "\u0985-\u09ce",
        "Tamil": "\u0b85-\u0bd7",
        "Telugu": "\u0c05-\u0c63",
        "Amharic": "\u1200-\u137f",
    }.items()
}
"""Languages whose script hardly any other one has. Japanese comes before Chinese, because it has Chinese characters."""
_FUNCTION_WORDS: Final[Mapping[str, str]] = {
    "English": "the of and to a in is you that it for are with as your this be on not or how what",
    "German": "der die das und ist nicht ein eine zu mit den von auf für sie ich wie im dem auch",
    "French": "le la les des et est une un dans pour que qui du vous avec pas sur ce au je",
    "Spanish": "el la los las de y que en un una es por para con no se del lo como su",
    "Portuguese": "o a os as de e que em um uma é por para com não se do da no na",
    "Italian": "il la le gli di e che in un una è per con non si del della lo come sono",
    "Dutch": "de het een en van is niet dat op te in met voor zijn ik je aan die wat hoe",
    "Swedish": "och att det som en är på för av med jag inte den till har om ett hur vad du",
    "Polish": "i w nie na się z do to że jest jak o co od po dla czy oraz jego są",
    "Turkish": "ve bir bu için ile da de ne olarak daha çok gibi var mi olan kadar nasıl sen ben değil",
    "Vietnamese": "của và là có cho không một các được trong với người này những để như tôi bạn từ khi",
    "Indonesian": "yang dan di untuk dengan ini itu dari pada adalah tidak saya anda dalam akan apa ke bagaimana atau",
    "Russian": "и в не на что с как это по для из к от или его так но мы вы я",
    "Ukrainian": "і в не на що з як це для до та або його так але від у ви я про",
    "Bulgarian": "и на да се за от е не в с по че как са това или до със при си",
    "Arabic": "في من على إلى أن هذا هذه ما لا عن مع هو هي التي الذي كان أو كيف كل هل",
    "Persian": "و در به از که این را با است برای آن یک های می تا بر هم چه شما خود",
    "Urdu": "کے کی میں ہے اور سے کو کا ہیں پر یہ نے کہ ایک تو ہو بھی کیا آپ اس",
    "Hindi": "के की में है और से को का हैं पर यह ने कि एक तो हो भी क्या आप इस",
}
"""Frequent words of languages that share their scripts with others."""


def language_of(text: str) -> str:
    """The English name of the language of a text; empty if it cannot be told, as for code, names and very short texts.

    Args:
        text: any text; its first :data:`READ` characters count.
    """
    text = text[:READ]
    letters = sum(map(str.isalpha, text))
    for name, script in _SCRIPTS.items():
        found = len(script.findall(text))
        if found >= LEAST_LETTERS and found >= LEAST_SHARE * letters:
            return name
    tokens = [word.casefold() for word in words(text)]
    score: Counter[str] = Counter()
    for token in tokens:
        score.update(_languages().get(token, ()))
    best = sorted(score.items(), key=lambda item: (-item[1], item[0]))[:2]
    if not best or best[0][1] < max(LEAST_WORDS, LEAST_OF_WORDS * len(tokens)):
        return ""
    return best[0][0] if len(best) == 1 or best[0][1] > best[1][1] else ""


def is_function_word(word: str) -> bool:
    """Whether a word in lower case is among the most frequent ones of a known language."""
    return word in _languages()


@cache
def _languages() -> dict[str, tuple[str, ...]]:
    """Function word -> the languages that have it."""
    found: dict[str, list[str]] = {}
    for language, line in _FUNCTION_WORDS.items():
        for word in line.split():
            found.setdefault(word, []).append(language)
    return {word: tuple(languages) for word, languages in found.items()}

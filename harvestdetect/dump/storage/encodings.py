"""The encoding of a text, and the text in UTF-8."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from typing import Final

from harvestdetect.dump.storage.streams import BrokenStreamError

__all__ = ["UTF_8", "as_utf8", "encoding_of"]

UTF_8: Final = "utf-8"
_BOMS: Final = (
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_WIDE: Final = (
    ("utf-32-le", re.compile(rb"(?:[\x09-\x7e]\x00\x00\x00){2}", re.DOTALL)),
    ("utf-32-be", re.compile(rb"(?:\x00\x00\x00[\x09-\x7e]){2}", re.DOTALL)),
    ("utf-16-le", re.compile(rb"(?:[\x09-\x7e]\x00){4}", re.DOTALL)),
    ("utf-16-be", re.compile(rb"(?:\x00[\x09-\x7e]){4}", re.DOTALL)),
)
"""Beginnings of texts in wide encodings without a byte-order mark."""
_MULTIBYTE: Final = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}", re.DOTALL
)
"""Characters of UTF-8 beyond ASCII, surrogates among them, which some writers encode."""
_HIGH: Final = re.compile(rb"[\x80-\xff]")
_LEAST_LINES: Final = 3
"""Lines that must have bytes that are not UTF-8 before another encoding is considered. Fewer lines are damaged."""
_SAMPLE: Final = 1 << 16
"""Bytes of lines by which an encoding is chosen."""
_NEAR: Final = 0.05
"""Difference of disorder, as charset-normalizer measures it, up to which two encodings fit equally well."""
_ALIKE: Final = ("cp1250", "cp1254", "cp1257", "cp850", "mac_roman", "iso8859_2")
"""Encodings that fit a few Western letters as well as cp1252 does."""
_SURE: Final = (
    ("cp1250", b"\x8a\x8e\x9a\x9e", b""),
    ("cp1250", b"\xf5\xfb", b"\xe3\xe7\xea"),
    ("cp1250", b"\xba\xfe", b"\xe7"),
    ("cp1254", b"\xf0\xfd\xfe", b"\xe1\xe6"),
)
"""Letters of Czech and Croatian, of Hungarian, of Romanian and of Turkish, which cp1252 does not have, in an encoding;
and letters of Western languages that these languages do not have."""
_SHARE: Final = 0.03
"""Least share of such letters among those beyond ASCII."""
_TRIED: Final = (
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "cp874", "cp850"),
    *("cp866", "koi8_r", "koi8_u", "iso8859_2", "mac_roman", "gb18030", "big5", "cp932", "euc_jp", "cp949"),
)
"""Encodings that logs and exports are written in."""


def encoding_of(sample: bytes) -> str:
    """The encoding of a text, as Python names it.

    A text with a few bytes that are not UTF-8 is UTF-8 nevertheless: the damaged rows are rejects. Another encoding is
    chosen only if several lines have such bytes, and if they form no characters of UTF-8.

    Args:
        sample: the beginning of the text, and parts from other places.
    """
    for mark, name in _BOMS:
        if sample.startswith(mark):
            return name
    for name, start in _WIDE:
        if start.match(sample) and _is_wide(sample, name):
            return name
    try:
        sample.decode()
        return UTF_8
    except UnicodeDecodeError:
        pass
    lines = [line for line in sample.split(b"\n") if not line.isascii()]
    bad = [line for line in lines if _HIGH.search(_MULTIBYTE.sub(b"", line))]
    good = sum(1 for line in lines for _ in _MULTIBYTE.finditer(line))
    wrong = sum(len(_HIGH.findall(_MULTIBYTE.sub(b"", line))) for line in bad)
    if len(bad) < _LEAST_LINES or good > wrong:
        return UTF_8
    return _legacy(b"\n".join(bad)[:_SAMPLE]) or UTF_8


def _is_wide(sample: bytes, name: str) -> bool:
    width = 4 if "32" in name else 2
    try:
        text = sample[: len(sample) // width * width][:_SAMPLE].decode(name, "surrogatepass")
    except UnicodeDecodeError:
        return False
    return text.count("\0") * 100 <= len(text)


def _legacy(sample: bytes) -> str:
    """The eight-bit or multi-byte encoding that fits a sample best; "" if none does."""
    from charset_normalizer import from_bytes

    tried = from_bytes(sample, cp_isolation=list(_TRIED), enable_fallback=False, preemptive_behaviour=False)
    found = [match for match in tried if match.encoding in _TRIED and not _fails(sample, match.encoding)]
    if not found:
        return ""
    best = found[0]
    western = [match for match in found if match.encoding == "cp1252" or "cp1252" in match.could_be_from_charset]
    if western and best.encoding in _ALIKE and western[0].chaos - best.chaos <= _NEAR:
        return _among_alike(sample)
    return str(best.encoding)


def _among_alike(sample: bytes) -> str:
    """cp1252, unless letters of another encoding are frequent."""
    high = bytes(byte for byte in sample if byte >= 0x80)
    for encoding, letters, others in _SURE:
        counts = [high.count(letter) for letter in letters]
        if sum(counts) >= _SHARE * len(high) and sum(map(bool, counts)) > 1 and not any(o in high for o in others):
            return encoding
    return "cp1252"


def _fails(sample: bytes, encoding: str) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)().decode(sample)
    except (UnicodeError, LookupError):
        return True
    return False


def as_utf8(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """The text in UTF-8, without a byte-order mark. Bytes that cannot be decoded stay invalid, so rows become rejects.

    Raises:
        BrokenStreamError: of the chunks.
    """
    codecs.register_error("harvestdetect", _mark)
    decoder = codecs.getincrementaldecoder(encoding)("harvestdetect")
    first = True
    broken: BrokenStreamError | None = None
    source = iter(chunks)
    while True:
        try:
            chunk = next(source, None)
        except BrokenStreamError as error:
            broken = error
            chunk = None
        text = decoder.decode(b"" if chunk is None else chunk, final=chunk is None)
        if first and text:
            first = False
            text = text.removeprefix("\ufeff")
        if text:
            yield text.encode("utf-8", "surrogatepass")
        if broken is not None:
            raise broken
        if chunk is None:
            return


def _mark(error: UnicodeError) -> tuple[str, int]:
    """Replaces what cannot be decoded by a lone surrogate, which is not valid UTF-8."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\udcff", error.end

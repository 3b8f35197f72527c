"""Keys of stored data: a key is a digest of everything that the data depends on.

This includes the kind of the data, the content that it was made from (digests of files or of a model), the settings
that it was made with, and the version of the format. Data of other content, settings or versions has another key, so
it is never found by mistake.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

__all__ = ["FORMAT", "key_of"]

FORMAT: Final = 7
"""Version of the format of all stored data. Raise it if older versions of this package could misread new data."""


def key_of(settings: Mapping[str, Any], *, kind: str = "", content: Sequence[Any] = ()) -> str:
    """The key of kept data, 40 hexadecimal digits.

    Args:
        settings: by name, in any order; plain values, or anything with a stable ``repr``.
        kind: of the data, such as "vectors".
        content: digests of what the data was made from, and other plain values that identify it.
    """
    parts = [FORMAT, kind, list(content), dict(settings)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=repr).encode()).hexdigest()[:40]

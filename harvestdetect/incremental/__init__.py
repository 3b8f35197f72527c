"""What a scan takes over from an earlier scan of most of the same texts.

:func:`reusing` wraps the stages of a scan from outside: each wrapper looks for what the earlier scan left in the work
folder, runs the plain stage on the rest, and leaves its own results for the next scan. Without a work folder the plain
stages run alone and the findings are those of a first scan.
"""

from __future__ import annotations

from harvestdetect.incremental.reuse import reusing

__all__ = ["reusing"]

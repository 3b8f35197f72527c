"""Dumps of prompts, as files, to batches of rows; a row that cannot be read is a counted reject.

The parts: :mod:`sources` finds and opens files, :mod:`streams` takes the compression off and cuts lines,
:mod:`columns` tells which column is what, :mod:`jsonl`, :mod:`delimited` and :mod:`parquet` read the three
formats by column, :mod:`rows` and :mod:`times` judge the values, :mod:`reader` puts them together.
"""

from __future__ import annotations

from harvestdetect.dump.in_memory import batches_of
from harvestdetect.dump.reader import DumpFile, Dumps, check_rejects, read_dumps
from harvestdetect.dump.sources import expand_sources

__all__ = ["DumpFile", "Dumps", "batches_of", "check_rejects", "expand_sources", "read_dumps"]

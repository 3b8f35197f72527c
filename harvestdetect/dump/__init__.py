"""Dumps to batches of prompts. A row that cannot be read is a reject, and is counted.

Four packages. Each imports only from those before it:

* :mod:`~harvestdetect.dump.storage` finds and opens files, archives, object stores and databases, decompresses them,
  and turns text into UTF-8.
* :mod:`~harvestdetect.dump.values` walks records and reads values: messages, times, ids.
* :mod:`~harvestdetect.dump.columns` decides which path of a record gives which field, by known shapes
  (``profiles.toml``) or by the names and values of a sample.
* :mod:`~harvestdetect.dump.formats` recognises the format of a file and reads it by column.

Above them, :mod:`~harvestdetect.dump.file` reads one file and :mod:`~harvestdetect.dump.reader` all of them;
:mod:`~harvestdetect.dump.in_memory` takes prompts that are in memory, :mod:`~harvestdetect.dump.given` tables and rows,
and :mod:`~harvestdetect.dump.inspection` tells what a dump seems to be.
"""

from __future__ import annotations

from harvestdetect.dump.given import given
from harvestdetect.dump.in_memory import batches_of
from harvestdetect.dump.reader import DumpFile, Dumps, check_rejects, read_dumps
from harvestdetect.dump.storage.sources import expand_sources
from harvestdetect.dump.whole_files import WholeFiles

__all__ = ["DumpFile", "Dumps", "WholeFiles", "batches_of", "check_rejects", "expand_sources", "given", "read_dumps"]

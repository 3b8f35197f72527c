"""Dump files to batches of prompts. A row that cannot be read is a reject, and is counted.

:mod:`~harvestdetect.dump.sources` finds and opens files, :mod:`~harvestdetect.dump.folders` says which names are taken,
and :mod:`~harvestdetect.dump.units` opens archives (:mod:`~harvestdetect.dump.tar`,
:mod:`~harvestdetect.dump.zip_files`) and databases. :mod:`~harvestdetect.dump.compressed` decompresses,
:mod:`~harvestdetect.dump.encodings` turns text into UTF-8, and :mod:`~harvestdetect.dump.formats` recognises the
format.

:mod:`~harvestdetect.dump.json_text` finds the JSON objects of a file: in :mod:`~harvestdetect.dump.lines`, as
:mod:`~harvestdetect.dump.json_values` one behind the other, in :mod:`~harvestdetect.dump.log_lines`, or in
:mod:`~harvestdetect.dump.records` of a log service. :mod:`~harvestdetect.dump.jsonl`,
:mod:`~harvestdetect.dump.delimited` (CSV) and :mod:`~harvestdetect.dump.parquet` read the formats by column.

A :mod:`~harvestdetect.dump.layout` says which paths of a record give which field. :mod:`~harvestdetect.dump.profiles`
has the layouts of known shapes; :mod:`~harvestdetect.dump.choice` finds others by the names of
:mod:`~harvestdetect.dump.columns` and by the values of a sample (:mod:`~harvestdetect.dump.samples`).
:mod:`~harvestdetect.dump.shapes` has the layouts of one file and reads each record by its own. A
:mod:`~harvestdetect.dump.table` of many records is read by column where the layout of most records fits.

:mod:`~harvestdetect.dump.rows` and :mod:`~harvestdetect.dump.times` check the values. :mod:`~harvestdetect.dump.file`
reads one file, :mod:`~harvestdetect.dump.reader` all files, and :mod:`~harvestdetect.dump.in_memory` takes prompts that
are in memory.
"""

from __future__ import annotations

from harvestdetect.dump.in_memory import batches_of
from harvestdetect.dump.reader import DumpFile, Dumps, check_rejects, read_dumps
from harvestdetect.dump.sources import expand_sources

__all__ = ["DumpFile", "Dumps", "batches_of", "check_rejects", "expand_sources", "read_dumps"]

"""Signatures between providers: what a campaign looks like, signed, without a prompt and without an account.

* :mod:`~harvestdetect.signatures.export` makes a file from the results of a scan,
  :mod:`~harvestdetect.signatures.making` decides what may be in it, and :mod:`~harvestdetect.signatures.envelope` signs
  it.
* :mod:`~harvestdetect.signatures.matching` compares the files of others with a scan.
* :mod:`~harvestdetect.signatures.values` is the format; ``docs/signatures.md`` describes it, and who is protected from
  what.

Signatures need the package ``cryptography`` (the extra ``signatures``). It is imported by the functions that use it.
"""

from __future__ import annotations

from harvestdetect.signatures.envelope import Opened, open_signatures, opened, sealed
from harvestdetect.signatures.export import Exported, Request, export_signatures
from harvestdetect.signatures.matching import Shared

__all__ = ["Exported", "Opened", "Request", "Shared", "export_signatures", "open_signatures", "opened", "sealed"]

"""The detection of the tests of reports."""

from __future__ import annotations

from tests.report.conftest import detection

__all__ = ["detection"]

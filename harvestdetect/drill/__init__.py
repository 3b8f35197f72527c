"""Plants campaigns into a copy of a provider's own traffic and says which of them a scan finds.

:func:`harvestdetect.drill.run.drill` runs it. :mod:`~harvestdetect.drill.grid` says what is tried,
:mod:`~harvestdetect.drill.planting` plants it, and :mod:`~harvestdetect.drill.result` says what was found.
"""

from __future__ import annotations

from harvestdetect.drill.grid import FACTORS, Design, Trial
from harvestdetect.drill.result import Drill, Level, Outcome, Rate
from harvestdetect.drill.run import drill

__all__ = ["FACTORS", "Design", "Drill", "Level", "Outcome", "Rate", "Trial", "drill"]

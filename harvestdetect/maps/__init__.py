"""The map: a sample of a dump's prompts in the plane, so that prompts with alike wording lie close together.

:mod:`~harvestdetect.maps.sample` chooses the prompts, :mod:`~harvestdetect.maps.layout` places them, and
:mod:`~harvestdetect.maps.build` makes the table ``map.parquet``. The map is a picture for people. It is made after the
findings and changes none of them.
"""

from __future__ import annotations

from harvestdetect.maps.build import map_table
from harvestdetect.maps.layout import layout
from harvestdetect.maps.sample import MapSample, sample_prompts

__all__ = ["MapSample", "layout", "map_table", "sample_prompts"]

"""The page on which people read findings and judge them: ``harvestdetect serve``.

A web server on this machine, for one or a few people. Everything works without JavaScript. docs/serve.md says what it
protects, and from whom.
"""

from __future__ import annotations

from harvestdetect.serve.desk import Desk, Places, places_of
from harvestdetect.serve.server import Options, serve

__all__ = ["Desk", "Options", "Places", "places_of", "serve"]

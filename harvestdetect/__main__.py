"""``python -m harvestdetect`` is the command ``harvestdetect``."""

from __future__ import annotations

from harvestdetect.cli.main import main

__all__: list[str] = []

if __name__ == "__main__":
    main()

"""The command ``python -m benchmarks.independent``."""

from benchmarks.independent.command import main

if __name__ == "__main__":
    raise SystemExit(main())

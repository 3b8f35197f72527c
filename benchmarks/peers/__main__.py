"""The command ``python -m benchmarks.peers``."""

from benchmarks.peers.command import main

if __name__ == "__main__":
    raise SystemExit(main())

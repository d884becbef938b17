"""`python -m benchmarks`: every benchmark in turn, each in a process of its own; arguments go to each."""

from __future__ import annotations

import subprocess
import sys

NAMES = ("imports", "images", "history", "build", "live", "contents", "view", "course")


def main() -> int:
    """Run them all, whatever becomes of one, and return 0 if each one measured."""
    codes = []
    for name in NAMES:
        codes.append(
            subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *sys.argv[1:]], check=False).returncode
        )
        print(flush=True)
    return max(abs(code) for code in codes)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)

"""A program for tests of forked ones: says what it was given, and ends with its first argument, or waits."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path


def main() -> None:
    """Say arguments, a variable, the folder and standard input, and end or wait."""
    words = [*sys.argv[1:], os.environ["WORD"], str(Path.cwd()), sys.stdin.read()]
    sys.stdout.write(" ".join(words) + "\n")
    sys.stdout.flush()
    sys.stderr.write("said\n")
    if sys.argv[1] == "wait":
        signal.pause()
    sys.exit(int(sys.argv[1]))

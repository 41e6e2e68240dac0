"""A program for the tests of the fork server: it says its environment and its ids, and ends as it is told."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path


def main() -> None:
    sys.stdout.write(f"word {os.environ['WORD']} {os.getpid()} {os.getsid(0)} {Path.cwd()}\n")
    sys.stdout.flush()
    end = os.environ["END"]
    if end == "raise":
        raise ValueError("told to")
    if end == "wait":
        signal.pause()
    sys.exit(int(end))

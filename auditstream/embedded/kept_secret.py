"""Secrets that a deployment keeps in its data folder, for its owner only: a restart has the same ones."""

from __future__ import annotations

import os
from pathlib import Path


def kept(path: Path) -> str:
    """Return what was kept; empty where nothing was."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""


def keep(path: Path, secret: str) -> None:
    """Keep a secret in place of what was kept.

    Raises:
        OSError: The folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(secret + "\n")

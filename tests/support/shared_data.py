"""Public data sets that are too large for the tree; `AUDITSTREAM_TEST_SHARED_DATA` names their folder."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.parts import skip_part


def shared_file(*parts: str) -> Path:
    """Return a file of the folder; skips the calling test where there is none."""
    folder = os.environ.get("AUDITSTREAM_TEST_SHARED_DATA")
    if folder is None:
        skip_part("the shared data sets", "AUDITSTREAM_TEST_SHARED_DATA is not set")
    path = Path(folder).joinpath(*parts)
    if not path.exists():
        skip_part("the shared data sets", f"{'/'.join(parts)} is not in the folder")
    return path

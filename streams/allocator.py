"""How polars' allocator treats memory between two segments.

polars gives freed pages back after half a second; the next segment, a moment later, pays for getting them
again: 3 of 16 µs an event of 1.3 kB. A worker builds segments all the time and may keep its pages.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping

VARIABLE = "_RJEM_MALLOC_CONF"
KEPT_PAGES = "dirty_decay_ms:30000,muzzy_decay_ms:30000"


def keep_pages(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let freed pages be kept for half a minute, unless the environment says otherwise already.

    Has an effect on this process only before polars is imported: its allocator reads the environment once.
    """
    environment.setdefault(VARIABLE, KEPT_PAGES)

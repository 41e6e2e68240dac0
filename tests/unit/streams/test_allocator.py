"""Memory between segments: kept unless the operator says otherwise."""

from __future__ import annotations

import subprocess
import sys

from streams.allocator import KEPT_PAGES, VARIABLE, keep_pages


def test_pages_are_kept() -> None:
    environment: dict[str, str] = {}
    keep_pages(environment)
    assert environment == {VARIABLE: KEPT_PAGES}


def test_what_the_operator_set_stays() -> None:
    environment = {VARIABLE: "dirty_decay_ms:0"}
    keep_pages(environment)
    assert environment == {VARIABLE: "dirty_decay_ms:0"}


def test_a_worker_comes_to_it_before_polars_is_there() -> None:
    # Its allocator reads the variable once.
    look = (
        "import sys; from auditstream.cli import main, worker; from streams import allocator;"
        "assert 'polars' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", look], check=True)

"""Waiting for a part that answers over HTTP."""

from __future__ import annotations

import time
from contextlib import suppress

import urllib3

from auditstream.core.errors import RetryableError
from auditstream.embedded.watched_process import WatchedProcess

_READY_S = 60.0
_POLL_S = 0.1
_FAILED_STARTS = 3


def wait_until_answers(url: str, process: WatchedProcess) -> None:
    """Return when `/readyz` of a part answers 200.

    Args:
        url: Where it answers.
        process: Its process, whose log is named when it does not.

    Raises:
        RetryableError: It was not ready in time, or died again and again.
    """
    deadline = time.monotonic() + _READY_S
    with urllib3.PoolManager(retries=False, timeout=5.0) as pool:
        while True:
            with suppress(urllib3.exceptions.HTTPError):
                if pool.request("GET", f"{url}/readyz").status == 200:
                    return
            if process.deaths >= _FAILED_STARTS or time.monotonic() > deadline:
                raise RetryableError(f"the {process.name} is not ready", hint=f"See {process.log}.")
            time.sleep(_POLL_S)

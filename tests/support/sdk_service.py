"""A service that records without end, to be killed: one thread in mode `batch`, one in `blocking-strict`.

Arguments: gateway's address, spool folder, diary file, first number, how many events of the batch thread.
The diary is a mapped page, so it survives SIGKILL: words 0 and 1 are the last number of the batch thread that
was begun and that came back, word 2 counts what the strict thread was given receipts for; their names follow
as numbers from word 3 on.
"""

from __future__ import annotations

import mmap
import os
import sys
import threading
import time

from auditstream_sdk import AuditClient, NotAcknowledgedError

BEGUN, RETURNED, ACKNOWLEDGED, NAMES = 0, 1, 2, 3
DIARY_BYTES = 1 << 16
_SETTINGS = {
    "key": "ask_test_secret",
    "batch_age_s": 0.05,
    "linger_s": 0.01,
    "retry_first_s": 0.01,
    "retry_most_s": 0.1,
    "request_timeout_s": 1.0,
    "heartbeat_s": 0.5,
}


def main() -> None:
    """Record until somebody kills us."""
    url, spool, path, first, count = sys.argv[1:]
    fd = os.open(path, os.O_RDWR)
    diary = memoryview(mmap.mmap(fd, DIARY_BYTES)).cast("Q")
    strict = threading.Thread(target=_strict, args=(url, spool, diary, int(first)), daemon=True)
    strict.start()
    client = AuditClient(url=url, spool=spool, source="svc://batch", **_SETTINGS)
    for number in range(int(first), int(first) + int(count)):
        diary[BEGUN] = number
        with client.tool_call(name=f"b{number}"):
            pass
        diary[RETURNED] = number
        if number % 100 == 0:
            time.sleep(0.008)
    while True:
        time.sleep(1)


def _strict(url: str, spool: str, diary: memoryview, first: int) -> None:
    client = AuditClient(url=url, spool=spool, source="svc://strict", mode="blocking-strict", **_SETTINGS)
    for number in range(DIARY_BYTES // 8 - NAMES):
        try:
            client.tool_call(name=f"s{first}-{number}").record()
        except NotAcknowledgedError:
            continue
        count = diary[ACKNOWLEDGED]
        diary[NAMES + count] = number
        diary[ACKNOWLEDGED] = count + 1


if __name__ == "__main__":
    main()

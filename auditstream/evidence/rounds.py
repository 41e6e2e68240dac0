"""Rounds: logs that grow side by side are checked side by side, for a store keeps their rows together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from auditstream.evidence.log_check import CheckedRange, LogCheck
from auditstream.query.leaf_tiles import LogTiles, TileDigest

ROUND_TILES = 4096
"""Tiles checked at once: a million leaves, some 300 MB in the store. Fewer cost it more a leaf."""

MOST_LOGS = 8
"""Logs of one round: each is one more comparison for every row that is looked at."""

Digests = Callable[[Sequence[LogTiles]], Sequence[Mapping[int, TileDigest]]]
"""Returns what values give for some tiles of some logs, in the order of the logs; many threads may call."""

Done = Callable[[int, CheckedRange], object]
"""Told which log, by its place, and what a range of its tiles came to."""


def rounds(logs: Sequence[LogTiles]) -> Iterator[list[tuple[int, LogTiles]]]:
    """Yield which tiles of which logs belong together: equal shares of the logs that are not at their end.

    Args:
        logs: All tiles of each log.
    """
    at = [log.first_tile for log in logs]
    ends = [log.first_tile + log.tiles for log in logs]
    while open_logs := [place for place, end in enumerate(ends) if at[place] < end]:
        share = max(1, ROUND_TILES // len(open_logs))
        yield [
            (place, logs[place].part(at[place], min(share, ends[place] - at[place]))) for place in open_logs
        ]
        for place in open_logs:
            at[place] += share


def check_rounds(
    checks: Sequence[LogCheck],
    ahead: Sequence[Sequence[tuple[int, LogTiles]]],
    digests: Digests,
    *,
    threads: int,
    done: Done,
) -> None:
    """Check rounds side by side; the first error ends it.

    Args:
        checks: The logs.
        ahead: The rounds.
        digests: What values give.
        threads: Rounds at once: while one waits for the store, another compares.
        done: Told of each range, in order.
    """

    def check(round_: Sequence[tuple[int, LogTiles]]) -> list[tuple[int, CheckedRange]]:
        found = digests([tiles for _, tiles in round_])
        return [
            (place, checks[place].check(tiles.first_tile, tiles.tiles, given))
            for (place, tiles), given in zip(round_, found, strict=True)
        ]

    with ThreadPoolExecutor(max_workers=threads) as pool:
        waiting = [pool.submit(check, each) for each in ahead]
        try:
            for future in waiting:
                for place, checked in future.result():
                    done(place, checked)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise

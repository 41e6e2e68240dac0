"""Rounds: logs that grow side by side are checked side by side, for a store keeps their rows together."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

from auditstream.evidence.log_check import CheckedRange, LogCheck
from auditstream.query.leaf_tiles import LogTiles, TileDigest

ROUND_TILES = 32_768
"""Tiles checked at once: eight million leaves, some 900 MB in the store; where it gives less, they are asked
for in parts. Where rows of tenants or times lie in one another, what a round ends in is read for the next
again: of 1.5 million leaves, one round took the store 2.6 s of processor time, two 2.9 s, four 3.2 s."""

MOST_LOGS = 8
"""Logs of one round: each is one more comparison for every row that is looked at."""

Digests = Callable[[Sequence[LogTiles]], Sequence[Mapping[int, TileDigest]]]
"""Returns what values give for some tiles of some logs, in the order of the logs; many threads may call."""

Round = Sequence[tuple[int, LogTiles]]
"""Tiles that are asked for at once, each with the place of its log."""

Done = Callable[[int, CheckedRange], object]
"""Told which log, by its place, and what a range of its tiles came to."""


def rounds(logs: Sequence[LogTiles]) -> Iterator[Round]:
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
    ahead: Iterable[Round],
    digests: Digests,
    *,
    threads: int,
    done: Done,
) -> None:
    """Check rounds one after the other; the first error ends it.

    While the store works on a round, its files are read and hashed here, and the round before is compared.
    The store uses all of its cores for one question: two at once only take the cache from each other.

    Args:
        checks: The logs.
        ahead: The rounds.
        digests: What values give.
        threads: One compares, the others wait for the store.
        done: Told of each range, in order.
    """
    questions = max(1, threads - 1)
    with ThreadPoolExecutor(max_workers=questions) as pool:
        waiting: deque[tuple[Round, Future[Sequence[Mapping[int, TileDigest]]]]] = deque()
        coming = iter(ahead)
        try:
            while True:
                for round_ in islice(coming, questions + 1 - len(waiting)):
                    waiting.append((round_, pool.submit(digests, [tiles for _, tiles in round_])))
                if not waiting:
                    return
                round_, answer = waiting.popleft()
                published = [
                    checks[place].published(tiles.first_tile, tiles.tiles) for place, tiles in round_
                ]
                for (place, _), files, given in zip(round_, published, answer.result(), strict=True):
                    done(place, checks[place].check(files, given))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise

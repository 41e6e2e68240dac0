"""`python -m benchmarks.detection.refusals`: how often quiet keys fire, and how soon a rise is found.

Keys decide at a rate, and deny a share of it: always the same one, one that is drawn anew each hour, or one
that follows the hour of the day. After two weeks the share becomes six times as high in half of the keys.
Each decision comes with several events that are none.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from auditstream.detection.deny_rise import DenyRise
from auditstream.detection.detector import COOL, Bucket

_QUARTERS = 96
_DAYS = 14
_AFTER = 3
"""Days of the higher share."""

_MONDAY = 20_142 * 1_440
_RATES = (0.1, 0.25, 0.5, 1.0, 3.0, 10.0)
"""Decisions a minute."""

_SHARE, _TIMES = 0.02, 6.0
_OTHERS = 6.0
"""Calls and steps that an agent makes for each decision: events that no policy decides about."""

_LOW = 0.6

Shares = Callable[[np.random.Generator, int, int], NDArray[np.float64]]


def _steady(_: np.random.Generator, keys: int, __: int) -> NDArray[np.float64]:
    return np.full(keys, _SHARE)


def _by_hour(random: np.random.Generator, keys: int, _: int) -> NDArray[np.float64]:
    """A share of 2 % whose deviation is 1 %."""
    return random.gamma(4.0, _SHARE / 4.0, keys).clip(0, 0.5)


def _by_day(_: np.random.Generator, keys: int, hour: int) -> NDArray[np.float64]:
    """Half as much again in the middle of the day, and half as much at night."""
    return np.full(keys, _SHARE * (1 + 0.5 * np.sin((hour - 6) / 24 * 2 * np.pi)))


def _low(_: np.random.Generator, keys: int, __: int) -> NDArray[np.float64]:
    return np.full(keys, _SHARE / 2)


def _nightly(_: np.random.Generator, keys: int, hour: int) -> NDArray[np.float64]:
    """3 % in the first six hours of the day, else 1.67 %."""
    return np.full(keys, 0.03 if hour % 24 < 6 else 0.0167)


_STORM_RATES = (0.4, 0.8, 2.0, 4.0)
_STORM = 0.15
"""Share that a storm comes to on top: as much as a policy that has become too strict."""

_STORM_AT = 4 * _QUARTERS + 40
_STORM_FOR = 3
"""Quarter in which a storm begins, in the morning of the fifth day; and quarters for which it lasts."""

_QUIET = 0.3
STORMED: dict[str, Shares] = {"2 %": _steady, "1 %": _low, "3 % at night": _nightly, "by the hour": _by_hour}

FORMS: dict[str, Shares] = {"steady": _steady, "by the hour": _by_hour, "by the day": _by_day}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.detection.refusals")
    parser.add_argument("--keys", type=int, default=400, help="keys of each rate and form")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rates", type=float, nargs="+", default=_RATES, help="decisions a minute")
    parser.add_argument("--storms", action="store_true", help="short storms instead of rises that stay")
    options = parser.parse_args()
    if options.storms:
        Console(width=110).print(_storms(options.keys, options.seed))
        return
    table = Table("share", "decisions a minute", "episodes a key-day", "found", "hours, median")
    for name, shares in FORMS.items():
        for rate in options.rates:
            quiet, hours = _run(np.random.default_rng(options.seed), options.keys, rate, shares)
            found = np.isfinite(hours).mean()
            days = options.keys * (_DAYS + _AFTER / 2)
            table.add_row(name, f"{rate}", f"{quiet / days:.5f}", f"{found:.2f}", f"{np.median(hours):.2f}")
    Console(width=110).print(table)


def _storms(keys: int, seed: int) -> Table:
    """Return how many keys are found in a storm or half an hour after it, and how many fired before."""
    table = Table("usual share", "keys", "found", "fired in the days before")
    rates = np.resize(_STORM_RATES, keys)
    for name, shares in STORMED.items():
        random, detector = np.random.default_rng(seed), DenyRise()
        detector.reserve(keys)
        wrong, found = set[int](), set[int]()
        share = shares(random, keys, 0)
        for number in range(_STORM_AT + _STORM_FOR + 2):
            if number % 4 == 0:
                share = shares(random, keys, number // 4)
            is_storm = _STORM_AT <= number < _STORM_AT + _STORM_FOR
            busy = _QUIET if number % _QUARTERS < _QUARTERS // 3 else 1.0
            bucket = _quarter(random, number, rates * busy, share + _STORM * is_storm)
            scores = detector.observe(bucket, np.zeros(keys, np.bool_))
            (wrong if number < _STORM_AT else found).update(scores.keys[scores.level >= 1].tolist())
        table.add_row(name, f"{keys}", f"{len(found - wrong)}", f"{len(wrong)}")
    return table


def _quarter(
    random: np.random.Generator, number: int, rates: NDArray[np.float64], share: NDArray[np.float64]
) -> Bucket:
    """Return what a quarter of an hour brings: decisions, some of which refuse, and other events."""
    decisions = random.poisson(15 * rates)
    blocked = random.binomial(decisions, share.clip(0, 1))
    events = decisions + random.poisson(_OTHERS * decisions)
    own = np.flatnonzero(decisions).astype(np.int32)
    sums = {"blocked": blocked, "events": events, "blocked_decisions": blocked, "decisions": decisions}
    values = {name: each[own].astype(float) for name, each in sums.items()}
    return Bucket(_MONDAY + 15 * number + 14, 1, own, values)


def _run(
    random: np.random.Generator, keys: int, rate: float, shares: Shares
) -> tuple[int, NDArray[np.float64]]:
    """Return how many episodes opened where nothing happened, and after how many hours the rise was found."""
    detector = DenyRise()
    detector.reserve(keys)
    in_episode, since = np.zeros(keys, np.bool_), np.zeros(keys, np.int64)
    is_hit = np.arange(keys) < keys // 2
    opened, hours = 0, np.full(keys // 2, np.inf)
    share = shares(random, keys, 0)
    for number in range((_DAYS + _AFTER) * _QUARTERS):
        if number % 4 == 0:
            share = shares(random, keys, number // 4)
        after = number - _DAYS * _QUARTERS
        now = np.where(is_hit & (after >= 0), share * _TIMES, share)
        # Of a day by half its hours fewer decisions come.
        busy = 1.0 if number % _QUARTERS < _QUARTERS * 2 // 3 else _LOW
        scores = detector.observe(_quarter(random, number, np.full(keys, rate * busy), now), in_episode)
        level = np.zeros(keys)
        level[scores.keys] = scores.level
        fires = level >= 1
        new = fires & ~in_episode
        opened += int((new & (~is_hit | (after < 0))).sum())
        if after >= 0:
            hit = np.flatnonzero(fires[: keys // 2])
            hours[hit] = np.minimum(hours[hit], (after + 1) / 4)
        # An episode is over after an hour below the level at which it goes on.
        since = np.where(level >= COOL, 0, since + 1)
        in_episode = (in_episode | fires) & (since < 4)
    return opened, hours


if __name__ == "__main__":
    main()

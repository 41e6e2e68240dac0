"""`python -m benchmarks.detection.refusals`: how often quiet keys fire, and how soon a rise is found.

Keys decide at a rate, and deny a share of it: always the same one, one that is drawn anew each hour, or one
that follows the hour of the day. After two weeks the share becomes six times as high in half of the keys.
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


FORMS: dict[str, Shares] = {"steady": _steady, "by the hour": _by_hour, "by the day": _by_day}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.detection.refusals")
    parser.add_argument("--keys", type=int, default=400, help="keys of each rate and form")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    table = Table("share", "decisions a minute", "episodes a key-day", "found", "hours, median")
    for name, shares in FORMS.items():
        for rate in _RATES:
            quiet, hours = _run(np.random.default_rng(options.seed), options.keys, rate, shares)
            found = np.isfinite(hours).mean()
            days = options.keys * (_DAYS + _AFTER / 2)
            table.add_row(name, f"{rate}", f"{quiet / days:.5f}", f"{found:.2f}", f"{np.median(hours):.2f}")
    Console(width=110).print(table)


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
        events = random.poisson(15 * rate * busy, keys)
        blocked = random.binomial(events, now)
        own = np.flatnonzero(events).astype(np.int32)
        values = {"blocked": blocked[own].astype(float), "events": events[own].astype(float)}
        scores = detector.observe(Bucket(_MONDAY + 15 * number + 14, 1, own, values), in_episode)
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

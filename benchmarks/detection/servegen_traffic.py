"""ServeGen's clients minute by minute: what each sent and spent in fourteen days, made from measurements.

ServeGen publishes, for every ten minutes, a client's rate and the coefficient of variation of the gaps
between its requests, and for every six hours how many tokens its requests had. A minute's requests are drawn
from a gamma-mixed Poisson with that mean and that dispersion, and their tokens from a gamma with the moments
of the window. One seed makes one traffic.
"""

from __future__ import annotations

import ast
import csv
import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

DAYS = 14
MINUTES = DAYS * 1_440
WEEK = MINUTES // 2
"""Minutes of the first week, which only teaches."""

_WINDOW_MINUTES = 10
_TOKENS_MINUTES = 360

PRICES = {"m-large": (3.0, 15.0), "m-mid": (0.8, 4.0), "m-small": (0.15, 0.6)}
"""Dollars for a million tokens in and out, by folder: list prices of a large, a middle and a small model."""

LEAST_ACTIVE = 60
"""Minutes that a client must be active in the first week to be injected into: before, detectors of money say
nothing of a key, and that it is young."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """What clients did; the axes are minute and client.

    Attributes:
        clients: Names of the clients.
        sums: Sums by name, as `Bucket.values` has them.
    """

    clients: list[str]
    sums: dict[str, Array]

    def only(self, kept: NDArray[np.intp]) -> Traffic:
        """Return the same of some clients."""
        return Traffic(
            [self.clients[at] for at in kept], {name: each[:, kept] for name, each in self.sums.items()}
        )


def tuned_on(folder: Path) -> dict[str, Path]:
    """Return the folder of each client of the data folder: thresholds were chosen on them."""
    with (folder / "clients.csv").open(newline="", encoding="utf-8") as lines:
        return {row["client"]: folder for row in csv.DictReader(lines)}


def held_out(published: Path, folder: Path) -> dict[str, Path]:
    """Return the folder of each published client that the data folder does not have.

    Args:
        published: The repository alibaba/ServeGen. Its clients that reason or see are recorded for one day.
        folder: The data folder's selection of it.
    """
    place, seen = published / "data" / "language", tuned_on(folder)
    found = (path for model in PRICES for path in sorted((place / model).glob("*-trace.csv")))
    names = (f"{path.parent.name}/{path.name.removesuffix('-trace.csv')}" for path in found)
    return {name: place for name in names if name not in seen}


def load_traffic(clients: Mapping[str, Path], seed: int) -> Traffic:
    """Return the traffic of every client whose tokens are known and that is active in the second week.

    Args:
        clients: The folder of each, by its name.
        seed: One makes one traffic.
    """
    columns: dict[str, list[Array]] = {
        name: [] for name in ("events", "input_tokens", "output_tokens", "spend")
    }
    kept = []
    for at, (name, folder) in enumerate(clients.items()):
        moments = _token_moments(folder / f"{name}-dataset.json")
        if moments is None:
            continue
        random = np.random.default_rng([seed, at])
        events = _requests(folder / f"{name}-trace.csv", random)
        if not events[WEEK:].any():
            continue
        by_minute = np.repeat(moments, _TOKENS_MINUTES, axis=0)
        tokens = [_tokens(events, by_minute[:, side], random) for side in (0, 1)]
        prices = PRICES[name.partition("/")[0]]
        kept.append(name)
        columns["events"].append(events)
        columns["input_tokens"].append(tokens[0])
        columns["output_tokens"].append(tokens[1])
        columns["spend"].append((tokens[0] * prices[0] + tokens[1] * prices[1]) / 1e6)
    sums = {name: np.stack(each, axis=1) for name, each in columns.items()}
    return Traffic(kept, sums | {"calls": sums["events"], "usage_spend": sums["spend"]})  # all are calls


def _text(path: Path) -> str | None:
    """Return a file's text, compressed or not; None if there is no such file."""
    packed = path.with_name(f"{path.name}.gz")
    if packed.exists():
        return gzip.decompress(packed.read_bytes()).decode()
    return path.read_text(encoding="utf-8") if path.exists() else None


def _text(path: Path) -> str | None:
    """Return a file's text, compressed or not; None if there is no such file."""
    packed = path.with_name(f"{path.name}.gz")
    if packed.exists():
        return gzip.decompress(packed.read_bytes()).decode()
    return path.read_text(encoding="utf-8") if path.exists() else None


def _requests(path: Path, random: np.random.Generator) -> Array:
    rows = [(float(row[1]), float(row[2])) for row in csv.reader((_text(path) or "").splitlines())]
    rate, cv = np.repeat(np.array(rows), _WINDOW_MINUTES, axis=0).T[:, :MINUTES]
    # Gaps of variation c make counts of variance c^2 times the mean; below 1 a Poisson stands for them.
    mean, scale = rate * 60, np.maximum(cv**2 - 1, 1e-9)
    return random.poisson(random.gamma(mean / scale, scale)).astype(np.float64)


@cache  # of all that is read, this takes the longest, and it is the same for every seed
def _token_moments(path: Path) -> Array | None:
    """Return mean and variance of tokens a request by window and side (in, out); None if not known."""
    text = _text(path)
    if text is None:
        return None
    windows = json.loads(text)
    moments = np.full((MINUTES // _TOKENS_MINUTES, 2, 2), np.nan)
    for start, window in windows.items():
        at = int(start) // (_TOKENS_MINUTES * 60)
        for side, name in enumerate(("input_tokens", "output_tokens")):
            shares = ast.literal_eval(window[name])
            if shares and at < len(moments):
                count, weight = np.array(list(shares), np.float64), np.array(list(shares.values()))
                mean = np.average(count, weights=weight)
                moments[at, side] = mean, np.average((count - mean) ** 2, weights=weight)
    known = np.isfinite(moments[:, 0, 0]) & np.isfinite(moments[:, 1, 0])
    if not known.any():
        return None
    # A window without tokens is like the latest that has some; the first ones are like the first that has.
    latest = np.maximum.accumulate(np.where(known, np.arange(len(known)), -1))
    found: Array = moments[np.where(latest >= 0, latest, known.argmax())]
    return found


def _tokens(events: Array, moments: Array, random: np.random.Generator) -> Array:
    mean, variance = events * moments[:, 0], events * np.maximum(moments[:, 1], 1e-9)
    tokens = np.zeros(len(events))
    some = (events > 0) & (mean > 0)
    tokens[some] = random.gamma(mean[some] ** 2 / variance[some], variance[some] / mean[some])
    return tokens

"""Episodes that are open, by detector, metric and key: which scores begin one, and which go on with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.detector import COOL, Scores
from auditstream.detection.episode import Episode
from auditstream.detection.surroundings import Subject

QUIET = 60
"""Minutes below `COOL` after which an episode is over: from 15 to 60 they halve what is told twice."""

_REOPENS_AT = 2.0  # of the accepted level: twice the new normal is news again
_Place = tuple[str, str, int]  # detector, metric, key


@dataclass(frozen=True, slots=True)
class Judged:
    """What a detector says of a bucket.

    Attributes:
        slug: The detector's, as are the next three.
        metric: What it watches.
        version: Its version.
        family: Its family.
        scores: What it says.
        start: Start of the bucket, minutes since 1970.
        minutes: Length of the bucket.
        excess_minutes: Over how many minutes `scores.excess` is; those of the bucket when 0. Of a window
            that slides by a bucket each bucket counts its share.
    """

    slug: str
    metric: str
    version: str
    family: str
    scores: Scores
    start: int
    minutes: int
    excess_minutes: int = 0


class OpenEpisodes:
    """What is open, and which levels were accepted as normal; single-threaded.

    Args:
        subject: Says what a key stands for.
    """

    def __init__(self, subject: Callable[[int], Subject]) -> None:
        self._subject = subject
        self._open: dict[_Place, Episode] = {}
        self._flags: dict[tuple[str, str], NDArray[np.bool_]] = {}
        self._accepted: dict[_Place, tuple[float, int]] = {}  # level, and when it was not cool last

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Episode]:
        return iter(self._open.values())

    def flags(self, slug: str, keys: int, metric: str | None = None) -> NDArray[np.bool_]:
        """Return by key whether an episode of a detector is open; see `Episodes.in_episode`."""
        if metric is not None:
            return self._flags_of(slug, metric, keys)
        found = np.zeros(keys, np.bool_)
        for each in sorted(known for of, known in self._flags if of == slug):
            found |= self._flags_of(slug, each, keys)
        return found

    def take(self, judged: Judged, end: int) -> None:
        """Begin episodes, and bring open ones up to date, with what a detector says.

        Args:
            judged: What it says.
            end: End of its bucket.
        """
        scores = judged.scores
        if not len(scores.keys):
            return
        matters = scores.level >= 1
        matters |= self._flags_of(judged.slug, judged.metric, int(scores.keys.max()) + 1)[scores.keys]
        if self._accepted:
            about = judged.slug, judged.metric
            held = [key for slug, metric, key in self._accepted if (slug, metric) == about]
            matters |= np.isin(scores.keys, np.array(held, scores.keys.dtype))
        for position in np.flatnonzero(matters):
            self._take_one(judged, int(position), end)

    def keep(self, episode: Episode) -> None:
        """Add an episode."""
        self._open[_place(episode)] = episode
        self._flags_of(episode.slug, episode.metric, episode.key + 1)[episode.key] = True

    def drop(self, episode: Episode, *, accepted: bool) -> None:
        """Take an episode out.

        Args:
            episode: An open one.
            accepted: Whether its level is normal from now on: until it has been cool for `QUIET`, only twice
                the level begins another.
        """
        del self._open[_place(episode)]
        self._flags[episode.slug, episode.metric][episode.key] = False
        if accepted:
            self._accepted[_place(episode)] = max(1.0, episode.level), episode.warm_at

    def forget(self, keys: Sequence[int]) -> list[Episode]:
        """Forget what was accepted of keys, and return their open episodes."""
        gone = set(keys)
        for place in [place for place in self._accepted if place[2] in gone]:
            del self._accepted[place]
        return [each for each in self._open.values() if each.key in gone]

    def pass_time(self, now: int) -> None:
        """Forget accepted levels that have been cool for long enough by a minute."""
        cool = [place for place, (_, warm_at) in self._accepted.items() if now - warm_at >= QUIET]
        for place in cool:
            del self._accepted[place]

    def state(self) -> list[list[Any]]:
        """Return the accepted levels, as JSON takes them; the episodes tell their own state."""
        return [[*place, *accepted] for place, accepted in sorted(self._accepted.items())]

    def restore(self, episodes: Sequence[Episode], accepted: Sequence[Sequence[Any]]) -> None:
        """Take over episodes, and what `state` returned."""
        self._open, self._flags = {}, {}
        for each in episodes:
            self.keep(each)
        self._accepted = {(slug, metric, key): (level, at) for slug, metric, key, level, at in accepted}

    def _take_one(self, judged: Judged, position: int, end: int) -> None:
        scores = judged.scores
        level, excess = float(scores.level[position]), float(scores.excess[position])
        place = judged.slug, judged.metric, int(scores.keys[position])
        episode = self._open.get(place)
        if episode is None:
            if not self._is_news(place, level, end):
                return
            episode = self._opened(judged, place[2], end)
            self.keep(episode)
            episode.add_excess(excess)
        elif level >= COOL and self._is_in_its_currency(episode):
            episode.add_excess(excess * judged.minutes / (judged.excess_minutes or judged.minutes))
        _follow(episode, scores, position, end)

    def _is_in_its_currency(self, episode: Episode) -> bool:
        """Return whether what comes now is money as that of an episode: a tenant may have changed over."""
        return episode.currency in {"", self._subject(episode.key).currency}

    def _is_news(self, place: _Place, level: float, end: int) -> bool:
        """Return whether a level begins an episode."""
        accepted = self._accepted.get(place)
        if accepted is None:
            return level >= 1
        if level >= _REOPENS_AT * accepted[0]:
            del self._accepted[place]
            return True
        if level >= COOL:
            self._accepted[place] = accepted[0], end
        return False

    def _flags_of(self, slug: str, metric: str, keys: int) -> NDArray[np.bool_]:
        flags = self._flags.get((slug, metric))
        if flags is None or len(flags) < keys:
            grown = np.zeros(max(keys, 2 * (0 if flags is None else len(flags))), np.bool_)
            if flags is not None:
                grown[: len(flags)] = flags
            flags = self._flags[slug, metric] = grown
        return flags[:keys]

    def _opened(self, judged: Judged, key: int, end: int) -> Episode:
        subject = self._subject(key)
        return Episode(
            slug=judged.slug,
            metric=judged.metric,
            detector_version=judged.version,
            family=judged.family,
            key=key,
            tenant_id=subject.tenant_id,
            scope=subject.scope,
            currency=subject.currency,
            first=judged.start,
            opened_at=end,
            warm_at=end,
            hot_at=end,
        )


def _place(episode: Episode) -> _Place:
    return episode.slug, episode.metric, episode.key


def _follow(episode: Episode, scores: Scores, position: int, end: int) -> None:
    """Bring an episode up to date with a score."""
    level = float(scores.level[position])
    if level >= COOL:
        episode.warm_at = end
    if level >= 1:
        episode.hot_at, episode.changed = end, True
    if level > episode.level:
        episode.level = level
        episode.score = float(scores.score[position])
        episode.observed = float(scores.observed[position])
        episode.expected = float(scores.expected[position])
        episode.tier = int(scores.tier[position])

"""Twins: episodes about a part and a whole that is nearly the same traffic; they are one finding.

A credential and the project that no other one is used for are odd together, for what one does the other does.
What opened first is told, of those that open together the narrowest, and the others are told under it.

So it is with the rate of a key and with what it spends: who does more spends more. That it spends more while
it does more is one finding; a call that costs more is another (`unit_drift`), and so is money without a wave.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Set

from auditstream.detection.episode import Episode
from auditstream.detection.traits import SPEND_SURGE, traits_of

Alike = Mapping[int, Collection[int]]
"""Keys that are nearly the same traffic, by key."""

_NARROWEST = ("credential", "agent", "project", "model", "")
"""Kinds of scopes, the one that a reader can do most about first: a key is revoked, a tenant is not."""

_TOLD_UNDER = {"blocked_share_6h": "blocked_share"}
"""Metrics that say after hours what another one of the same rule says after minutes, and that one. Never the
other way: a storm on top of what has been going on for hours is news."""


_VOLUME = "volume"
_STORIES = {("rate.shape", "events"): _VOLUME, (SPEND_SURGE, "spend"): _VOLUME}
"""What several rules say of how much a key does, by rule and metric."""

_AT_ONCE = 15
"""Minutes for which a wave still has money of it in the sum that a surge looks at."""


def pair_up(episodes: Iterable[Episode], alike: Callable[[Collection[int], str], Alike]) -> None:
    """Put each episode that was never told, and is a twin of another one, under that.

    Args:
        episodes: Open episodes, parents of several keys not among them.
        alike: Which keys of one tenant are nearly the same traffic, given what is counted of it.
    """
    groups: dict[tuple[str, str], list[Episode]] = {}
    for each in episodes:
        groups.setdefault((each.tenant_id, _story_of(each)), []).append(each)
    for group in groups.values():
        if len(group) > 1 and any(map(_is_news, group)):
            keys = {each.key for each in group}
            _pair_up(group, {measure: alike(keys, measure) for measure in sorted(map(_measure, group))})


def heads(episodes: Iterable[Episode]) -> Iterator[tuple[Episode, list[Episode]]]:
    """Yield the episodes that stand for twins, with these."""
    by_id = {each.finding_id: each for each in episodes}
    twins: dict[str, list[Episode]] = {}
    for each in by_id.values():
        if each.parent in by_id:
            twins.setdefault(each.parent, []).append(each)
    for id_, of_head in twins.items():
        yield by_id[id_], of_head


def hand_over(episodes: Iterable[Episode], over: Set[str]) -> None:
    """Let the first twin that goes on stand for the others where the head is over.

    It takes over whom the head is told under, and that somebody was called: nothing new has happened.

    Args:
        episodes: Open episodes.
        over: Ids of those that are over.
    """
    for head, twins in list(heads(episodes)):
        going_on = sorted((each for each in twins if each.finding_id not in over), key=_rank)
        if head.finding_id not in over or not going_on:
            continue
        heir, *others = going_on
        heir.parent, heir.changed = head.parent, True
        if head.told_at is not None:
            heir.told_at, heir.told_severity = head.told_at, head.told_severity
        for each in others:
            each.parent, each.changed = heir.finding_id, True


def _pair_up(group: list[Episode], alike: Mapping[str, Alike]) -> None:
    ordered = sorted(group, key=_rank)
    by_id = {each.finding_id: each for each in ordered}
    for place, each in enumerate(ordered):
        earlier = next((other for other in ordered[:place] if _are_twins(each, other, alike)), None)
        if earlier is not None and _is_news(each):
            each.parent = by_id.get(earlier.parent, earlier).finding_id


def _story_of(episode: Episode) -> str:
    return _STORIES.get((episode.slug, episode.metric), episode.slug)


def _measure(episode: Episode) -> str:
    return traits_of(episode.slug).counts


def _is_news(episode: Episode) -> bool:
    return episode.version < 0 and not episode.parent


def _are_twins(later: Episode, earlier: Episode, alike: Mapping[str, Alike]) -> bool:
    if later.slug == earlier.slug:
        is_same = earlier.metric in {later.metric, _TOLD_UNDER.get(later.metric)}
    else:
        is_same = later.opened_at - earlier.warm_at <= _AT_ONCE
    return is_same and (earlier.key == later.key or earlier.key in alike[_measure(later)].get(later.key, ()))


def _rank(episode: Episode) -> tuple[int, bool, bool, int, str, str]:
    """Order in which episodes stand for their twins; not by key number, which another worker gives anew."""
    kind, is_part, _ = episode.scope.partition("=")
    place = _NARROWEST.index(kind) if kind in _NARROWEST and (is_part or not kind) else len(_NARROWEST)
    is_under = episode.metric in _TOLD_UNDER
    return episode.opened_at, is_under, episode.slug != SPEND_SURGE, place, episode.scope, episode.metric

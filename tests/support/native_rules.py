"""Rules that are written in Python, with the ids of what they hint at; each has a page among the runbooks."""

from __future__ import annotations

from collections.abc import Mapping

from auditstream.detection import injections, loops, swaps, undecided, unpriced, unreviewed
from auditstream.detection.spread import many_countries, many_networks
from auditstream.detection.traits import traits_of
from auditstream.notify import asset_news, source_news

NATIVE: Mapping[str, tuple[str, ...]] = {
    loops.RULE: loops.ATTACKS,
    injections.RULE: injections.ATTACKS,
    unreviewed.RULE: unreviewed.ATTACKS,
    undecided.RULE: undecided.ATTACKS,
    swaps.RULE: swaps.ATTACKS,
    unpriced.RULE: (),
    source_news.RULE: source_news.ATTACKS,
    **asset_news.ATTACKS,
    **{each.slug: traits_of(each.slug).attacks for each in (many_networks(), many_countries())},
}

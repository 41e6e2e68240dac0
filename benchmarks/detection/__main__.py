"""`python -m benchmarks.detection`: scores of `rate.shape` on public sets; `--tries`: of what was tried.

`--published FOLDER` scores the published series besides that the data folder does not have: those that
nothing was tuned on (`benchmarks.detection.series` says what is in the folder). An idea is kept if production
is better with it than without it there.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.detection.public_sets import Play, PublicScores, Sets, never_seen, scores, tuned_on
from benchmarks.detection.tries import IDEAS, MORE, STEPS, production

_VARIABLE = "AUDITSTREAM_TEST_SHARED_DATA"
_PRODUCTION = "production"
_VOTE = next(iter(STEPS))


def main() -> None:
    """Print a table a split, a row a configuration, as Markdown; and what each idea is worth."""
    parser = argparse.ArgumentParser(prog="benchmarks.detection")
    parser.add_argument(
        "--data", type=Path, default=os.environ.get(_VARIABLE), help=f"folder of the sets; {_VARIABLE}"
    )
    parser.add_argument(
        "--published", type=Path, help="folder of the published sets, to score the rest of them"
    )
    parser.add_argument("--tries", action="store_true", help="every configuration that was tried, too")
    options = parser.parse_args()
    if options.data is None or not options.data.is_dir():
        parser.error(
            f"--data: no folder {options.data}; name the one that holds nab, ms-cloud-monitoring and donut"
        )
    if options.published is not None and not options.published.is_dir():
        parser.error(f"--published: no folder {options.published}; name the one that holds the repositories")
    splits = {"tuned on": tuned_on(options.data)}
    if options.published is not None:
        splits["held out"] = never_seen(options.published, options.data)
    configurations: dict[str, Play] = {_PRODUCTION: production, _VOTE: STEPS[_VOTE]}
    if options.tries:
        configurations |= STEPS
        configurations |= {_without(name): play for name, play in IDEAS.items()}
        configurations |= MORE
    found: dict[str, dict[str, PublicScores]] = {split: {} for split in splits}
    for name, play in configurations.items():
        start = time.process_time()
        for split, of_split in scores(splits, play).items():
            found[split][name] = of_split
        print(f"{name}: {time.process_time() - start:.0f} s of CPU", file=sys.stderr, flush=True)
    for split, sets in splits.items():
        _table(split, sets, found[split])
    if options.tries:
        _worth(found)


def _without(idea: str) -> str:
    return f"production without {idea}"


def _table(split: str, sets: Sets, found: Mapping[str, PublicScores]) -> None:
    """Print the scores on a split, by name of the configuration."""
    sizes = ", ".join(f"{name} {len(series)}" for name, series in sets.items())
    print(f"\n{split}: {sizes} series\n")
    print("| Configuration | NAB | NAB low-FP | Microsoft cloud F1 (P/R) | donut F1 (P/R) | Mean |")
    print("|---|---|---|---|---|---|")
    for name, each in found.items():
        print(f"| {name} | {each.line()} |")


def _worth(found: Mapping[str, Mapping[str, PublicScores]]) -> None:
    """Print by how much production is better with each idea than without it, on each split."""
    print("\n| Idea | " + " | ".join(f"{split}: NAB, Microsoft, donut; mean" for split in found) + " | |")
    print("|---|" + "---|" * len(found) + "---|")
    for name in IDEAS:
        cells, mean = [], 0.0
        for of in found.values():
            gains = of[_PRODUCTION].gains(of[_without(name)])
            mean = of[_PRODUCTION].mean - of[_without(name)].mean
            cells.append(", ".join(f"{gain:+.1f}" for gain in gains) + f"; {mean:+.1f}")
        verdict = "better" if mean > 0 else "not better"
        print(f"| {name} | {' | '.join(cells)} | {verdict} on what is {list(found)[-1]} |")


if __name__ == "__main__":
    main()

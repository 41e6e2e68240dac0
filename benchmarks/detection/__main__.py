"""`python -m benchmarks.detection`: scores of `rate.shape` on public sets; `--tries`: of what was tried."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from benchmarks.detection.public_sets import Play, scores
from benchmarks.detection.tries import TRIES, production

_VARIABLE = "AUDITSTREAM_TEST_SHARED_DATA"


def main() -> None:
    """Print a row a configuration, as Markdown."""
    parser = argparse.ArgumentParser(prog="benchmarks.detection")
    parser.add_argument(
        "--data", type=Path, default=os.environ.get(_VARIABLE), help=f"folder of the sets; {_VARIABLE}"
    )
    parser.add_argument("--tries", action="store_true", help="every configuration that was tried, too")
    options = parser.parse_args()
    if options.data is None or not options.data.is_dir():
        parser.error(
            f"--data: no folder {options.data}; name the one that holds nab, ms-cloud-monitoring and donut"
        )
    print("| Configuration | NAB | NAB low-FP | Microsoft cloud F1 (P/R) | donut F1 (P/R) |")
    print("|---|---|---|---|---|")
    configurations: dict[str, Play] = {"production": production}
    if options.tries:
        configurations |= TRIES
    for name, play in configurations.items():
        start = time.process_time()
        print(f"| {name} | {scores(options.data, play).line()} |", flush=True)
        print(f"  {time.process_time() - start:.0f} s of CPU", file=sys.stderr)


if __name__ == "__main__":
    main()

"""`make fuzz`: every parser of evidence under a coverage-guided fuzzer, each in a process of its own.

Ends with 1 when a target raised what it should not, took longer than 5 s, or more than 1 GB; libFuzzer then
leaves the bytes that did it in the folder that is printed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from tests.support.hostile import TARGETS

_LONGEST_S = 5
_MOST_MB = 1024
_MOST_BYTES = 100_000
# What the fuzzer says of the runs that it made, on its last lines.
_RUNS = "stat::number_of_executed_units:"


@dataclass(frozen=True, slots=True)
class Result:
    """One target's outcome.

    Attributes:
        name: Of the target.
        held: Whether nothing was found.
        runs: How many inputs were tried.
        seconds: How long.
        log: What the fuzzer printed.
    """

    name: str
    held: bool
    runs: int
    seconds: float
    log: Path


def main() -> int:
    """Fuzz the targets that are named, or all, and print a line for each."""
    parser = argparse.ArgumentParser(prog="tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=600, help="for each target")
    parser.add_argument("--jobs", type=int, default=2, help="targets at once")
    parser.add_argument("--folder", type=Path, help="what was found interesting; a fresh one when not given")
    options = parser.parse_args()
    if unknown := [name for name in options.targets if name not in TARGETS]:
        parser.error(f"no target {unknown[0]!r}: there are {', '.join(TARGETS)}")
    folder = options.folder or Path(tempfile.mkdtemp(prefix="auditstream-fuzz-"))
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{options.seconds} s a target, in {folder}")
    with ThreadPoolExecutor(options.jobs) as threads:
        names = options.targets or list(TARGETS)
        held = True
        for result in threads.map(lambda name: fuzz(name, folder, options.seconds), names):
            verdict = "held" if result.held else f"FAILED, see {result.log}"
            console.print(f"{result.name}: {verdict}, {result.runs:,} runs in {result.seconds:.0f} s")
            held &= result.held
    return 0 if held else 1


def fuzz(name: str, folder: Path, seconds: int) -> Result:
    """Run the fuzzer on one target."""
    corpus = folder / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(TARGETS[name].seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    log = folder / f"{name}.log"
    limits = [f"-timeout={_LONGEST_S}", f"-rss_limit_mb={_MOST_MB}", f"-max_len={_MOST_BYTES}"]
    command = [sys.executable, "-m", "tests.fuzz.target", name, str(corpus), *limits]
    command += [f"-max_total_time={seconds}", f"-artifact_prefix={folder}/{name}-", "-print_final_stats=1"]
    begun = time.monotonic()
    with log.open("wb") as output:
        code = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False).returncode
    lines = log.read_text(errors="replace").splitlines()
    runs = [int(line.removeprefix(_RUNS)) for line in lines if line.startswith(_RUNS)]
    return Result(name, code == 0, runs[-1] if runs else 0, time.monotonic() - begun, log)


if __name__ == "__main__":
    sys.exit(main())

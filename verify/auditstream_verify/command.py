"""The command `auditstream-verify`: 0 it holds, 3 it does not, 2 it was asked wrongly."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from auditstream_verify import __version__
from auditstream_verify.bundles import check_bundle
from auditstream_verify.notes import BrokenError, Policy, parse_policy, parse_vkeys
from auditstream_verify.receipts import check_receipt

HOLDS, ASKED_WRONGLY, BROKEN = 0, 2, 3
_MOST_PRINTED = 100


def main() -> None:
    """Run the command and end the process."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="auditstream-verify", description="Check evidence exported from auditstream."
    )
    parser.add_argument("bundle", nargs="?", type=Path, metavar="DIR", help="folder of an exported bundle")
    parser.add_argument("--vkeys", type=Path, required=True, metavar="FILE", help="keys that you trust")
    parser.add_argument(
        "--policy", type=Path, metavar="FILE", help="who must have cosigned (C2SP tlog-policy)"
    )
    parser.add_argument("--receipt", type=Path, metavar="FILE", help="check one receipt (C2SP tlog-proof)")
    parser.add_argument("--value", type=Path, metavar="FILE", help="the event's bytes, for --receipt")
    parser.add_argument("--log", action="append", default=[], metavar="ORIGIN", help="only this log")
    parser.add_argument(
        "--processes", type=int, default=os.cpu_count() or 1, metavar="N", help="processes to use"
    )
    parser.add_argument("--version", action="version", version=__version__)
    asked = parser.parse_args(arguments)
    if (asked.bundle is None) == (asked.receipt is None) or asked.processes < 1:
        parser.error("name a bundle or a --receipt, and at least one process")
    try:
        vkeys = asked.vkeys.read_bytes()
        policy = None if asked.policy is None else asked.policy.read_bytes()
        receipt = None if asked.receipt is None else asked.receipt.read_bytes()
        value = None if asked.value is None else asked.value.read_bytes()
    except OSError as error:
        sys.stderr.write(f"auditstream-verify: {error.filename}: {error.strerror}\n")
        return ASKED_WRONGLY
    if asked.bundle is not None and not asked.bundle.is_dir():
        sys.stderr.write(f"auditstream-verify: {asked.bundle}: not a folder\n")
        return ASKED_WRONGLY
    try:
        rules = None if policy is None else parse_policy(policy)
        if receipt is None:
            return _bundle(asked, vkeys, rules)
        proved = check_receipt(receipt, parse_vkeys(vkeys), rules, value)
    except BrokenError as error:
        sys.stdout.write(f"does not hold: {error}\n")
        return BROKEN
    sys.stdout.write(
        f"holds: event {proved.event_id} is leaf {proved.index} of {proved.size} in {proved.origin}, "
        f"value SHA-256 {proved.value_sha256}, cosigned by {', '.join(proved.cosigners) or 'nobody known'}\n"
    )
    return HOLDS


def _bundle(asked: argparse.Namespace, vkeys: bytes, policy: Policy | None) -> int:
    progress = _Progress()
    result = check_bundle(
        asked.bundle,
        parse_vkeys(vkeys),
        policy,
        only=asked.log,
        processes=asked.processes,
        advance=progress.advance,
    )
    progress.end()
    for finding in result.findings[:_MOST_PRINTED]:
        sys.stdout.write(f"does not hold: {finding}\n")
    if result.findings:
        sys.stdout.write(f"{len(result.findings)} findings\n")
        return BROKEN
    witnessed = "" if policy else "; no policy was given, so nobody's cosignature was asked for"
    sys.stdout.write(
        f"holds: {result.leaves} leaves in {result.logs} logs, {result.statements} statements{witnessed}\n"
    )
    return HOLDS


class _Progress:
    """How many leaves have been checked, on a terminal."""

    def __init__(self) -> None:
        self._done, self._start, self._shows = 0, time.monotonic(), sys.stderr.isatty()

    def advance(self, leaves: int) -> None:
        self._done += leaves
        if self._shows:
            rate = self._done / max(time.monotonic() - self._start, 0.001)
            sys.stderr.write(f"\r{self._done:,} leaves, {rate:,.0f}/s ")
            sys.stderr.flush()

    def end(self) -> None:
        if self._shows:
            sys.stderr.write("\n")


if __name__ == "__main__":
    main()

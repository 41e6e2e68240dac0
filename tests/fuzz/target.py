"""One target in this process: `python -m tests.fuzz.target NAME [libFuzzer options]`."""

from __future__ import annotations

import sys

import atheris

# What is imported here tells the fuzzer which branches an input takes.
with atheris.instrument_imports(include=["auditstream", "auditstream_verify"]):
    from tests.support.hostile import TARGETS


def main() -> None:
    """Fuzz until something is found or the time is over."""
    program, name, *options = sys.argv
    atheris.Setup([program, *options], TARGETS[name].check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()

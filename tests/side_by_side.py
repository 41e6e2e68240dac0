"""`make test`: the fault tests, which mostly wait, beside all others, which mostly compute.

`python -m tests.side_by_side`; with arguments it is pytest with these arguments, in one process.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

FAULTS = "tests/fault"
_LOOK_S = 0.5


def main(arguments: Sequence[str]) -> int:
    """Run the tests; return pytest's exit code, of two that failed the first one's."""
    pytest = [sys.executable, "-m", "pytest"]
    if arguments:
        return subprocess.run([*pytest, *arguments], check=False).returncode
    return run_beside([*pytest, FAULTS], [*pytest, f"--ignore={FAULTS}"])


def run_beside(waiting: Sequence[str], computing: Sequence[str]) -> int:
    """Run two commands at once; what the first one writes follows what the second one writes.

    Returns:
        The exit code of the second command, unless that is 0, else of the first.
    """
    with tempfile.NamedTemporaryFile() as written, Path(written.name).open("rb") as said:
        with subprocess.Popen(waiting, stdout=written, stderr=subprocess.STDOUT) as beside:
            code = subprocess.run(computing, check=False).returncode
            while beside.poll() is None:
                _pass_on(said)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    beside.wait(_LOOK_S)
        _pass_on(said)
    return code or beside.returncode


def _pass_on(said: IO[bytes]) -> None:
    sys.stdout.buffer.write(said.read())
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

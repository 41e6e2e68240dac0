"""The log libraries of Go as an oracle: `ask` sends one request to main.go and returns its answer."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.parts import skip_part

Ask = Callable[..., dict[str, Any]]

_SOURCE = Path(__file__).parent


def build(folder: Path) -> Ask:
    """Build the oracle into a folder and return how to ask it; skips the calling test where it cannot."""
    go = shutil.which("go")
    if go is None:
        skip_part("Go", "it is not on PATH")
    fetched = subprocess.run([go, "mod", "download"], cwd=_SOURCE, capture_output=True, text=True)
    if fetched.returncode:
        skip_part("the log libraries of Go", fetched.stderr.strip()[-200:])
    program = folder / "go_log"
    subprocess.run([go, "build", "-o", str(program), "."], cwd=_SOURCE, check=True)

    def ask(**request: Any) -> dict[str, Any]:
        ended = subprocess.run(
            [program], input=json.dumps(request, default=_base64), capture_output=True, text=True
        )
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    return ask


def octets(encoded: str | None) -> bytes:
    """Return the bytes of an answer; Go leaves out those that are none."""
    return base64.b64decode(encoded or "")


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()

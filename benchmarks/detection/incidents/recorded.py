"""What recording made of a seed, kept in a file: detection alone is then run again in a quarter of the time.

A file is named by the sources that made it, so that none outlives a change of them.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import msgspec

from benchmarks.detection.incidents.recording import Recording, Slice
from benchmarks.detection.incidents.sets import SETS, TrafficSet

_ROOT = Path(__file__).parents[3]
_PACKAGES = ("auditstream", "benchmarks", "schemas", "streams", "sinks")
_DATA = ("*.yaml", "*.yml", "*.json", "*.avsc", "*.sql")
_LIST = f"""
import json, sys
import {Recording.__module__}, {TrafficSet.__module__}
print(json.dumps([path for each in sys.modules.values() if (path := getattr(each, "__file__", None))]))
"""


def recorded(name: str, seed: int, folder: Path) -> Iterator[Slice]:
    """Yield what recording makes of a seed: from a folder, or anew, and then it is there.

    Args:
        name: A set, of `SETS`.
        seed: The seed.
        folder: Where files are kept; it exists.
    """
    path = folder / f"{name}-{seed}-{_makers()}.msgpack"
    if not path.exists():
        whole = path.with_suffix(".part")
        whole.write_bytes(msgspec.msgpack.encode(list(made(name, seed))))
        whole.rename(path)
    yield from msgspec.msgpack.decode(path.read_bytes(), type=list[Slice])


def made(name: str, seed: int) -> Iterator[Slice]:
    """Yield what recording makes of a seed; see `recorded`."""
    traffic = SETS[name]
    return Recording(traffic.facts()).slices(traffic.events(seed))


@cache
def _makers() -> str:
    """Return a digest of all sources that traffic and its recording import, and of our data."""
    listed = subprocess.run([sys.executable, "-c", _LIST], check=True, capture_output=True, cwd=_ROOT)
    files = {Path(each) for each in json.loads(listed.stdout)}
    own = {each for each in files if any(each.is_relative_to(_ROOT / package) for package in _PACKAGES)}
    data = {each for package in _PACKAGES for form in _DATA for each in (_ROOT / package).rglob(form)}
    digest = hashlib.sha256()
    for each in sorted(own | data):
        digest.update(f"{each.relative_to(_ROOT)}\0{len(each.read_bytes())}\0".encode() + each.read_bytes())
    return digest.hexdigest()[:16]

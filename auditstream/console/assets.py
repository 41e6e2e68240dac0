"""The console's own static files, under an address that changes with them: browsers keep them for good."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER = Path(__file__).parent / "static"

_DIGITS = 12  # 48 bits of a hash: two releases do not share them
_FOR_GOOD = "public, max-age=31536000, immutable"


@cache
def version() -> str:
    """Return the name of this set of files: a hash over all of their names and contents."""
    whole = sha256()
    for path in _files():
        whole.update(str(path.relative_to(FOLDER)).encode() + b"\0" + sha256(path.read_bytes()).digest())
    return whole.hexdigest()[:_DIGITS]


def asset_path(name: str) -> str:
    """Return the path of a file below the console's own."""
    return f"/static/{version()}/{name}"


class Assets(StaticFiles):
    """Serves the files, and tells browsers to keep them."""

    def __init__(self) -> None:
        super().__init__(directory=FOLDER)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file's answer."""
        response = await super().get_response(path, scope)
        if response.status_code == 200:
            response.headers["cache-control"] = _FOR_GOOD
        return response


def _files() -> Iterator[Path]:
    return iter(sorted(path for path in FOLDER.rglob("*") if path.is_file()))

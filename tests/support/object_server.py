"""An object store on loopback that answers as S3 does: PUT with conditions, GET, LIST in pages, removal."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape, unescape

BUCKET = "evidence"
_PAGE = 3  # objects in one answer to LIST: few, so that tests turn pages
_MODIFIED = "2026-01-02T12:00:00.000Z"


class ObjectServer(ThreadingHTTPServer):
    """The objects of one bucket.

    Attributes:
        objects: Bytes by key.
        heeds_conditions: Whether PUT honours If-None-Match and If-Match.
        conflicts: How many of the next PUTs are refused with 409, as while another is under way.
        lost_answers: How many of the next PUTs are done but answered with 500.
        down: Whether every request is answered with 500.
        conditions: Conditions that PUTs came with.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, bytes] = {}
        self.heeds_conditions = True
        self.conflicts = 0
        self.lost_answers = 0
        self.down = False
        self.conditions: list[tuple[str, str]] = []
        self.lock = Lock()

    @property
    def url(self) -> str:
        """Address of the server."""
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def object_server() -> Iterator[ObjectServer]:
    """Serve an empty bucket for the length of the block."""
    with ObjectServer() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ObjectServer

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""

    def do_PUT(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            status = self._put(data)
        self._answer(status, {"ETag": _tag(data)} if status == 200 else {})

    def do_GET(self) -> None:
        if self.server.down:
            self._answer(500)
        elif "list-type" in self._query:
            self._list()
        elif (data := self.server.objects.get(self._key)) is None:
            self._answer(404)
        else:
            stamp = "Fri, 02 Jan 2026 12:00:00 GMT"
            self._answer(200, {"ETag": _tag(data), "Last-Modified": stamp}, data)

    def do_POST(self) -> None:
        """Remove the objects that the body names; nothing else is posted."""
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        keys = [unescape(key) for key in re.findall("<Key>(.*?)</Key>", body)]
        if self.server.down:
            self._answer(500)
            return
        for key in keys:
            self.server.objects.pop(key, None)
        deleted = "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys)
        self._answer(
            200, {"Content-Type": "application/xml"}, f"<DeleteResult>{deleted}</DeleteResult>".encode()
        )

    def _put(self, data: bytes) -> int:
        if self.server.down:
            return 500
        if self.server.conflicts:
            self.server.conflicts -= 1
            return 409
        present = self.server.objects.get(self._key)
        wanted = {name: self.headers[name] for name in ("If-None-Match", "If-Match") if name in self.headers}
        self.server.conditions += wanted.items()
        if self.server.heeds_conditions:
            if wanted.get("If-None-Match") == "*" and present is not None:
                return 412
            if "If-Match" in wanted and (present is None or wanted["If-Match"] != _tag(present)):
                return 412
        self.server.objects[self._key] = data
        if self.server.lost_answers:
            self.server.lost_answers -= 1
            return 500
        return 200

    def _list(self) -> None:
        prefix = self._query.get("prefix", [""])[0]
        after = self._query.get("continuation-token", [""])[0]
        keys = sorted(key for key in self.server.objects if key.startswith(prefix) and key > after)
        if "delimiter" in self._query:
            folders = sorted(
                {prefix + key[len(prefix) :].partition("/")[0] for key in keys if "/" in key[len(prefix) :]}
            )
            listed = "".join(
                f"<CommonPrefixes><Prefix>{escape(f)}/</Prefix></CommonPrefixes>" for f in folders
            )
            body = f"<ListBucketResult>{listed}</ListBucketResult>"
            self._answer(200, {"Content-Type": "application/xml"}, body.encode())
            return
        contents = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>{_MODIFIED}</LastModified>"
            f"<ETag>{escape(_tag(self.server.objects[key]))}</ETag>"
            f"<Size>{len(self.server.objects[key])}</Size></Contents>"
            for key in keys[:_PAGE]
        )
        more = (
            f"<NextContinuationToken>{escape(keys[_PAGE - 1])}</NextContinuationToken>"
            if len(keys) > _PAGE
            else ""
        )
        body = f"<ListBucketResult>{contents}{more}</ListBucketResult>"
        self._answer(200, {"Content-Type": "application/xml"}, body.encode())

    @property
    def _key(self) -> str:
        return unquote(urlsplit(self.path).path).removeprefix(f"/{BUCKET}/")

    @property
    def _query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.path).query)

    def _answer(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _tag(data: bytes) -> str:
    return f'"{hashlib.md5(data).hexdigest()}"'

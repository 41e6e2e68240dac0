"""Single events of many requests at once: judged in one turn of the event loop, and sent together.

Only what can be accepted goes this way. All that is refused, larger, compressed, of another format or mode,
or has to wait for room or for a key, is passed on to `POST /v1/events` itself: no refusal is written twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

import msgspec

from auditstream.core.metrics import Metrics
from auditstream.core.ports import Placed
from auditstream.core.settings import GatewaySettings
from auditstream.gateway.answering import Door
from auditstream.gateway.cloud_event_bodies import is_binary
from auditstream.gateway.credentials import Principal
from auditstream.gateway.events_endpoint import JSON, EventsEndpoint, accepted_answer
from auditstream.gateway.intake import AT_ONCE, Intake, Outcome
from auditstream.gateway.json_bodies import of_one
from auditstream.gateway.judging import Judged
from auditstream.gateway.problems import RefusedError
from auditstream.gateway.requests import Head
from auditstream.gateway.whole_requests import WholeRequest

_MOST_BYTES = 64 * 1024
"""Largest body: uvicorn reads on without a pause up to here."""


class _Post(msgspec.Struct, frozen=True, gc=False):
    """A request whose event may be recorded."""

    request: WholeRequest
    head: Head
    principal: Principal
    judged: Judged
    size_bytes: int


class SinglePosts:
    """Takes requests of one event; for one event loop.

    Args:
        endpoint: What they are for.
        door: Lets callers in.
        intake: Judges and sends.
        settings: Limits and modes.
        metrics: Counts.
    """

    def __init__(
        self,
        endpoint: EventsEndpoint,
        *,
        door: Door,
        intake: Intake,
        settings: GatewaySettings,
        metrics: Metrics,
    ) -> None:
        self._endpoint = endpoint
        self._route = endpoint.route
        self._door = door
        self._intake = intake
        self._settings = settings
        self._most_bytes = min(_MOST_BYTES, settings.body_bytes)
        self._metrics = metrics
        self._waiting: list[WholeRequest] = []

    def take(self, request: WholeRequest) -> bool:
        """Answer a request, or pass it on, soon; False where it is not for here."""
        scope = request.scope
        if scope["path"] != self._route or scope["method"] != "POST":
            return False
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._take_some)
        self._waiting.append(request)
        return True

    def _take_some(self) -> None:
        """Judge what came in this turn of the loop; the rest of a crowd has the next one."""
        some, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._take_some)
        posts: list[_Post] = []
        seen = self._intake.now()
        for request in some:
            try:
                post = self._post(request, seen)
            except Exception:  # noqa: BLE001  the endpoint meets it again, tells of it and answers
                post = None
            if post is None:
                request.pass_on()
            else:
                posts.append(post)
        if posts:
            self._send(posts)

    def _post(self, request: WholeRequest, seen: datetime) -> _Post | None:
        """Return a request whose event may be recorded, None for all others."""
        head = Head.of(request.scope)
        settings = self._settings
        body = request.body
        if len(body) > self._most_bytes or b"content-encoding" in head.headers or is_binary(head.headers):
            return None
        try:
            mode = head.mode(settings.events_mode, may_choose=settings.callers_choose_mode)
            if mode == "batch" or head.media_type() != JSON:
                return None
        except RefusedError:
            return None
        principal = self._door.known(head)
        draft = None if principal is None else of_one(body)
        if principal is None or draft is None:
            return None
        judged = self._intake.judged_now(draft, principal, seen)
        return None if judged is None else _Post(request, head, principal, judged, len(body))

    def _send(self, posts: Sequence[_Post]) -> None:
        def told(indexes: Sequence[int], placed: Sequence[Placed] | RefusedError) -> None:
            its = [posts[index] for index in indexes]
            if isinstance(placed, RefusedError):
                self._refuse(its, placed)
            else:
                self._accept(its, placed)

        if not self._intake.send_now([post.judged for post in posts], told):
            for post in posts:
                self._intake.put_off(post.principal)
                post.request.pass_on()
            return
        for post in posts:
            post.request.drop_body()
        self._metrics.count(
            "auditstream_gateway_body_bytes_total", sum(post.size_bytes for post in posts), route=self._route
        )

    def _accept(self, posts: Sequence[_Post], placed: Sequence[Placed]) -> None:
        self._intake.count(self._route, "accepted", len(posts))
        self._endpoint.count(202, len(posts))
        for post, place in zip(posts, placed, strict=True):
            outcome = Outcome()
            self._intake.accepted(post.judged, place, post.principal, outcome)
            post.request.answer(accepted_answer(outcome))

    def _refuse(self, posts: Sequence[_Post], error: RefusedError) -> None:
        self._intake.count(self._route, error.code, len(posts))
        self._endpoint.count(error.status, len(posts))
        for post in posts:
            self._intake.put_off(post.principal)
            post.request.answer(self._endpoint.refusal(error, post.head))

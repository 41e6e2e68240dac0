"""When a request is begun: once its small body is there, most often, and then without a task."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, ClassVar

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from auditstream.gateway.joined_writes import JoinedWrites
from auditstream.gateway.whole_requests import TakeWhole, WholeRequest

_HOLD_S = 0.005
"""How long a body that did not come with its head is waited for before there is a task: many clients send the
two apart, one right behind the other."""

_Request = tuple[RequestResponseCycle, ASGI3Application]


class RequestStarts(HttpToolsProtocol):
    """uvicorn's protocol, which offers whole requests to somebody before it starts the application's task.

    Attributes:
        TAKE_WHOLE: Who they are offered to.
    """

    TAKE_WHOLE: ClassVar[TakeWhole | None] = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._take_whole = type(self).TAKE_WHOLE
        self._is_parsing = False
        self._held: _Request | None = None
        self._holding: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """Parse what came, and begin what is there."""
        self._is_parsing = True
        try:
            super().data_received(data)
        finally:
            self._is_parsing = False
        if self._held is not None:
            self._begin_or_hold(*self._held)

    def connection_lost(self, exc: Exception | None) -> None:
        """End; a request whose body is incomplete is told of it as if it had begun before."""
        super().connection_lost(exc)
        self._begin_held()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Begin a request, but not before all that came was parsed: its whole body may be there."""
        self._held = cycle, app
        if not self._is_parsing:
            self._begin_or_hold(cycle, app)

    def _begin_or_hold(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        take, is_paused = self._take_whole, self.flow.write_paused or self.transport.is_closing()
        if take is None or is_paused or cycle.waiting_for_100_continue:
            self._begin_held()
        elif not cycle.more_body:
            self._let_go()
            request = WholeRequest(cycle, partial(self._start_task, cycle, app))
            if not take(request):
                request.pass_on()
        elif len(cycle.body) > HIGH_WATER_LIMIT:  # uvicorn reads no more until somebody takes it
            self._begin_held()
        elif self._holding is None:
            self._holding = self.loop.call_later(_HOLD_S, self._begin_held)

    def _begin_held(self) -> None:
        held = self._let_go()
        if held is not None:
            self._start_task(*held)

    def _let_go(self) -> _Request | None:
        if self._holding is not None:
            self._holding.cancel()
            self._holding = None
        held, self._held = self._held, None
        return held

    def _start_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        cycle.transport = JoinedWrites(self.transport, self.loop)  # type: ignore[assignment]
        super()._start_asgi_task(cycle, app)

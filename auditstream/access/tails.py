"""How many live tails each principal has open: each costs the store a question a second."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from auditstream.access.principal import Principal
from auditstream.access.rates import TooManyRequestsError

_AGAIN_S = 15.0


class Tails:
    """Counts the tails of each principal, wherever they are open; for one event loop."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    def open(self, who: Principal) -> Callable[[], None]:
        """Count one more, and return what counts it off again, once, however often it is called.

        Raises:
            TooManyRequestsError: There are as many as the role may have.
        """
        most = who.limits.tails
        if self._open[who.id] >= most:
            raise TooManyRequestsError(f"more than {most} live tails at a time", retry_after_s=_AGAIN_S)
        self._open[who.id] += 1
        is_open = True

        def close() -> None:
            nonlocal is_open
            if is_open:
                is_open = False
                self._open[who.id] -= 1
                if not self._open[who.id]:
                    del self._open[who.id]

        return close

"""Free ports on 127.0.0.1 that stay ours while a server is down."""

from __future__ import annotations

import random
import socket

from auditstream.core.errors import ConfigError, RetryableError

# Below the range from which systems take client ports (32768 on Linux, 49152 elsewhere): while a server is
# down, its reconnecting clients could otherwise be given its port and even connect to themselves.
PORTS = range(20_000, 32_000)
_ATTEMPTS = 1_000


class PortTakenError(ConfigError):
    """Another process listens on the port."""

    code = "port_taken"
    hint = "Choose another port, or 0 for a free one."


def free_port(*, but: int = 0) -> int:
    """Return a random port that nobody listens on now.

    Args:
        but: A port that is spoken for though nobody listens on it yet.

    Raises:
        RetryableError: A thousand random ports were all taken.
    """
    for _ in range(_ATTEMPTS):
        port = random.choice(PORTS)  # noqa: S311 - a port is no secret
        if port != but and is_free(port):
            return port
    raise RetryableError(f"no free port between {PORTS.start} and {PORTS.stop}")


def is_free(port: int) -> bool:
    """Return whether a server could listen on the port now."""
    with socket.socket() as probe:
        # As servers do: a port whose last connections are still closing may be taken again.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def check_free(port: int) -> None:
    """Refuse a port that another process listens on.

    Raises:
        PortTakenError: The port is taken.
    """
    if not is_free(port):
        raise PortTakenError(f"port {port} of 127.0.0.1 is taken by another process")


def port_of(wanted: int) -> int:
    """Return the port that is wanted, or a free one when 0.

    Raises:
        PortTakenError: The port is taken.
        RetryableError: As of `free_port`.
    """
    if not wanted:
        return free_port()
    check_free(wanted)
    return wanted

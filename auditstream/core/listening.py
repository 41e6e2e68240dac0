"""Sockets that processes of the product listen on, from settings of the form host:port."""

from __future__ import annotations

import socket

from auditstream.core.errors import ConfigError


def listening_socket(address: str, *, setting: str) -> socket.socket:
    """Return a socket that is bound to an address; it listens once somebody serves on it.

    Args:
        address: host:port, an IPv6 address in brackets.
        setting: Name of the setting, for the message of an error.

    Raises:
        ConfigError: It cannot.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise ConfigError(f"{setting}: {address!r} is not host:port")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host.strip("[]"), int(port)))
    except (OSError, OverflowError) as error:
        sock.close()
        raise ConfigError(f"{setting}: {address}: {error}") from error
    sock.set_inheritable(True)
    return sock

"""Hosts that are this machine: what is sent to them does not travel."""

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
"""As an address names them, IPv6 without its brackets."""

"""Publish audit events of AI actions from your own services; it imports no part of the server."""

__version__ = "0.0.1"

"""The one tenant that is none."""

from __future__ import annotations

UNATTRIBUTED = "unattributed"
"""Tenant of events that nobody owns, and of findings about more than one; no fact may name it."""

"""Types of assets that are registered, and found in use."""

from __future__ import annotations

from typing import Literal

AssetType = Literal["agent", "model", "tool", "mcp_server", "credential", "host"]

ASSET_TYPES: tuple[AssetType, ...] = ("agent", "model", "tool", "mcp_server", "credential", "host")
"""Every type, in the order that reports show them in."""

"""Packages of others, brought in when they are wanted and not before."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def required(package: str, *, extra: str) -> Any:
    """Return a package.

    Raises:
        ImportError: It is not installed; the message names the extra that brings it.
    """
    try:
        return import_module(package)
    except ImportError as error:
        raise ImportError(missing(package, extra)) from error


def missing(package: str, extra: str) -> str:
    """Return what to say when a package is missing."""
    return f"{package} is not installed; `pip install 'auditstream-sdk[{extra}]'` brings it"

"""Packages that take seconds to import, imported at their first use.

Every process of a run imports every test file to collect it, and runs one of them.
"""

from __future__ import annotations

import importlib
import warnings
from typing import Any


class LateModule:
    """Stands for a module; what the package warns of at its import is its own affair."""

    def __init__(self, name: str) -> None:
        self.__dict__["_name"] = name

    def __getattr__(self, name: str) -> Any:
        # Who collects tests asks every name of a file whether it wraps something, or is a mock.
        if name.startswith(("__", "_mock_")):
            raise AttributeError(name)
        return getattr(_imported(self.__dict__["_name"]), name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(_imported(self.__dict__["_name"]), name, value)


def _imported(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(name)

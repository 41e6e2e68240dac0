"""What every command is told on the command line before its own name."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Output(StrEnum):
    """Form of the data on stdout."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    HTML = "html"
    MARKDOWN = "markdown"
    ARROW = "arrow"
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True)
class Context:
    """Global options."""

    data_dir: Path = Path(".auditstream")
    output: Output | None = None
    quiet: bool = False
    verbose: bool = False
    color: bool = True

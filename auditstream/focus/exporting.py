"""A folder with one FOCUS file and its manifest, whole or not there: until then it is named OUT.partial."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, cast

from auditstream.core.errors import RequestError
from auditstream.core.hashed_stream import HashedStream
from auditstream.focus.rows import Row
from auditstream.focus.writing import WRITERS, FileFormat

MANIFEST = "manifest.json"
COSTS = ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost")


@dataclass(slots=True)
class Totals:
    """Sums of the four costs by currency, over the rows that were written."""

    by_currency: dict[str, dict[str, Decimal]] = field(default_factory=dict)

    def counted(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Yield the rows as they are, adding them up."""
        for row in rows:
            sums = self.by_currency.setdefault(str(row["BillingCurrency"]), dict.fromkeys(COSTS, Decimal(0)))
            for name in COSTS:
                cost = row[name]
                assert isinstance(cost, Decimal)
                sums[name] += cost
            yield row

    def written(self) -> dict[str, dict[str, str]]:
        """Return the sums as text, by currency in order."""
        return {
            currency: {name: f"{cost:f}" for name, cost in sums.items()}
            for currency, sums in sorted(self.by_currency.items())
        }


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes:
        folder: Where.
        manifest: Content of the manifest.
        manifest_sha256: Its hash, lower-case hex.
    """

    folder: Path
    manifest: Mapping[str, Any]
    manifest_sha256: str

    @property
    def rows(self) -> int:
        """Rows of the file."""
        return int(self.manifest["rows"])

    @property
    def size_bytes(self) -> int:
        """Size of the file."""
        return int(self.manifest["bytes"])


@dataclass(frozen=True, slots=True)
class Form:
    """Form of the file, and version of FOCUS."""

    file_format: FileFormat
    version: str


def export(
    out: Path,
    form: Form,
    pieces: Iterable[Iterable[Row]],
    said: Mapping[str, Any],
    *,
    record: Callable[[Exported], object] = lambda _: None,
) -> Exported:
    """Write a folder and return what is in it.

    Args:
        out: Folder to make; its parents are made, too.
        form: Form of the file, and version of FOCUS.
        pieces: The rows, piece by piece.
        said: What the manifest says beside rows, hash and totals; read at the end.
        record: Told of the export when all is written and not yet named; an error of it ends the export.

    Raises:
        RequestError: The folder is there already, or cannot be written.
    """
    if out.exists():
        raise RequestError(f"{out}: is there already", hint="Name a folder that is not there: --out DIR.")
    partial = out.with_name(f"{out.name}.partial")
    try:
        if partial.exists():
            shutil.rmtree(partial)
        partial.mkdir(parents=True)
        done = _written(partial, out, form, pieces, said)
        record(done)
        partial.rename(out)
    except OSError as error:
        raise RequestError(f"{partial}: {error.strerror or error}") from error
    return done


def _written(
    partial: Path, out: Path, form: Form, pieces: Iterable[Iterable[Row]], said: Mapping[str, Any]
) -> Exported:
    name = f"focus.{form.file_format}"
    totals, rows = Totals(), 0
    with (partial / name).open("wb") as raw:
        stream = HashedStream(raw)
        with WRITERS[form.file_format](cast("IO[bytes]", stream), form.version) as writer:
            for piece in pieces:
                rows += writer.write(totals.counted(piece))
        stream.flush()
    manifest = {
        "file": name,
        "rows": rows,
        "bytes": stream.size_bytes,
        "sha256": stream.digest.hexdigest(),
        "focus_version": form.version,
        **said,
        "totals": totals.written(),
    }
    data = (json.dumps(manifest, indent=2, ensure_ascii=False) + "\n").encode()
    (partial / MANIFEST).write_bytes(data)
    return Exported(out, manifest, hashlib.sha256(data).hexdigest())

"""Rows of a FOCUS file, CSV or Parquet, one at a time.

Reads FOCUS 1.0, 1.1 and 1.2, and later ones, where the provider's column has another name. Columns:
https://focus.finops.org/focus-specification/

    with path.open("rb") as stream:
        for row in read_focus(stream, path.name):
            ...
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from auditstream.core.errors import RequestError
from auditstream.focus.cells import CellError, moment, number, tags, text
from auditstream.focus.row import BadRow, FocusRow

_PARQUET = b"PAR1"
_ROWS = 4096  # of Parquet at once

_PROVIDERS = ("ServiceProviderName", "ProviderName")
_TEXTS = {
    "ServiceName": "service_name",
    "ServiceCategory": "service_category",
    "ChargeCategory": "charge_category",
    "BillingCurrency": "billing_currency",
    "ChargeClass": "charge_class",
    "ChargeDescription": "charge_description",
    "ChargeFrequency": "charge_frequency",
    "ServiceSubcategory": "service_subcategory",
    "PublisherName": "publisher",
    "InvoiceIssuerName": "invoice_issuer",
    "InvoiceId": "invoice_id",
    "BillingAccountId": "billing_account_id",
    "BillingAccountName": "billing_account_name",
    "SubAccountId": "sub_account_id",
    "SubAccountName": "sub_account_name",
    "ResourceId": "resource_id",
    "ResourceName": "resource_name",
    "ResourceType": "resource_type",
    "RegionId": "region_id",
    "SkuId": "sku_id",
    "SkuPriceId": "sku_price_id",
    "SkuMeter": "sku_meter",
    "ConsumedUnit": "consumed_unit",
    "PricingUnit": "pricing_unit",
}
_NUMBERS = {
    "BilledCost": "billed_cost",
    "EffectiveCost": "effective_cost",
    "ListCost": "list_cost",
    "ContractedCost": "contracted_cost",
    "ConsumedQuantity": "consumed_quantity",
    "PricingQuantity": "pricing_quantity",
    "ListUnitPrice": "list_unit_price",
    "ContractedUnitPrice": "contracted_unit_price",
}
_TIMES = {
    "ChargePeriodStart": "charge_period_start",
    "ChargePeriodEnd": "charge_period_end",
    "BillingPeriodStart": "billing_period_start",
    "BillingPeriodEnd": "billing_period_end",
}
# Without one of these a row is no charge of somebody, of some time, in some currency.
_NEVER_NULL = (
    "BilledCost", "EffectiveCost", "BillingCurrency", "ChargeCategory", "ServiceName", "ServiceCategory",
    "ChargePeriodStart", "ChargePeriodEnd",
)  # fmt: skip
_CATEGORIES = ("Usage", "Purchase", "Tax", "Credit", "Adjustment")

_Cell = Callable[[object], Any]
_PLACES: Mapping[str, tuple[str, _Cell]] = {
    **{column: (name, text) for column, name in _TEXTS.items()},
    **{column: (name, number) for column, name in _NUMBERS.items()},
    **{column: (name, moment) for column, name in _TIMES.items()},
    "Tags": ("tags", tags),
}


def read_focus(stream: IO[bytes], name: str) -> Iterator[FocusRow | BadRow]:
    """Yield one reading a row, in the order of the file; holds some thousand rows at once.

    Args:
        stream: The file, seekable and decompressed; which of the two forms it has, its first bytes tell.
        name: What messages call it.

    Raises:
        RequestError: It is no FOCUS file: it is empty, damaged, or lacks a column.
    """
    start = stream.read(len(_PARQUET))
    stream.seek(0)
    rows = _parquet_rows(stream, name) if start == _PARQUET else _csv_rows(stream, name)
    for line, cells in rows:
        if isinstance(cells, str):
            yield BadRow(line, "row", cells)
        else:
            yield _reading(line, cells)


_Rows = Iterator[tuple[int, Mapping[str, object] | str]]
"""Place of a row, and its cells by column, or why it has none."""


def _csv_rows(stream: IO[bytes], name: str) -> _Rows:
    # Not to be closed with the wrapper: the stream is the caller's.
    lines = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    try:
        reader = csv.reader(lines, strict=True)
        columns = _header(name, reader)
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader, None)
            except csv.Error as error:
                yield line, f"is not CSV: {error}"
                continue
            if cells is None:
                return
            if not cells:  # a blank line
                continue
            if len(cells) != len(columns):
                yield line, f"has {len(cells)} cells, not {len(columns)}"
                continue
            yield line, dict(zip(columns, cells, strict=True))
    except UnicodeDecodeError as error:
        raise RequestError(f"{name}: is not UTF-8: {error.reason}", hint="Save it as UTF-8.") from error
    except OSError as error:
        raise RequestError(f"{name}: cannot be read: {error}") from error
    finally:
        if not stream.closed:
            lines.detach()


def _header(name: str, reader: Iterator[list[str]]) -> list[str]:
    try:
        columns = [cell.strip() for cell in next(reader, [])]
    except csv.Error as error:
        raise RequestError(f"{name}: line 1: is not CSV: {error}") from error
    _check_columns(name, columns)
    return columns


def _parquet_rows(stream: IO[bytes], name: str) -> _Rows:
    try:
        file = pq.ParquetFile(stream)
        _check_columns(name, file.schema_arrow.names)
        line = 0
        for batch in file.iter_batches(batch_size=_ROWS):
            for cells in batch.to_pylist():
                line += 1
                yield line, cells
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise RequestError(f"{name}: is not Parquet that can be read: {reason}") from error


def _check_columns(name: str, columns: Sequence[str]) -> None:
    """Raise unless the columns are those of a FOCUS file."""
    if not columns:
        raise RequestError(f"{name}: is empty")
    twice = next((column for column in columns if columns.count(column) > 1), None)
    if twice is not None:
        raise RequestError(f"{name}: line 1: column {twice} is there twice")
    missing = [column for column in _NEVER_NULL if column not in columns]
    if not any(column in columns for column in _PROVIDERS):
        missing.append("ProviderName")
    if missing:
        hint = "A FOCUS file has the columns that the specification calls mandatory, in any order."
        raise RequestError(f"{name}: line 1: no column {', '.join(missing)}", hint=hint)


def _reading(line: int, cells: Mapping[str, object]) -> FocusRow | BadRow:
    """Return a row in our types, or the first column that is wrong."""
    found: dict[str, Any] = {}
    other: dict[str, str] = {}
    column = ""
    try:
        for column, cell in cells.items():
            place = _PLACES.get(column)
            if place is None:
                if written := text(cell):
                    other[column] = written
                continue
            attribute, read = place
            found[attribute] = read(cell)
            if column in _NEVER_NULL and found[attribute] in (None, ""):
                return BadRow(line, column, "is null")
    except CellError as error:
        return BadRow(line, column, str(error))
    if found["charge_category"] not in _CATEGORIES:
        said = found["charge_category"]
        return BadRow(line, "ChargeCategory", f"{said!r:.40} is none of {', '.join(_CATEGORIES)}")
    if found["charge_period_start"] >= found["charge_period_end"]:
        return BadRow(line, "ChargePeriodEnd", "is not after ChargePeriodStart")
    provider = next((other.pop(each) for each in _PROVIDERS if each in other), "")
    if not provider:
        return BadRow(line, "ProviderName", "is null")
    return FocusRow(line=line, provider=provider, other=other, **found)

import io
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from auditstream.core.errors import RequestError
from auditstream.focus.reading import read_focus
from auditstream.focus.row import BadRow, FocusRow
from tests.support.shared_data import shared_file

HEADER = (
    "ProviderName,ServiceName,ServiceCategory,ChargeCategory,ChargePeriodStart,ChargePeriodEnd,"
    "BillingCurrency,BilledCost,EffectiveCost"
)
ROW = "OpenAI,API,AI and Machine Learning,Usage,2026-11-01T00:00:00Z,2026-11-02T00:00:00Z,USD,1.50,1.25"


def read(text: str | bytes) -> list[FocusRow | BadRow]:
    return list(read_focus(io.BytesIO(text.encode() if isinstance(text, str) else text), "bill.csv"))


def test_the_published_sample_is_read_whole_and_sums_up_to_what_it_is_known_to() -> None:
    with shared_file("focus-samples/focus_sample_200.csv").open("rb") as stream:
        rows = list(read_focus(stream, "sample"))

    assert len(rows) == 199
    good = [row for row in rows if isinstance(row, FocusRow)]
    assert len(good) == 199
    assert sum(row.billed_cost for row in good) == Decimal("2.72534080970")
    assert {row.provider for row in good} == {"AWS"}
    assert good[0].line == 2
    assert good[0].charge_period_start == datetime(2024, 9, 18, 22, tzinfo=UTC)
    assert good[0].list_unit_price == Decimal("0.0000004")
    assert good[0].charge_class == ""


def test_a_row_is_read_with_its_tags_and_foreign_columns() -> None:
    (row,) = read(f'{HEADER},Tags,x_team\n{ROW},"{{""env"": ""prod"", ""n"": 3}}",core\n')

    assert isinstance(row, FocusRow)
    assert (row.line, row.provider, row.billed_cost) == (2, "OpenAI", Decimal("1.50"))
    assert row.tags == {"env": "prod", "n": "3"}
    assert row.other == {"x_team": "core"}


def test_the_name_of_the_provider_may_be_that_of_later_versions() -> None:
    (row,) = read(f"{HEADER.replace('ProviderName', 'ServiceProviderName')}\n{ROW}\n")

    assert isinstance(row, FocusRow)
    assert row.provider == "OpenAI"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("1.50", "1,5", "line 2: row: has 10 cells, not 9"),
        ("1.50", "much", "line 2: BilledCost: 'much' is not a number"),
        ("1.50", "NaN", "line 2: BilledCost: 'NaN' is not a number"),
        ("1.50", "1e999999", "line 2: BilledCost: '1e999999' is out of range"),
        ("1.50", "NULL", "line 2: BilledCost: is null"),
        ("USD", "", "line 2: BillingCurrency: is null"),
        ("OpenAI", "", "line 2: ProviderName: is null"),
        ("2026-11-02T00:00:00Z", "soon", "line 2: ChargePeriodEnd: 'soon' is not a time"),
        ("2026-11-02", "2026-10-02", "line 2: ChargePeriodEnd: is not after ChargePeriodStart"),
        (
            "Usage",
            "usage",
            "line 2: ChargeCategory: 'usage' is none of Usage, Purchase, Tax, Credit, Adjustment",
        ),
        ("OpenAI", '"Open"AI', "line 2: row: is not CSV: ',' expected after '\"'"),
    ],
)
def test_a_bad_row_names_line_and_column_and_the_next_is_read(old: str, new: str, said: str) -> None:
    bad, good = read(f"{HEADER}\n{ROW.replace(old, new)}\n{ROW}\n")

    assert str(bad) == said
    assert isinstance(good, FocusRow)
    assert good.line == 3


@pytest.mark.parametrize(
    ("tags", "reason"),
    [("[1]", "is not a JSON object"), ("{", "is not JSON"), ('{"a": {}}', "'a' is not a single value")],
)
def test_tags_that_are_no_flat_object_are_refused(tags: str, reason: str) -> None:
    (bad,) = read(f'{HEADER},Tags\n{ROW},"{tags.replace(chr(34), chr(34) * 2)}"\n')

    assert bad == BadRow(2, "Tags", reason)


def test_a_row_over_several_lines_has_the_number_of_its_first() -> None:
    rows = read(f'{HEADER},ChargeDescription\n{ROW},"one\ntwo"\n{ROW},x\n')

    assert [row.line for row in rows] == [2, 4]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "bill.csv: is empty"),
        ("a,b\n", "bill.csv: line 1: no column BilledCost, EffectiveCost, BillingCurrency, ChargeCategory,"),
        (f"{HEADER},ServiceName\n", "bill.csv: line 1: column ServiceName is there twice"),
        (f"{HEADER}\n".encode() + b"\xff\n", "bill.csv: is not UTF-8: invalid start byte"),
        (b"PAR1 but not really", "bill.csv: is not Parquet that can be read: "),
    ],
)
def test_what_is_no_focus_file_is_refused_with_the_reason(text: str | bytes, said: str) -> None:
    with pytest.raises(RequestError) as refused:
        read(text)

    assert refused.value.message.startswith(said)


def test_parquet_is_read_as_csv_is() -> None:
    names = [*HEADER.split(","), "Tags", "PricingQuantity"]
    start, end = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)
    values = [
        "OpenAI", "API", "AI and Machine Learning", "Usage", start, end, "USD", Decimal("1.50"), 1.25,
        [("env", "prod")], None,
    ]  # fmt: skip
    types = [None] * 9 + [pa.map_(pa.string(), pa.string()), pa.float64()]
    arrays = [pa.array([value], type_) for value, type_ in zip(values, types, strict=True)]
    file = io.BytesIO()
    pq.write_table(pa.table(arrays, names=names), file)
    file.seek(0)

    (row,) = read_focus(file, "bill.parquet")
    (same,) = read(f'{HEADER},Tags\n{ROW},"{{""env"": ""prod""}}"\n')

    assert isinstance(row, FocusRow)
    assert isinstance(same, FocusRow)
    assert (row.line, row.tags) == (1, {"env": "prod"})
    assert {name: getattr(row, name) for name in FocusRow.__slots__ if name != "line"} == {
        name: getattr(same, name) for name in FocusRow.__slots__ if name != "line"
    }

"""The reference page of usage extraction is what its tables say."""

from pathlib import Path

from auditstream_sdk.usage.tables import page

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "usage-extraction.md"


def test_the_page_is_generated_from_the_tables() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m auditstream_sdk.usage.tables > " + str(PAGE)

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditstream.gateway.otlp.usage import OVERLAP, normal_form
from schemas.contract import violation
from tests.support.examples import examples


@pytest.mark.parametrize(
    ("reported", "counted", "rule"),
    [
        pytest.param(
            {"input_tokens": 1200, "cache_read_tokens": 1024, "output_tokens": 340, "total_tokens": 1540},
            {"input_tokens": 1200, "cache_read_tokens": 1024, "output_tokens": 340},
            "parts included: the total says so",
            id="OpenAI",
        ),
        pytest.param(
            {
                "input_tokens": 50,
                "cache_read_tokens": 1000,
                "cache_write_tokens": 200,
                "output_tokens": 30,
                "total_tokens": 1280,
            },
            {"input_tokens": 1250, "cache_read_tokens": 1000, "cache_write_tokens": 200, "output_tokens": 30},
            "cached tokens beside input, added: the total says so",
            id="Anthropic, passed on",
        ),
        pytest.param(
            {"input_tokens": 500, "cache_read_tokens": 400, "output_tokens": 30, "total_tokens": 930},
            {"input_tokens": 900, "cache_read_tokens": 400, "output_tokens": 30},
            "cached tokens beside input, added: the total says so",
            id="cache beside input, where only the total tells",
        ),
        pytest.param(
            {"input_tokens": 50, "cache_read_tokens": 1000, "output_tokens": 30},
            {"input_tokens": 1050, "cache_read_tokens": 1000, "output_tokens": 30},
            "cached tokens beside input, added: they are more than it",
            id="Anthropic, passed on without a total",
        ),
        pytest.param(
            {"input_tokens": 10, "output_tokens": 20, "reasoning_tokens": 70, "total_tokens": 100},
            {"input_tokens": 10, "output_tokens": 90, "reasoning_tokens": 70},
            "reasoning tokens beside output, added: the total says so",
            id="Gemini, passed on",
        ),
        pytest.param(
            {
                "input_tokens": 10,
                "cache_read_tokens": 4,
                "output_tokens": 20,
                "reasoning_tokens": 7,
                "total_tokens": 41,
            },
            {"input_tokens": 14, "cache_read_tokens": 4, "output_tokens": 27, "reasoning_tokens": 7},
            "cached tokens beside input, added; reasoning tokens beside output, added: the total says so",
            id="both beside",
        ),
        pytest.param(
            {"input_tokens": 100, "cache_read_tokens": 40, "output_tokens": 20, "total_tokens": 999},
            {"input_tokens": 100, "cache_read_tokens": 40, "output_tokens": 20},
            "parts included: as the conventions say",
            id="a total that no reading explains",
        ),
        pytest.param(
            {"input_tokens": 9, "cache_read_tokens": 0, "output_tokens": 1, "total_tokens": 10},
            {"input_tokens": 9, "cache_read_tokens": 0, "output_tokens": 1},
            None,
            id="no parts, no rule",
        ),
    ],
)
def test_parts_are_counted_once(reported: dict[str, int], counted: dict[str, int], rule: str | None) -> None:
    normal = normal_form(reported)
    assert normal.usage == {**counted, "source": "PROVIDER"}
    assert normal.attributes.get(OVERLAP) == rule


def test_a_part_without_its_whole_is_kept_beside_the_counts() -> None:
    normal = normal_form({"cache_read_tokens": 5, "output_tokens": 3})
    assert normal.usage == {"output_tokens": 3, "source": "PROVIDER"}
    assert normal.attributes == {"usage.cache_read_tokens": "5"}


def test_nothing_counted_is_no_usage() -> None:
    assert normal_form({}).usage is None
    assert normal_form({"total_tokens": 5}).usage is None
    assert normal_form({"by_modality": {"audio.input": 0}}).usage is None


def test_a_modality_without_tokens_is_left_out() -> None:
    normal = normal_form({"input_tokens": 5, "by_modality": {"audio.input": 0, "text.input": 5}})
    assert normal.usage == {"input_tokens": 5, "by_modality": {"text.input": 5}, "source": "PROVIDER"}


_NAMES = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")


@settings(max_examples=examples(100), deadline=None)
@given(st.dictionaries(st.sampled_from((*_NAMES, "total_tokens")), st.integers(0, 50)))
def test_whatever_is_reported_the_normal_form_keeps_the_contract(reported: dict[str, int]) -> None:
    usage: Any = normal_form(reported).usage
    assert violation({"usage": usage}) is None

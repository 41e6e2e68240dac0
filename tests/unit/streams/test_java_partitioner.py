"""Keys find the partitions that Java's clients choose for them."""

from __future__ import annotations

import pytest
from aiokafka.partitioner import murmur2
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.java_partitioner import hashes_of
from tests.support.examples import examples

SAMPLE = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536}
"""Of Kafka's own tests: `UtilsTest.testMurmur2`."""


@pytest.mark.parametrize(("key", "expected"), SAMPLE.items())
def test_a_key_has_the_hash_that_kafkas_own_tests_state(key: bytes, expected: int) -> None:
    assert hashes_of([key]) == [expected & 0x7FFFFFFF]
    assert hashes_of([key] * 40) == [expected & 0x7FFFFFFF] * 40


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(st.binary(max_size=9), max_size=3), st.lists(st.binary(min_size=5, max_size=5), max_size=60))
def test_few_keys_and_many_have_the_hashes_of_another_implementation(
    some: list[bytes], alike: list[bytes]
) -> None:
    keys = [*some, *alike, *[b"" for _ in alike], *[each[:4] for each in alike]]

    assert hashes_of(keys) == [int(murmur2(key)) & 0x7FFFFFFF for key in keys]

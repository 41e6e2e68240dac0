from __future__ import annotations

import re
import subprocess
import sys

import genai_prices
import pytest
from genai_prices.data_snapshot import DataSnapshot, set_custom_snapshot

from auditstream.pricing import catalogue
from auditstream.pricing.book import Route, Schedule
from auditstream.pricing.catalogue import Catalogue, bundled_catalogue
from tests.support.calls import call, price_one
from tests.support.price_books import model, prices, provider, variant


def test_the_revision_names_the_package_its_version_and_its_data() -> None:
    assert re.fullmatch(r"genai-prices-0\.2\.3-[0-9a-f]{12}", bundled_catalogue().revision)


def test_the_revision_changes_with_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "_DATA_FILES", ("data_units.py",))
    assert catalogue._bundled_revision() != bundled_catalogue().revision


def test_prices_that_another_library_downloaded_are_not_used() -> None:
    set_custom_snapshot(DataSnapshot(providers=[], from_auto_update=True))
    try:
        assert price_one(call(input_tokens=10)).status == "priced"
    finally:
        set_custom_snapshot(None)


def test_pricing_opens_no_connection_and_starts_no_thread() -> None:
    program = (
        "import socket, threading\n"
        "def refuse(*_): raise AssertionError('a socket')\n"
        "socket.socket.connect = refuse\n"
        "from auditstream.pricing.catalogue import bundled_catalogue\n"
        "from auditstream.pricing.book import Route\n"
        "bundled_catalogue().schedule(Route('openai', ('gpt-4o',), ''))\n"
        "print(threading.active_count())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )

    assert done.stdout.strip() == "1"


def test_made_up_model_names_do_not_grow_the_book_without_bound() -> None:
    book = bundled_catalogue()
    kept = book.schedule.cache_info().maxsize
    assert kept is not None

    small = Catalogue([provider("acme", model("m", prices(input_mtok="1")))], revision="r")
    for number in range(kept + 10):
        small.schedule(Route("acme", (f"made-up-{number}",), ""))

    assert small.schedule.cache_info().currsize == kept


def test_a_followed_price_list_has_no_tiers() -> None:
    maker = provider("maker", model("m", prices(input_mtok="2"), variant({"processing": "batch"}, prices())))
    host = provider("host", fallback_model_providers=["maker"])
    book = Catalogue([maker, host], revision="r")

    assert isinstance(book.schedule(Route("host", ("m",), "")), Schedule)
    assert not isinstance(book.schedule(Route("host", ("m",), "batch")), Schedule)


def test_the_tiers_are_those_that_the_library_knows() -> None:
    variants = [
        variant.when
        for each in genai_prices.data.providers
        for known in each.models
        for variant in known.price_variants or ()
    ]
    words = {
        word
        for when in variants
        for key, word in when.items()
        if key in {"processing", "service_tier", "speed"}
    }

    assert bundled_catalogue().tiers == words - {"default"}

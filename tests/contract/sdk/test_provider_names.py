"""Names of providers that the SDK records are names that the price book and OpenTelemetry know."""

from __future__ import annotations

import pytest

from auditstream.pricing.catalogue import bundled_catalogue
from auditstream_sdk.integrations.addresses import _HOSTS, provider_at


@pytest.mark.parametrize("name", sorted({*_HOSTS.values(), "aws.bedrock"}))
def test_the_price_book_knows_every_provider_that_an_address_tells(name: str) -> None:
    assert bundled_catalogue().provider(name) is not None


@pytest.mark.parametrize(
    ("address", "provider"),
    [
        ("https://api.openai.com/v1/", "openai"),
        ("https://my-shop.openai.azure.com/openai/", "azure.ai.openai"),
        ("https://bedrock-runtime.eu-west-1.amazonaws.com", "aws.bedrock"),
        ("https://abc.execute-api.eu-west-1.amazonaws.com", "otherwise"),
        ("https://europe-west1-aiplatform.googleapis.com/v1", "gcp.vertex_ai"),
        ("https://api.x.ai/v1", "x_ai"),
        ("https://notapi.openai.com.evil.example/v1", "otherwise"),
        ("http://127.0.0.1:8080/v1", "otherwise"),
        ("no address [", "otherwise"),
    ],
)
def test_an_address_tells_who_answers(address: str, provider: str) -> None:
    assert provider_at(address, "otherwise") == provider

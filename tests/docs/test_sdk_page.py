"""The page about publishing from Python: its blocks run one after the other, and what they say arrives."""

from __future__ import annotations

import asyncio
import logging
import re
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from auditstream_sdk import AuditClient
from auditstream_sdk.testing.gateway import LocalGateway
from tests.support import fake_anthropic_answers as anthropic
from tests.support.fake_openai_answers import chat, chat_stream, embedding, response
from tests.support.fake_providers import FakeProvider, fake_provider
from tests.support.published import checked

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "sdk.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```py\n(.*?)```", PAGE, re.DOTALL)

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning:pydantic"),
]


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with fake_provider() as running:
        yield running


@pytest.fixture
def gateway() -> Iterator[LocalGateway]:
    with LocalGateway() as running:
        yield running


@pytest.fixture
def service(
    provider: FakeProvider, gateway: LocalGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment of a service, with both ends on loopback."""
    settings = {
        "AUDITSTREAM_SDK_URL": gateway.url,
        "AUDITSTREAM_SDK_KEY": "ask_test",
        "AUDITSTREAM_SDK_SPOOL": str(tmp_path),
        "AUDITSTREAM_SDK_HEARTBEAT_S": "0",
        "OPENAI_BASE_URL": f"{provider.url}/v1",
        "OPENAI_API_BASE": f"{provider.url}/v1",
        "OPENAI_API_KEY": "sk-1",
        "ANTHROPIC_BASE_URL": provider.url,
        "ANTHROPIC_API_KEY": "sk-1",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import litellm  # noqa: F401 - its import warns of its own dependencies


@pytest.fixture
def untouched() -> Iterator[None]:
    """Take back what the page hangs into LiteLLM and logging."""
    yield
    import litellm

    for name in ("callbacks", "success_callback", "failure_callback", "input_callback"):
        setattr(litellm, name, [])
    litellm._async_success_callback = litellm._async_failure_callback = []
    logging.getLogger("shop").handlers.clear()


async def ask(app: Any) -> None:
    """Send the page's application a request."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def send(_: dict[str, Any]) -> None:
        pass

    await app({"type": "http", "path": "/", "headers": [(b"x-user", b"ada")]}, receive, send)


@pytest.mark.usefixtures("service", "untouched")
def test_the_blocks_of_the_page_run_and_their_events_arrive(
    provider: FakeProvider, gateway: LocalGateway
) -> None:
    provider.answer(chat(), chat_stream(), anthropic.message(), chat(), chat(), response(), embedding())
    names: dict[str, Any] = {}
    for block in BLOCKS:
        exec(compile(block, "docs/how-to/sdk.md", "exec"), names)
    asyncio.run(ask(names["app"]))
    audit: AuditClient = names["audit"]

    events = [checked(event) for event in gateway.wait_for(lambda kept: len(kept) >= 11)]
    audit.close()

    kinds = Counter(event["event_type"] for event in events)
    assert kinds == {"ai.inference": 8, "ai.embedding": 1, "ai.agent.action": 1, "ai.human.review": 1}
    assert {event["outcome"] for event in events if "outcome" in event} == {"SUCCESS"}
    used = {
        (event["inference"]["provider"], event["usage"]["input_tokens"], event["usage"].get("output_tokens"))
        for event in events
        if "usage" in event
    }
    assert used == {
        ("openai", 1200, 340),
        ("openai", 77, 21),
        ("anthropic", 1312, 57),
        ("openai", 410, 90),
        ("gcp.gemini", 7, 39),
        ("aws.bedrock", 93, 8),
        ("openai", 9, None),
    }
    (embedded,) = (event for event in events if event["event_type"] == "ai.embedding")
    assert embedded["actor_id"] == "ada"
    assert {event.get("conversation_id") for event in events} == {None, "c-1"}


def test_every_extra_that_the_page_names_is_named_by_a_missing_package() -> None:
    extras = set(re.findall(r"auditstream-sdk\[([a-z]+)\]", PAGE))
    files = (ROOT / "sdk" / "auditstream_sdk" / "integrations").glob("*.py")
    sources = "\n".join(file.read_text(encoding="utf-8") for file in files)
    said = set(re.findall(r'extra="([a-z]+)"|missing\("[a-z_]+", "([a-z]+)"\)', sources))

    assert extras == {name for pair in said for name in pair if name}

"""The page about publishing from Python: its blocks run one after the other, and what they say arrives."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from auditstream.reference.gateway_secrets import hash_of, new_key
from auditstream.reference.owners import Credential, Tenant
from auditstream_sdk.testing.gateway import LocalGateway
from tests.support import fake_anthropic_answers as anthropic
from tests.support.fake_openai_answers import chat, chat_stream, embedding, response
from tests.support.fake_providers import FakeProvider, fake_provider
from tests.support.gateway_server import served
from tests.support.gateways import ACME, SINCE, KeptMessages
from tests.support.patience import patient
from tests.support.published import checked

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "sdk.md").read_text(encoding="utf-8")
_BLOCKS = re.findall(r"```py\n(.*?)```", PAGE, re.DOTALL)
SEALING = [block for block in _BLOCKS if "auditstream_sdk.sealing" in block]
BLOCKS = [block for block in _BLOCKS if block not in SEALING]
REQUEST = """
import asyncio

async def receive():
    return {"type": "http.request"}

async def send(message):
    pass

asyncio.run(app({"type": "http", "path": "/", "headers": [(b"x-user", b"ada")]}, receive, send))
"""
"""One request to the application of the page."""


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with fake_provider() as running:
        yield running


@pytest.fixture
def gateway() -> Iterator[LocalGateway]:
    with LocalGateway() as running:
        yield running


@pytest.fixture
def service(provider: FakeProvider, gateway: LocalGateway, tmp_path: Path) -> dict[str, str]:
    """The environment of a service, with both ends on loopback."""
    return os.environ | {
        "PYTHONPATH": str(ROOT / "sdk"),
        "AUDITSTREAM_SDK_URL": gateway.url,
        "AUDITSTREAM_SDK_KEY": "ask_test",
        "AUDITSTREAM_SDK_SPOOL": str(tmp_path),
        "AUDITSTREAM_SDK_HEARTBEAT_S": "0",
        "OPENAI_BASE_URL": f"{provider.url}/v1",
        "OPENAI_API_BASE": f"{provider.url}/v1",
        "OPENAI_API_KEY": "sk-1",
        "ANTHROPIC_BASE_URL": provider.url,
        "ANTHROPIC_API_KEY": "sk-1",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # at import it would fetch its prices otherwise
    }


@pytest.mark.long
def test_the_blocks_of_the_page_run_and_their_events_arrive(
    provider: FakeProvider, gateway: LocalGateway, service: dict[str, str], tmp_path: Path
) -> None:
    provider.answer(chat(), chat_stream(), anthropic.message(), chat(), chat(), response(), embedding())
    script = "\n".join([*BLOCKS, REQUEST])

    command = [sys.executable, "-P", "-c", script]
    done = subprocess.run(
        command, env=service, cwd=tmp_path, capture_output=True, text=True, timeout=patient(100), check=False
    )

    assert done.returncode == 0, done.stderr
    events = [checked(event) for event in gateway.wait_for(lambda kept: len(kept) >= 11)]

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


def test_what_the_page_hides_is_in_no_spool_and_comes_to_the_gateway_sealed(
    service: dict[str, str], tmp_path: Path
) -> None:
    (script,) = SEALING
    key = new_key("acme-edge")
    stated = [
        Tenant(tenant_id=ACME, name="Acme", contents="sealed", valid_from=SINCE),
        Credential(
            credential_id="acme-edge",
            tenant_id=ACME,
            secret_hash=hash_of(key),
            edge_keys=True,
            valid_from=SINCE,
        ),
    ]
    with served(tmp_path, KeptMessages, stated=stated) as running:
        environment = service | {"AUDITSTREAM_SDK_URL": running.url, "AUDITSTREAM_SDK_KEY": key}
        command = [sys.executable, "-P", "-c", script + "\nprint(audit.dropped, flush=True)\nos._exit(0)"]
        done = subprocess.run(
            command,
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=patient(100),
            check=False,
        )
        assert isinstance(running.producer, KeptMessages)
        events = running.producer.events()

    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr
    (event,) = (each for each in events if each["event_type"] == "ai.inference")
    assert sorted(event["sealed"]) == ["content.input", "content.output"]
    assert event["actor_id"].startswith("user-")
    assert event["content_bytes"] == len("Where is my order?") + len("On its way.")
    assert "privacy.dropped" not in event["attributes"]
    spooled = [path.read_bytes() for path in tmp_path.rglob("*") if path.suffix in {".log", ".state"}]
    assert any(b"ai.inference" in each for each in spooled)
    assert not any(text in each for each in spooled for text in (b"ada@", b"my order", b"On its way"))


def test_every_extra_that_the_page_names_is_named_by_a_missing_package() -> None:
    extras = set(re.findall(r"auditstream-sdk\[([a-z]+)\]", PAGE)) - {"sealing"}  # which is no integration
    files = (ROOT / "sdk" / "auditstream_sdk" / "integrations").glob("*.py")
    sources = "\n".join(file.read_text(encoding="utf-8") for file in files)
    said = set(re.findall(r'extra="([a-z]+)"|missing\("[a-z_]+", "([a-z]+)"\)', sources))

    assert extras == {name for pair in said for name in pair if name}

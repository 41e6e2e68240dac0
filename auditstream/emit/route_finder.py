"""Which schema a topic's events are written with, asked of the registry."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from auditstream.core.errors import ConfigError, NotFoundError, RequestError
from auditstream.core.settings import RegistrySettings
from auditstream.emit.message import Route
from schemas.avro_text import parse_text
from schemas.packaged import schema_json, schema_text
from schemas.registry_client import RegistryClient
from schemas.subjects import Subject, ingest_subject


async def find_route(settings: RegistrySettings, topic: str, subject: Subject | None = None) -> Route:
    """Return the route to a topic, with the id of the packaged schema in the topic's subject.

    A subject that does not exist yet is made, with the contract's compatibility level.

    Args:
        settings: Where the registry is.
        topic: The topic.
        subject: Its subject, where it is no topic of events.

    Raises:
        RegistryDownError: The registry cannot be used now.
        ConfigError: The subject has another schema, and the registry does not take ours beside it.
    """
    subject = subject or ingest_subject(topic)
    async with RegistryClient.from_settings(settings) as client:
        schema_id = await _known_id(client, subject)
        if schema_id is None:
            schema_id = await _registered_id(client, subject)
    return Route(topic, schema_id, f"{_plain_url(settings.url)}/schemas/ids/{schema_id}")


async def _known_id(client: RegistryClient, subject: Subject) -> int | None:
    """Return the id of the subject's latest schema when that is the packaged one; make a subject's level."""
    try:
        latest = await client.latest(subject.name)
    except NotFoundError:
        await client.set_level(subject.name, subject.level)
        return None
    return latest.id if parse_text(latest.text) == schema_json(subject.schema) else None


async def _registered_id(client: RegistryClient, subject: Subject) -> int:
    try:
        return await client.register(subject.name, schema_text(subject.schema))
    except RequestError as error:
        raise ConfigError(
            f"subject {subject.name} does not take the packaged schema: {error.message}",
            hint="Run `auditstream schema check` to see what differs.",
        ) from error


def _plain_url(url: str) -> str:
    """Return a URL without the user and password that it may carry."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])).rstrip("/")

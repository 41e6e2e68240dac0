"""`auditstream schema`: the event contract at the schema registry."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from auditstream.core.errors import NotFoundError, RequestError

if TYPE_CHECKING:
    from auditstream.core.settings import Settings
    from schemas.packaged import AvroSchema
    from schemas.registry_client import RegistryClient
    from schemas.subjects import Subject

PACKAGED = "packaged"
LATEST = "latest"

_REGISTERED = ("subject", "schema", "id", "level")
_CHECKED = ("subject", "compatible", "version", "direction", "path", "reason", "said_by")
_DIFFERENT = ("change", "path", "what", "old", "new")

TopicOption = Annotated[
    list[str] | None,
    typer.Option("--topic", help="Another ingest topic, as audit.direct.acme.v1; repeatable."),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    schema = typer.Typer(help="The event contract at the schema registry.", no_args_is_help=True)
    schema.command("register")(register_schemas)
    schema.command("check")(check_schemas)
    schema.command("diff")(diff_schemas)
    app.add_typer(schema, name="schema")


def register_schemas(context: typer.Context, *, topic: TopicOption = None) -> None:
    """Register the packaged schemas, each under its subject with its compatibility level.

    Doing it again changes nothing. The registry refuses a schema that may not follow the earlier ones.
    """
    from auditstream.cli.printing import print_rows
    from auditstream.cli.running import find

    settings = find(context.obj).settings
    rows = asyncio.run(_register(settings, _subjects(settings, topic or [])))
    print_rows(context.obj, _REGISTERED, _in_order(_REGISTERED, rows))


def check_schemas(
    context: typer.Context,
    *,
    subject: Annotated[str, typer.Option(help="Only this subject.")] = "",
    file: Annotated[Path | None, typer.Option(help="This schema instead of the packaged one.")] = None,
    topic: TopicOption = None,
) -> int:
    """Check whether the packaged schemas, or a file's, may follow what the registry has.

    Judged twice: by our own rules, which also look at logical types, and by the registry.
    Exit code 2 when one may not.
    """
    from auditstream.cli.printing import print_rows
    from auditstream.cli.running import find

    settings = find(context.obj).settings
    chosen = _chosen(_subjects(settings, topic or []), subject, file)
    rows = asyncio.run(_check(settings, chosen, _file_text(file)))
    print_rows(context.obj, _CHECKED, _in_order(_CHECKED, rows))
    return 0 if all(row["compatible"] for row in rows) else RequestError.exit_code


def diff_schemas(
    context: typer.Context,
    old: Annotated[str, typer.Argument(help="A version's number, `latest`, `packaged`, or a file.")] = LATEST,
    new: Annotated[str, typer.Argument(help="Likewise.")] = PACKAGED,
    *,
    subject: Annotated[str, typer.Option(help="Subject of the versions.")] = "audit.events.v1-value",
) -> None:
    """Show what differs between two schemas, field by field; no rows when nothing does."""
    from dataclasses import asdict

    from auditstream.cli.printing import print_rows
    from auditstream.cli.running import find
    from schemas.differences import differences

    settings = find(context.obj).settings
    before, after = asyncio.run(_pair(settings, subject, old, new))
    rows = [asdict(each) for each in differences(before, after)]
    print_rows(context.obj, _DIFFERENT, _in_order(_DIFFERENT, rows))


def _in_order(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Iterator[list[Any]]:
    return ([row.get(name) for name in columns] for row in rows)


def _subjects(settings: Settings, topics: list[str]) -> list[Subject]:
    """Return the product's subjects, with those of the ingest topics that settings and options name."""
    from schemas.subjects import SUBJECTS, ingest_subject

    ingest = [settings.kafka.events_topic, *settings.kafka.direct_topics, *topics]
    return list({each.name: each for each in [*SUBJECTS, *map(ingest_subject, ingest)]}.values())


def _chosen(subjects: list[Subject], name: str, file: Path | None) -> list[Subject]:
    if file is not None and not name:
        raise RequestError("--file: say with --subject which subject it is for")
    found = [each for each in subjects if name in {"", each.name}]
    if not found:
        raise NotFoundError(f"subject {name} is not one of ours: {', '.join(s.name for s in subjects)}")
    return found


def _file_text(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise NotFoundError(f"{file}: no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"{file}: cannot be read: {error}") from error


async def _register(settings: Settings, subjects: list[Subject]) -> list[dict[str, Any]]:
    from schemas.packaged import schema_text
    from schemas.registry_client import RegistryClient

    rows: list[dict[str, Any]] = []
    async with RegistryClient.from_settings(settings.registry) as client:
        for each in subjects:
            await client.set_level(each.name, each.level)
            number = await client.register(each.name, schema_text(each.schema))
            rows.append({"subject": each.name, "schema": each.schema, "id": number, "level": each.level})
    return rows


async def _check(settings: Settings, subjects: list[Subject], text: str | None) -> list[dict[str, Any]]:
    from schemas.packaged import schema_text
    from schemas.registry_client import RegistryClient

    async with RegistryClient.from_settings(settings.registry) as client:
        return [
            row
            for each in subjects
            for row in await _verdicts(client, each, schema_text(each.schema) if text is None else text)
        ]


async def _verdicts(client: RegistryClient, subject: Subject, text: str) -> list[dict[str, Any]]:
    """Return a row for each objection to a schema, or one that says there is none."""
    from schemas.avro_text import parse_text
    from schemas.compatibility import incompatibilities

    earlier = await client.history(subject.name)
    schemas = [parse_text(version.text) for version in earlier]
    rows: list[dict[str, Any]] = [
        {
            "version": earlier[found.version - 1].version,
            "direction": found.direction,
            "path": found.path,
            "reason": found.reason,
            "said_by": "auditstream",
        }
        for found in incompatibilities(parse_text(text), schemas, subject.level)
    ]
    verdict = await client.check(subject.name, text)
    if not verdict.compatible:
        rows += [{"reason": each, "said_by": "registry"} for each in verdict.messages or ("incompatible",)]
    return [{"subject": subject.name, "compatible": False} | row for row in rows] or [
        {"subject": subject.name, "compatible": True, "version": earlier[-1].version if earlier else None}
    ]


async def _pair(settings: Settings, subject: str, old: str, new: str) -> tuple[AvroSchema, AvroSchema]:
    from schemas.registry_client import RegistryClient

    async with RegistryClient.from_settings(settings.registry) as client:
        return await _named(client, subject, old), await _named(client, subject, new)


async def _named(client: RegistryClient, subject: str, name: str) -> AvroSchema:
    """Return the schema that an argument names."""
    from schemas.avro_text import parse_text
    from schemas.packaged import schema_json
    from schemas.subjects import EVENTS, SUBJECTS

    if name == PACKAGED:
        return schema_json(next((s.schema for s in SUBJECTS if s.name == subject), EVENTS.schema))
    if name == LATEST:
        return parse_text((await client.latest(subject)).text)
    if name.isdigit():
        return parse_text((await client.version(subject, int(name))).text)
    return parse_text(_file_text(Path(name)) or "")

"""`auditstream config show|check`: every effective setting and where it came from."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import typer
from pydantic import BaseModel, SecretStr

from auditstream.core.settings import PREFIX, Settings

MASK = "********"

_commands = typer.Typer(help="Show or check the settings.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(_commands, name="config")


@_commands.command()
def show(context: typer.Context) -> None:
    """Show every setting: its variable, its value in effect, and where that came from. Secrets are masked."""
    from auditstream.cli.printing import print_rows
    from auditstream.cli.wiring import load_settings

    environment = dict(os.environ)  # before a secret's file is read into it
    settings = load_settings(context.obj)
    print_rows(context.obj, ("variable", "value", "source"), settings_table(settings, environment))


@_commands.command()
def check(context: typer.Context) -> None:
    """Check the settings: exit code 78 and the variable's name when one is unknown or wrong."""
    from auditstream.cli.printing import print_document
    from auditstream.cli.wiring import load_settings

    environment = dict(os.environ)
    settings = load_settings(context.obj)
    rows = list(settings_table(settings, environment))
    given = [variable for variable, _, source in rows if source != "default"]
    print_document(context.obj, {"status": "ok", "settings": len(rows), "not_default": given})
    for remark in remarks(settings):
        sys.stderr.write(f"warning: {remark}\n")


def settings_table(settings: Settings, environment: Mapping[str, str]) -> Iterator[tuple[str, Any, str]]:
    """Yield variable, value in effect and source of every setting.

    Args:
        settings: The settings in effect.
        environment: What they were read from.
    """
    for variable, value in _leaves(settings, PREFIX):
        yield variable, _shown(value), _source(variable, value, settings, environment)


def remarks(settings: Settings) -> Iterator[str]:
    """Yield what is allowed but unwise."""
    worker = settings.worker
    if worker.heartbeat_s * 3 > worker.session_timeout_s:
        yield "WORKER__HEARTBEAT_S: over a third of WORKER__SESSION_TIMEOUT_S: late beats end the session"
    if worker.min_delay_s > worker.max_delay_s:
        yield "WORKER__MIN_DELAY_S: more than WORKER__MAX_DELAY_S"
    if settings.kafka.security == "sasl_plaintext":
        yield "KAFKA__SECURITY: sasl_plaintext sends events and password readable for everyone on the way"


def _leaves(group: BaseModel, prefix: str) -> Iterator[tuple[str, Any]]:
    for name in type(group).model_fields:
        value = getattr(group, name)
        if isinstance(value, BaseModel):
            yield from _leaves(value, f"{prefix}{name.upper()}__")
        else:
            yield prefix + name.upper(), value


def _shown(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return MASK if value.get_secret_value() else ""
    return value if isinstance(value, bool | int | float | str | tuple) or value is None else str(value)


def _source(variable: str, value: Any, settings: Settings, environment: Mapping[str, str]) -> str:
    if f"{variable}_FILE" in environment:
        return f"file {environment[f'{variable}_FILE']}"
    if variable in environment:
        return f"environment variable {variable}"
    group = variable.removeprefix(PREFIX).partition("__")[0]
    if f"{PREFIX}{group}" in environment and group.lower() in type(settings).model_fields:
        return f"environment variable {PREFIX}{group}"
    if variable == f"{PREFIX}DATA_DIR" and value != type(settings).model_fields["data_dir"].default:
        return "option --data-dir"
    return "default"

"""A YAML file that is a list under one name, which holds secrets: only its owner may read it."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from auditstream.core.errors import ConfigError
from auditstream.core.secret_file import KeyFileError, read_secret

_Model = TypeVar("_Model", bound=BaseModel)


def read_documents(path: Path, name: str, *, setting: str, most: int) -> list[object]:
    """Return the items of the list.

    Args:
        path: The file.
        name: Name of the list, the one field of the file.
        setting: Name of the setting that names the file, for the message.
        most: Items at most.

    Raises:
        ConfigError: There is no such file, others may read it, or it is no such list; quotes no value.
    """
    try:
        text = read_secret(path).decode()
    except KeyFileError as error:
        raise ConfigError(f"{setting}: {error.message}", hint=f"chmod 600 {path}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8") from error
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        raise ConfigError(f"{path}{line}: is not YAML") from None
    listed = document.get(name) if isinstance(document, dict) else None
    if not isinstance(listed, list) or set(document) != {name}:
        raise ConfigError(f"{path}: must be a mapping with the one field {name}, a list")
    if len(listed) > most:
        raise ConfigError(f"{path}: {name}: {len(listed)} are more than {most}")
    return listed


def validated(model: type[_Model], fields: object, where: str) -> _Model:
    """Return an item as its model.

    Args:
        model: What an item is.
        fields: The item.
        where: Path of the file, and which of its items it is, for the message.

    Raises:
        ConfigError: It is none; names the field, and quotes no value.
    """
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False)[0]
        field = ".".join(map(str, first["loc"]))
        reason = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{where}: {field}: {reason}".replace(": : ", ": ")) from None


def refuse_repeats(path: Path, field: str, names: list[str]) -> None:
    """Return unless a name comes twice.

    Raises:
        ConfigError: One does; names it.
    """
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"{path}: {field}: {twice} comes twice")

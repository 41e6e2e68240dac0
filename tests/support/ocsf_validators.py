"""Two judges of OCSF events, each by a package of others: JSON Schema, and the model of ocsf-lib."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import jsonschema
import ocsf_json_schema
from ocsf import schema as ocsf_lib

VERSION = "1.8.0"

_PLAIN = {
    "integer_t": int,
    "long_t": int,
    "timestamp_t": int,
    "port_t": int,
    "boolean_t": bool,
    "float_t": float,
}


def faults_by_json_schema(event: Mapping[str, Any]) -> list[str]:
    """Return what ocsf-json-schema says of an event, by its class and the profiles that it names."""
    judge = _json_schema(event["class_uid"], tuple(event["metadata"]["profiles"]))
    return [f"{error.json_path}: {error.message}" for error in judge.iter_errors(event)]


@cache
def _json_schema(class_uid: int, profiles: tuple[str, ...]) -> Any:
    schemas = _packaged()
    name = schemas.lookup_class_name_from_uid(class_uid)
    return jsonschema.Draft202012Validator(schemas.get_class_schema(name, list(profiles)))


@cache
def _packaged() -> Any:
    return ocsf_json_schema.OcsfJsonSchemaEmbedded(_document())


@cache
def _document() -> Any:
    return ocsf_json_schema.get_ocsf_schema(version=VERSION)


def faults_by_model(event: Mapping[str, Any]) -> list[str]:
    """Return what an event breaks of ocsf-lib's model: names, requirements, types, values, constraints."""
    schema = _model()
    (ocsf_class,) = [each for each in schema.classes.values() if each.uid == event["class_uid"]]
    profiles = set(event["metadata"]["profiles"])
    unknown = profiles - {*(ocsf_class.profiles or ())}
    return [
        *(f"profile {each} is not of the class" for each in sorted(unknown)),
        *_faults(event, ocsf_class, profiles, "event"),
    ]


@cache
def _model() -> ocsf_lib.OcsfSchema:
    document = {**_document(), "types": _document()["dictionary"]["types"]["attributes"]}
    for things in ("classes", "objects"):
        document[things] = {name: _of_the_model(thing) for name, thing in document[things].items()}
    document.pop("profiles")
    document.pop("extensions")
    document.pop("categories")
    return ocsf_lib.from_dict(document)


def _of_the_model(thing: dict[str, Any]) -> dict[str, Any]:
    attributes = {
        name: {**each, "profile": each.get("profiles") or each.get("profile")}
        for name, each in thing["attributes"].items()
    }
    return {**thing, "attributes": attributes}


def _faults(value: Mapping[str, Any], thing: Any, profiles: set[str], path: str) -> Iterator[str]:
    known = {name: each for name, each in thing.attributes.items() if _is_of(each, profiles)}
    for name, attribute in known.items():
        if attribute.requirement == "required" and name not in value:
            yield f"{path}.{name}: is required"
    for name, item in value.items():
        if name in known:
            yield from _attribute_faults(item, known[name], profiles, f"{path}.{name}")
        else:
            yield f"{path}.{name}: is no attribute"
    for rule, names in (thing.constraints or {}).items():
        there = sum(name in value for name in names)
        if (rule == "at_least_one" and not there) or (rule == "just_one" and there != 1):
            yield f"{path}: {rule} of {names}, {there} there"


def _is_of(attribute: Any, profiles: set[str]) -> bool:
    named = [attribute.profile] if isinstance(attribute.profile, str) else attribute.profile or []
    return not named or bool(profiles & set(named))


def _attribute_faults(value: Any, attribute: Any, profiles: set[str], path: str) -> Iterator[str]:
    if attribute.is_array != isinstance(value, list):
        yield f"{path}: is {'not ' if attribute.is_array else ''}a list"
        return
    for item in value if attribute.is_array else [value]:
        inside = _model().objects.get(attribute.object_type or "") if attribute.type != "json_t" else None
        if inside is not None and inside.name != "object":
            if not isinstance(item, dict):
                yield f"{path}: is no object"
                continue
            yield from _faults(item, inside, profiles, path)
        elif attribute.type.endswith("_t") and attribute.type not in {"json_t", "object_t"}:
            kind = _PLAIN.get(attribute.type, str)
            if not isinstance(item, kind) or isinstance(item, bool) != (kind is bool):
                yield f"{path}: {item!r} is no {attribute.type}"
            elif attribute.enum and str(item) not in attribute.enum and isinstance(item, int):
                yield f"{path}: {item!r} is not of the enumeration"

"""What the embedded registry refuses, with the codes of Confluent's Schema Registry.

Source: Confluent Schema Registry API reference, "Errors".
"""

from __future__ import annotations

from collections.abc import Iterable


class RegistryRefusalError(Exception):
    """A request that is answered with an error; not for callers outside of the registry.

    Attributes:
        code: Code in the answer: the HTTP status alone, or with two more digits.
        status: HTTP status.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.status = code if code < 1_000 else code // 100
        self.message = message


def subject_not_found(subject: str) -> RegistryRefusalError:
    """Return the answer for a subject that does not exist."""
    return RegistryRefusalError(40401, f"Subject '{subject}' not found.")


def version_not_found(version: int) -> RegistryRefusalError:
    """Return the answer for a version that the subject does not have."""
    return RegistryRefusalError(40402, f"Version {version} not found.")


def schema_not_found() -> RegistryRefusalError:
    """Return the answer for an id, GUID or text that nobody registered."""
    return RegistryRefusalError(40403, "Schema not found")


def no_own_level(subject: str) -> RegistryRefusalError:
    """Return the answer for a subject without a level of its own."""
    return RegistryRefusalError(
        40408, f"Subject '{subject}' does not have subject-level compatibility configured"
    )


def no_own_mode(subject: str) -> RegistryRefusalError:
    """Return the answer for a subject without a mode of its own."""
    return RegistryRefusalError(40409, f"Subject '{subject}' does not have subject-level mode configured")


def incompatible(subject: str, problems: Iterable[str], level: str) -> RegistryRefusalError:
    """Return the answer for a schema that the subject's level forbids."""
    details = "; ".join(problems)
    return RegistryRefusalError(
        409,
        "Schema being registered is incompatible with an earlier schema for subject"
        f" '{subject}', details: [{details}], compatibility: '{level}'",
    )


def invalid_schema(reason: str) -> RegistryRefusalError:
    """Return the answer for a text that is no Avro schema, or not one that this registry takes."""
    return RegistryRefusalError(42201, f"Invalid schema: {reason}")


def invalid_version(text: str) -> RegistryRefusalError:
    """Return the answer for a version that is neither a number from 1 nor `latest`."""
    return RegistryRefusalError(
        42202,
        f"The specified version '{text}' is not a valid version id. Allowed values are between [1, 2^31-1]"
        ' and the string "latest"',
    )


def invalid_level() -> RegistryRefusalError:
    """Return the answer for a compatibility level that does not exist."""
    return RegistryRefusalError(42203, "Invalid compatibility level")


def invalid_mode() -> RegistryRefusalError:
    """Return the answer for a mode that this registry does not have."""
    return RegistryRefusalError(42204, "Invalid mode. Valid values are READWRITE and READONLY")


def read_only(subject: str) -> RegistryRefusalError:
    """Return the answer for a change of a subject that may only be read."""
    return RegistryRefusalError(42205, f"Subject {subject} is in read-only mode")

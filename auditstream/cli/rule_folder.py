"""Rules of a user's own: the files of a folder, and which rules are on."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from auditstream.core.errors import ConfigError, NotFoundError
from auditstream.core.settings import RuleSettings
from auditstream.detection.rules.fault import Fault
from auditstream.detection.rules.packaged import CASES_SUFFIX, shipped_rules
from auditstream.detection.rules.reading import MOST_BYTES, read_rules
from auditstream.detection.rules.rule import RuleSet

_SUFFIXES = (".yaml", ".yml")
_MOST_FILES = 1_000
"""Files of a folder; more are a mistake in its name."""


@dataclass(frozen=True, slots=True)
class Texts:
    """The files of a folder, by name.

    Attributes:
        rules: Files of rules.
        cases: Files of cases.
    """

    rules: dict[str, str]
    cases: dict[str, str]


def folder_texts(folder: Path) -> Texts:
    """Return the YAML files of a folder and of those in it, by their path within it.

    Raises:
        NotFoundError: There is no such folder.
        ConfigError: A file cannot be read, or is no text, or there are too many.
    """
    if not folder.is_dir():
        raise NotFoundError(f"{folder}: no such folder", hint="Give the folder that holds the rules.")
    files = sorted(each for each in folder.rglob("*") if each.suffix in _SUFFIXES and each.is_file())
    if len(files) > _MOST_FILES:
        raise ConfigError(f"{folder}: has more than {_MOST_FILES} files of YAML", hint="Is it the right one?")
    found = Texts({}, {})
    for file in files:
        name = str(file.relative_to(folder))
        try:
            with file.open(encoding="utf-8") as stream:
                text = stream.read(MOST_BYTES + 1)  # what is longer is refused by its length
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{file}: cannot be read: {error}", hint="Rules are UTF-8 text.") from error
        (found.cases if name.endswith(CASES_SUFFIX) else found.rules)[name] = text
    return found


def rules_in_use(*, shipped: bool, folder: Path | None, off: Collection[str]) -> tuple[RuleSet, list[Fault]]:
    """Return the rules that are on, and what is wrong with others.

    A rule of the folder may not have a shipped one's name: turn that off first.

    Args:
        shipped: Whether the shipped rules are among them.
        folder: Folder of rules of the user's own.
        off: Names of shipped rules that are not wanted.

    Raises:
        NotFoundError: There is no such folder.
        ConfigError: One of its files cannot be read.
    """
    ours, faults = read_rules(shipped_rules() if shipped else {})
    named = {each.name for each in ours.abouts()}
    faults += [
        Fault("AUDITSTREAM_RULES__OFF", name, "off", "no such rule") for name in off if name not in named
    ]
    ours = without(ours, off)
    own, own_faults = read_rules(folder_texts(folder).rules if folder else {})
    faults += own_faults
    faults += [
        Fault(rule.about.file, name, "name", "is a shipped rule's too", hint=f"Turn that off: {_OFF}.")
        for name, rule in own.rules.items()
        if name in ours.rules
    ]
    faults += [
        Fault(
            each.about.file,
            each.about.name,
            "name",
            "is a shipped rule's too",
            hint=f"Turn that off: {_OFF}.",
        )
        for each in own.correlations
        if each.about.name in {other.about.name for other in ours.correlations}
    ]
    return RuleSet({**own.rules, **ours.rules}, (*ours.correlations, *own.correlations)), faults


def rules_of(settings: RuleSettings) -> RuleSet:
    """Return the rules that a worker asks.

    Raises:
        ConfigError: One of them cannot run: a worker that leaves a rule out would say nothing of it.
    """
    rules, faults = rules_in_use(shipped=settings.shipped, folder=settings.folder, off=settings.off)
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise ConfigError(
            f"rules: {faults[0]}{more}", hint=faults[0].hint or "`auditstream rules check` has all."
        )
    return rules


_OFF = """AUDITSTREAM_RULES__OFF='["its.name"]'"""


def without(rules: RuleSet, off: Collection[str]) -> RuleSet:
    """Return the rules without some: what a correlation counts stays, and reports nothing."""
    correlations = tuple(each for each in rules.correlations if each.about.name not in off)
    counted = {name for each in correlations for name in each.rules}
    kept = {
        name: replace(rule, reports=rule.reports and name not in off)
        for name, rule in rules.rules.items()
        if name in counted or (rule.reports and name not in off)
    }
    return RuleSet(kept, correlations)

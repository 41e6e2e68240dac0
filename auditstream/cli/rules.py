"""`auditstream rules`: what looks at events as they are recorded, and whether it does what it says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from auditstream.cli.rule_folder import Texts
    from auditstream.detection.rules.fault import Fault
    from auditstream.detection.rules.rule import RuleSet

_LISTED = ("rule", "severity", "kind", "scope", "attacks", "title", "version", "file")
_FAULTS = ("file", "rule", "field", "reason", "hint")
_CASES = ("file", "rule", "case", "must", "found", "result")

Folder = Annotated[
    Path | None, typer.Argument(help="Folder of Sigma YAML; the rules that are on when left out.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    rules = typer.Typer(help="Rules over events, as Sigma YAML.", no_args_is_help=True)
    rules.command("check")(check)
    rules.command("test")(run_cases_of)
    rules.command("list")(list_rules)
    app.add_typer(rules, name="rules")


def check(context: typer.Context, folder: Folder = None) -> int:
    """Check that rules can run: prints a row for each fault, with file, rule, field and reason.

    Exits with 7 when there are some. Looks at nothing but the files.
    """
    from auditstream.cli.printing import print_rows
    from auditstream.cli.remarks import remark

    rules, faults = _read(context, folder)
    print_rows(context.obj, _FAULTS, (_row(each) for each in faults))
    remark(context.obj, f"{len(rules.abouts())} rules can run, {len(faults)} faults")
    return _code(faults)


def run_cases_of(
    context: typer.Context,
    folder: Folder = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Print the cases that pass as well.")] = False,
) -> int:
    """Run the cases beside the rules: files NAME.cases.yaml.

    Prints the cases that fail, and rules that lack a case that must match or one that must not. Exits with
    7 when there are some.
    """
    from auditstream.cli.printing import print_rows
    from auditstream.cli.remarks import remark
    from auditstream.detection.rules.cases import read_cases, run_cases
    from auditstream.detection.rules.fault import Fault

    rules, faults = _read(context, folder)
    cases, broken = read_cases(_texts(context, folder).cases)
    known = {about.name for about in rules.abouts()} | rules.rules.keys()
    outcomes = run_cases(rules, [case for case in cases if case.rule in known])
    rows: list[tuple[Any, ...]] = [
        (each.case.file, each.case.rule, each.case.name, each.case.matches, each.found,
         "passes" if each.passes else "fails")
        for each in outcomes
        if every or not each.passes
    ]  # fmt: skip
    told = {(case.rule, case.matches) for case in cases}
    faults += broken
    faults += [
        Fault(case.file, case.rule, "rule", "no such rule") for case in cases if case.rule not in known
    ]
    faults += [
        Fault(about.file, about.name, "cases", f"has none that must {'' if must else 'not '}match")
        for about in rules.abouts()
        for must in (True, False)
        if (about.name, must) not in told
    ]
    rows += [(each.file, each.rule, each.field, "", "", each.reason) for each in faults]
    print_rows(context.obj, _CASES, rows)
    failed = sum(not each.passes for each in outcomes)
    remark(context.obj, f"{len(outcomes) - failed} cases pass, {failed} fail, {len(faults)} faults")
    return _code([*faults, *(each for each in outcomes if not each.passes)])


def list_rules(context: typer.Context, folder: Folder = None) -> int:
    """List the rules that look at events as they are recorded."""
    from auditstream.cli.printing import print_rows
    from auditstream.cli.remarks import remark
    from auditstream.detection.rules.rule import SEVERITIES

    rules, faults = _read(context, folder)
    words = {number: word for word, number in SEVERITIES.items()}
    kinds = {each.about.name: each.kind for each in rules.correlations}
    print_rows(
        context.obj,
        _LISTED,
        (
            (each.name, words[each.severity], kinds.get(each.name, "event"), each.scope, list(each.attacks),
             each.title, each.version, each.file)
            for each in rules.abouts()
        ),
    )  # fmt: skip
    for fault in faults:
        remark(context.obj, f"left out: {fault}")
    return _code(faults)


def _read(context: typer.Context, folder: Path | None) -> tuple[RuleSet, list[Fault]]:
    from auditstream.cli.rule_folder import folder_texts, rules_in_use
    from auditstream.cli.wiring import load_settings
    from auditstream.detection.rules.reading import read_rules

    if folder is not None:
        return read_rules(folder_texts(folder).rules)
    settings = load_settings(context.obj).rules
    return rules_in_use(shipped=settings.shipped, folder=settings.folder, off=settings.off)


def _texts(context: typer.Context, folder: Path | None) -> Texts:
    """Return the files of the folder, or those of the rules that are on."""
    from auditstream.cli.rule_folder import Texts, folder_texts
    from auditstream.cli.wiring import load_settings
    from auditstream.detection.rules.packaged import shipped_cases, shipped_rules

    if folder is not None:
        return folder_texts(folder)
    settings = load_settings(context.obj).rules
    found = Texts({}, {})
    if settings.shipped:
        found = Texts(dict(shipped_rules()), dict(shipped_cases()))
    if settings.folder is not None:
        own = folder_texts(settings.folder)
        found = Texts({**found.rules, **own.rules}, {**found.cases, **own.cases})
    return found


def _row(fault: Fault) -> tuple[str, ...]:
    return (fault.file, fault.rule, fault.field, fault.reason, fault.hint)


def _code(faults: Sequence[object]) -> int:
    from auditstream.core.errors import PartialResultError

    return PartialResultError.exit_code if faults else 0

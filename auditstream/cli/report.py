"""`auditstream report`: what the record comes to."""

from __future__ import annotations

import typer

from auditstream.cli.report_access import access
from auditstream.cli.report_cost import cost
from auditstream.cli.report_coverage import coverage
from auditstream.cli.report_discovery import discovery
from auditstream.cli.report_oversight import oversight
from auditstream.cli.report_prompts import prompts
from auditstream.cli.report_showback import showback
from auditstream.cli.report_slo import slo
from auditstream.cli.report_units import pilot, units
from auditstream.cli.report_what_if import whatif
from auditstream.cli.report_wrapper import wrapper


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(name="report", help="What the record comes to.", no_args_is_help=True)
    group.command("cost")(cost)
    group.command("wrapper")(wrapper)
    group.command("units")(units)
    group.command("pilot")(pilot)
    group.command("showback")(showback)
    group.command("whatif")(whatif)
    group.command("slo")(slo)
    group.command("coverage")(coverage)
    group.command("discovery")(discovery)
    group.command("oversight")(oversight)
    group.command("prompts")(prompts)
    group.command("access")(access)
    app.add_typer(group)

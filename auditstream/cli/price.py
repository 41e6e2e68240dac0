"""`auditstream price`: what a call costs, one or a file of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from auditstream.core.errors import RequestError

if TYPE_CHECKING:
    from auditstream.cli.context import Context
    from auditstream.pricing.pricer import CataloguePricer
    from auditstream.pricing.request import PriceRequest

Tools = tuple["CataloguePricer", Any]
"""A pricer, and what turns a JSON object into a request."""

_CHUNK = 5_000
"""Lines of a batch that are priced at once: quick in columns, and the answers keep coming."""

_TABLE_COLUMNS = ("meter", "direction", "cache_action", "quantity", "list_unit_price", "billed", "price_id")
"""What of a line fits a terminal."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(price)


def price(
    context: typer.Context,
    *,
    provider: Annotated[str | None, typer.Option(help="Provider, as openai.")] = None,
    model: Annotated[str | None, typer.Option(help="Model, as gpt-4o.")] = None,
    usage: Annotated[
        str | None, typer.Option(help='Counts as JSON: {"input_tokens": 1200, "output_tokens": 80}.')
    ] = None,
    response: Annotated[
        Path | None, typer.Option(help="A provider's recorded response, to take model and counts from.")
    ] = None,
    flavor: Annotated[
        str | None, typer.Option(help="Kind of response, as chat or responses; found out when not named.")
    ] = None,
    at: Annotated[str | None, typer.Option(help="Event time; now when not given. Without zone UTC.")] = None,
    tier: Annotated[
        str | None, typer.Option(help="Service tier, as batch or flex; a response's own when not given.")
    ] = None,
    region: Annotated[
        str | None, typer.Option(help="Region or route, where the price depends on it.")
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="Tenant that calls, for its contract.")] = None,
    batch: Annotated[
        str | None,
        typer.Option(help="File (or - for stdin) with a JSON request a line; JSONL out, in order."),
    ] = None,
    revision: Annotated[
        int | None, typer.Option(help="Reference revision to know prices at; the newest by default.")
    ] = None,
    catalogue: Annotated[
        bool, typer.Option("--catalogue", help="The installed catalogue's prices, whatever runs.")
    ] = False,
) -> None:
    """Price a model call at a time: cost lines and total, exact decimals.

    Prices are those of the deployment that runs on the data directory or that settings name: its own,
    imported ones, contracts. Without a deployment they are those of the installed catalogue.
    A call without a price has status unpriced and no amounts. A batch goes on past a bad line, then exits
    with 7.
    """
    fields = {
        "provider": provider, "model": model, "usage": usage, "response": response, "flavor": flavor,
        "at": at, "tier": tier, "region": region, "tenant": tenant,
    }  # fmt: skip
    given = {name: value for name, value in fields.items() if value is not None}
    if batch is None:
        _price_one(context.obj, given, _tools(context.obj, revision, catalogue=catalogue))
        return
    if given:
        raise RequestError(f"--batch takes no --{next(iter(given))}: each line has its own")
    refused = _price_lines(batch, _tools(context.obj, revision, catalogue=catalogue))
    if refused:
        typer.echo(f"{refused} lines were refused", err=True)
        raise typer.Exit(7)


def _price_one(context: Context, given: dict[str, Any], tools: Tools) -> None:
    from auditstream.pricing.quotes import quotes
    from auditstream.pricing.request import load_object

    document = dict(given)
    if "usage" in given:
        document["usage"] = load_object(given["usage"], "usage")
    if "response" in given:
        document["response"] = load_object(_read(given["response"]), "response")
    pricer, parse = tools
    _print(context, quotes(pricer, [parse(document)])[0])


def _print(context: Context, answer: dict[str, Any]) -> None:
    from auditstream.cli.context import Output
    from auditstream.cli.printing import form_of, print_document, print_rows
    from auditstream.pricing.quotes import LINE_COLUMNS

    form = form_of(context)
    if form not in {Output.TABLE, Output.CSV} or "lines" not in answer:
        print_document(context, answer)
        return
    columns = _TABLE_COLUMNS if form == Output.TABLE else LINE_COLUMNS
    print_rows(context, columns, [[line[name] for name in columns] for line in answer["lines"]])
    if form == Output.TABLE:
        print_document(context, {name: value for name, value in answer.items() if name != "lines"})


def _price_lines(source: str, tools: Tools) -> int:
    """Price a request a line and return how many were refused."""
    if source == "-":
        return _price_stream(typer.get_text_stream("stdin", encoding="utf-8", errors="strict"), tools)
    try:
        with Path(source).open(encoding="utf-8") as lines:
            return _price_stream(lines, tools)
    except OSError as error:
        raise RequestError(f"--batch: {source}: {error.strerror}") from error


def _price_stream(lines: TextIO, tools: Tools) -> int:
    pricer, parse = tools
    refused, waiting = 0, []
    for number, line in enumerate(lines, 1):
        if line.strip():
            waiting.append(_parsed(line, number, parse))
        if len(waiting) >= _CHUNK:
            refused += _answer(pricer, waiting)
            waiting = []
    return refused + _answer(pricer, waiting)


def _parsed(line: str, number: int, parse: Any) -> PriceRequest | dict[str, Any]:
    """Return a line's request, or the answer that says what is wrong with it."""
    from auditstream.pricing.request import load_object

    document: dict[str, Any] = {}
    try:
        document = load_object(line, "line")
        request: PriceRequest = parse(document)
        return request
    except RequestError as error:
        name = {"id": document["id"]} if "id" in document else {}
        field = error.context.get("field")
        return {"status": "refused", **name, "line": number, "field": field, "error": error.message}


def _answer(pricer: CataloguePricer, waiting: list[PriceRequest | dict[str, Any]]) -> int:
    """Write the answers in the order of the lines and return how many were refused."""
    import json
    import sys

    from auditstream.core.values import as_json
    from auditstream.pricing.quotes import quotes

    requests = [each for each in waiting if not isinstance(each, dict)]
    answers = iter(quotes(pricer, requests) if requests else ())
    for each in waiting:
        answer = each if isinstance(each, dict) else next(answers)
        sys.stdout.write(json.dumps(as_json(answer), ensure_ascii=False) + "\n")
    sys.stdout.flush()
    return len(waiting) - len(requests)


def _tools(context: Context, revision: int | None, *, catalogue: bool) -> Tools:
    """Return the pricer, and what turns a JSON object into a request."""
    from datetime import UTC, datetime
    from functools import partial

    from auditstream.cli.price_books import book_in_use
    from auditstream.core.clock import SystemClock
    from auditstream.pricing.catalogue import bundled_catalogue
    from auditstream.pricing.pricer import CataloguePricer
    from auditstream.pricing.request import parse

    in_use = book_in_use(context, revision=revision, catalogue=catalogue)
    now = datetime.fromtimestamp(SystemClock().now_s(), UTC)
    checked = partial(parse, catalogue=bundled_catalogue(), now=now, book=in_use.book, tenants=in_use.tenants)
    return CataloguePricer(in_use.book), checked


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"response: {path} cannot be read: {error}", field="response") from error

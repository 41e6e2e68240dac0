"""Which statements each statement list may run, judged by their tokens before the engine sees them.

The rules do not follow the grammar, and so cannot be led astray by it: a name that reads files or the network
is refused wherever it stands, quoted or not (`arrayMap(file, ...)` and `* APPLY file` call it without
parentheses), and a table of the database `system` unless it is known to be harmless. What is refused in vain
can be renamed; what slips through meets the engine's grants (`clickhouse_grants`) and read-only mode.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from auditstream.embedded.clickhouse_credentials import SEALER_TABLES, WRITERS, Credential
from auditstream.embedded.clickhouse_errors import ErrorNumber, QueryError, refusal
from auditstream.embedded.clickhouse_lexer import Kind, Token
from auditstream.embedded.clickhouse_statements import Insert, Statement, insert_target

_READER_VERBS = frozenset({"SELECT", "WITH", "FROM", "SHOW", "DESCRIBE", "DESC", "EXISTS", "EXPLAIN"})
_SHOWN = frozenset(
    {"COLUMNS", "DATABASES", "FIELDS", "FULL", "FUNCTIONS", "INDEX", "INDEXES", "INDICES", "KEYS", "TABLES"}
)
_SHOWN_CREATE = frozenset({"DATABASE", "TABLE", "VIEW"})

# Functions that read files, ask services, show the machine or only waste time. Lower case: some of them are
# known to the engine in any case.
_REFUSED_FUNCTIONS = frozenset(
    {"addresstoline", "addresstolinewithinlines", "addresstosymbol", "catboostevaluate", "demangle", "file"}
    | {"filesystemavailable", "filesystemcapacity", "filesystemunreserved", "fullhostname", "getmacro"}
    | {"getclienthttpheader", "getmergetreesetting", "getserverport", "getserversetting", "serveruuid"}
    | {"showcertificate", "sleep", "sleepeachrow", "trap"}
    | {f"ai{task}" for task in ("classify", "embed", "extract", "filter", "generate", "redact")}
    | {f"ai{task}" for task in ("similarity", "translate")}
)
# Table functions that only compute. All others are refused, those of coming versions included.
_ALLOWED_TABLE_FUNCTIONS = frozenset(
    {"format", "generate_series", "generateseries", "null", "numbers", "numbers_mt", "primes"}
    | {"sqlstandardvalues", "values", "view", "zeros", "zeros_mt"}
)
# Tables of the database `system` that describe the store and nobody's data, queries or secrets.
_ALLOWED_SYSTEM_TABLES = frozenset(
    {"aggregate_function_combinators", "build_options", "collations", "columns", "contributors"}
    | {"data_skipping_indices", "data_type_families", "databases", "formats", "functions", "keywords"}
    | {"licenses", "numbers", "numbers_mt", "one", "parts", "parts_columns", "projections", "settings"}
    | {"table_engines", "tables", "time_zones", "zeros", "zeros_mt"}
)
# What a reader may set; the engine refuses every other change while read-only.
_READER_SETTINGS = frozenset(
    {"additional_result_filter", "additional_table_filters", "cancel_http_readonly_queries_on_client_close"}
    | {"cast_string_to_dynamic_use_inference", "date_time_input_format", "date_time_output_format"}
    | {"enable_http_compression", "extremes", "http_headers_progress_interval_ms", "join_use_nulls", "limit"}
    | {"http_zlib_compression_level", "log_comment", "max_block_size", "max_execution_time"}
    | {"max_result_bytes", "max_result_rows", "max_threads", "offset", "readonly"}
    | {"send_progress_in_http_headers", "session_timezone", "use_query_cache"}
)
_READER_SETTING_PREFIXES = ("output_format_", "format_csv_", "format_tsv_")
# Settings that change how a statement is parsed would make every judgement by tokens void.
_PARSER_SETTINGS = ("dialect", "implicit_", "promql_")


@dataclass(frozen=True, slots=True)
class Limits:
    """Upper bounds of one statement of a reader; a reader may set less, not more and not "unlimited"."""

    max_execution_time: int = 60
    max_result_rows: int = 1_000_000
    max_result_bytes: int = 1 << 30


def check_statement(
    statement: Statement, credential: Credential, databases: Sequence[str], table_functions: Collection[str]
) -> None:
    """Refuse a statement that is not on the credential's list.

    Args:
        statement: What is to be run.
        credential: Who asks.
        databases: The front's databases; a table without a database is of the first.
        table_functions: Lower-case names of all table functions of the engine.

    Raises:
        QueryError: 358 or 78 for clauses that name files of the server, 48 for `input()`, whoever asks;
            else 497.
    """
    _check_rows(statement)
    if credential.statements == "owner":
        return
    if statement.verb == "INSERT" and credential.statements in WRITERS:
        tables = SEALER_TABLES if credential.statements == "sealer" else credential.tables
        _check_target(statement, tables, databases)
    elif statement.verb == "SHOW":
        _check_show(statement.tokens)
    elif statement.verb not in _READER_VERBS:
        raise _denied(f"{statement.verb or 'this statement'} is not on the list of a {credential.statements}")
    _check_names(statement.tokens, table_functions)


def check_database(name: str, credential: Credential) -> None:
    """Refuse to make `system` the current database, where its tables would need no qualifying.

    Raises:
        QueryError: 497.
    """
    if credential.statements != "owner" and name.lower() == "system":
        raise _denied("database system cannot be the current one")


def allowed_settings(settings: Mapping[str, str], credential: Credential, limits: Limits) -> dict[str, str]:
    """Return the settings that a statement of this credential runs under.

    Raises:
        QueryError: 164, a setting that the credential may not change.
    """
    if credential.statements == "owner":
        return dict(settings)
    for name in settings:
        refused = name.startswith(_PARSER_SETTINGS) or "dialect" in name
        if credential.statements == "reader":
            refused = name not in _READER_SETTINGS and not name.startswith(_READER_SETTING_PREFIXES)
        if refused:
            raise refusal(ErrorNumber.READONLY, f"Cannot modify '{name}' setting in readonly mode.")
    if credential.statements in WRITERS:
        return dict(settings)
    bounds = {name: str(_bounded(settings.get(name), getattr(limits, name))) for name in Limits.__slots__}
    return {**settings, **bounds, "result_overflow_mode": "throw", "timeout_overflow_mode": "throw"}


def _bounded(wanted: str | None, bound: int) -> str:
    """The smaller of what is wanted and allowed; 0 and what is no number mean unlimited."""
    try:
        value = float(wanted or 0)
    except ValueError:
        value = 0.0
    return (wanted or "") if 0 < value < bound else str(bound)


def _check_rows(statement: Statement) -> None:
    """Over HTTP rows come and go in bodies: files of the server are named by no client.

    Rows for `input()` would be taken for part of the statement; the engine drops them without an error.
    """
    for token, following in pairwise(statement.tokens):
        if statement.verb == "INSERT" and token.is_name and token.name == "input" and following.is_mark("("):
            raise refusal(ErrorNumber.NOT_IMPLEMENTED, "INSERT from input() is not supported by this server.")
        if token.is_word("INTO") and following.is_word("OUTFILE"):
            raise refusal(ErrorNumber.INTO_OUTFILE_NOT_ALLOWED, "INTO OUTFILE is not allowed over HTTP.")
        if token.is_word("FROM") and following.is_word("INFILE"):
            raise refusal(ErrorNumber.UNKNOWN_TYPE_OF_QUERY, "FROM INFILE is not allowed over HTTP.")


def _check_target(statement: Statement, tables: Sequence[str], databases: Sequence[str]) -> None:
    target = statement.table if isinstance(statement, Insert) else insert_target(statement.tokens)
    name = ".".join(target if len(target) != 1 else (databases[0], *target))
    full = {table if "." in table else f"{databases[0]}.{table}" for table in tables}
    known = name in full if full else name.split(".")[0] in databases
    if len(target) not in (1, 2) or not known:
        raise _denied(f"this user may not insert into {name or 'a table function'}")


def _check_show(found: Sequence[Token]) -> None:
    word = found[1].text.decode("ascii", "replace").upper() if len(found) > 1 else ""
    if word == "CREATE" and len(found) > 2 and found[2].is_word(*_SHOWN_CREATE):
        return
    if word not in _SHOWN:
        raise _denied(f"SHOW {word} is not on the list")


def _check_names(found: Sequence[Token], table_functions: Collection[str]) -> None:
    after: Sequence[Token | None] = [*found[1:], None]
    for token, following in zip(found, after, strict=True):
        if token.is_word("OUTFILE", "INFILE"):
            raise _denied("files of the server cannot be named")
        if token.is_word("FROM", "JOIN") and following and following.kind is Kind.STRING:
            raise _denied("a string after FROM names a file")
        if token.is_name:
            _check_name(token, following, table_functions)
    for token, second, third in zip(found, found[1:], found[2:], strict=False):
        if token.is_mark(":") and second.is_word("IDENTIFIER") and third.is_mark("}"):
            raise _denied("names cannot be given as parameters")
        if second.is_mark(".") and token.is_name and token.name.lower() == "system":
            _check_system_table(third)


def _check_name(token: Token, following: Token | None, table_functions: Collection[str]) -> None:
    name = token.name.lower()
    if token.kind is Kind.QUOTED and "\\" in token.text.decode("utf-8", "replace"):
        raise _denied(f"escapes in quoted names are not read here: {name[:40]}")
    if name in _REFUSED_FUNCTIONS:
        raise _denied(f"{name} is refused in every position; quote it as '{name}' where it is meant as text")
    called = following is not None and following.is_mark("(")
    if called and name in table_functions and name not in _ALLOWED_TABLE_FUNCTIONS:
        raise _denied(f"table function {name} reaches outside the tables")


def _check_system_table(token: Token) -> None:
    if not token.is_name or token.name.lower() not in _ALLOWED_SYSTEM_TABLES:
        raise _denied(f"table system.{token.name} is not on the list")


def _denied(reason: str) -> QueryError:
    return refusal(ErrorNumber.ACCESS_DENIED, f"Not enough privileges: {reason}.")

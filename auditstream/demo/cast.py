"""Who acts in the demonstration: tenants with their projects, credentials, agents, tools and models.

Every id of the generated day is defined here and nowhere else; `demo.facts` states them as reference data.
Tenants and most of what they own are those of `examples/reference`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Door = Literal["sdk", "ndjson", "cloudevents", "otlp"]
"""How a service tells of what it does."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model that is called.

    Attributes:
        provider: Provider, in OpenTelemetry's spelling.
        name: Name in requests and answers.
        us_per_token: Time to write a token, in microseconds.
        reasons: Whether part of its output is reasoning.
        caches: Whether the provider reports cached input.
        has_price: Whether a public price is known.
    """

    provider: str
    name: str
    us_per_token: int
    reasons: bool = False
    caches: bool = True
    has_price: bool = True


GPT_4O = Model("openai", "gpt-4o", 12_000)
GPT_4O_MINI = Model("openai", "gpt-4o-mini", 9_000)
GPT_4_1 = Model("openai", "gpt-4.1", 13_000)
O4_MINI = Model("openai", "o4-mini", 8_000, reasons=True)
SONNET = Model("anthropic", "claude-sonnet-4-5", 15_000)
HAIKU = Model("anthropic", "claude-haiku-4-5", 7_000)
GEMINI_FLASH = Model("gcp.gemini", "gemini-2.5-flash", 5_000, reasons=True)
MISTRAL_LARGE = Model("mistral_ai", "mistral-large-latest", 14_000, caches=False)
IN_HOUSE = Model("in_house", "triage-7b", 20_000, caches=False, has_price=False)
EMBEDDING = Model("openai", "text-embedding-3-small", 0, caches=False)
OPUS = Model("anthropic", "claude-opus-4-1", 30_000)
"""Nobody's model: thieves ask for it."""
OLD_HAIKU = Model("anthropic", "claude-3-haiku", 7_000)
"""Nobody's model either: it answers in place of another."""

MODELS = (
    GPT_4O,
    GPT_4O_MINI,
    GPT_4_1,
    O4_MINI,
    SONNET,
    HAIKU,
    GEMINI_FLASH,
    MISTRAL_LARGE,
    IN_HOUSE,
    EMBEDDING,
)


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that agents call.

    Attributes:
        name: Its name.
        side_effect: What a call may change, as `ai.tool_call` says it.
        mcp_server: Address of its MCP server; empty for a function.
    """

    name: str
    side_effect: str
    mcp_server: str = ""


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent.

    Attributes:
        id: Id, one in the whole deployment.
        name: Name.
        version: Version.
        framework: What it is built with.
        tools: What it may call.
    """

    id: str
    name: str
    version: str
    framework: str
    tools: tuple[Tool, ...]


@dataclass(frozen=True, slots=True)
class Project:
    """A project of a tenant, with the credential that its traffic uses.

    Attributes:
        id: Id within the tenant.
        team: Team that owns it.
        cost_center: Cost centre that pays.
        feature: Product feature that the traffic is for.
        credential: Credential that the traffic uses.
        prompt: Name of its managed prompt.
        models: Models with their shares of the calls; the first is the preferred one.
        fallback: Model that takes over when the preferred one fails.
        agent: Agent that works for it; None for a chat without one.
        weight: Share of the tenant's traffic.
        looks_up: Share of chat turns that search a vector store first.
        environment: Where it runs.
        names_tenant: Whether its events name their tenant; else the credential says whose they are.
        door: How its service sends its events; `otlp` sends what is no span as CloudEvents.
    """

    id: str
    team: str
    cost_center: str
    feature: str
    credential: str
    prompt: str
    models: tuple[tuple[Model, float], ...]
    fallback: Model
    agent: Agent | None = None
    weight: float = 1.0
    looks_up: float = 0.0
    environment: str = "production"
    names_tenant: bool = True
    door: Door = "sdk"


@dataclass(frozen=True, slots=True)
class Company:
    """A tenant.

    Attributes:
        tenant: Tenant id.
        name: Name for people.
        weight: Share of all traffic.
        countries: Where its people are.
        projects: What it builds.
    """

    tenant: str
    name: str
    weight: float
    countries: tuple[str, ...]
    projects: tuple[Project, ...]


_ORDERS = Tool("order_lookup", "READ", "mcp://orders.tools.internal")
_REFUND = Tool("refund_request", "WRITE", "mcp://payments.tools.internal")
_TICKET = Tool("open_ticket", "WRITE")
_RECORD = Tool("read_referral", "READ", "mcp://records.tools.internal")
_BOOK = Tool("book_appointment", "WRITE", "mcp://calendar.tools.internal")
_LETTER = Tool("send_letter", "EXTERNAL")
_DIFF = Tool("read_diff", "READ", "mcp://git.tools.internal")
_COMMENT = Tool("post_comment", "WRITE", "mcp://git.tools.internal")
_MERGE = Tool("merge_change", "DESTRUCTIVE", "mcp://git.tools.internal")

COMPANIES = (
    Company(
        "acme",
        "Acme Retail",
        0.52,
        ("DE", "FR", "NL"),
        (
            Project(
                "catalogue-search",
                "discovery",
                "CC-1002",
                "product-advice",
                "acme-search-service",
                "product-advice",
                ((GPT_4O_MINI, 0.8), (GPT_4O, 0.2)),
                HAIKU,
                weight=0.6,
                looks_up=0.6,
            ),
            Project(
                "support-assistant",
                "support",
                "CC-1001",
                "order-changes",
                "acme-support-gateway",
                "order-desk",
                ((SONNET, 0.7), (HAIKU, 0.3)),
                GPT_4_1,
                Agent(
                    "acme-support-agent", "Support agent", "3.2.0", "langgraph", (_ORDERS, _REFUND, _TICKET)
                ),
                weight=0.4,
            ),
        ),
    ),
    Company(
        "globex",
        "Globex Health",
        0.31,
        ("GB", "IE"),
        (
            Project(
                "letters",
                "patient-contact",
                "GX-41",
                "letter-drafts",
                "globex-letters-service",
                "letter-draft",
                ((MISTRAL_LARGE, 0.75), (GPT_4_1, 0.25)),
                GPT_4O_MINI,
                weight=0.55,
                looks_up=0.3,
                door="ndjson",
            ),
            Project(
                "triage",
                "clinical-ai",
                "GX-40",
                "referral-triage",
                "globex-triage-2026",
                "triage",
                ((IN_HOUSE, 0.7), (GEMINI_FLASH, 0.3)),
                GPT_4O,
                Agent("globex-triage-agent", "Triage agent", "0.7.1", "crewai", (_RECORD, _BOOK, _LETTER)),
                weight=0.45,
            ),
        ),
    ),
    Company(
        "initech",
        "Initech Software",
        0.17,
        ("US",),
        (
            Project(
                "helpdesk",
                "it",
                "IN-3",
                "employee-help",
                "initech-helpdesk-gateway",
                "helpdesk",
                ((GEMINI_FLASH, 0.6), (GPT_4O_MINI, 0.4)),
                MISTRAL_LARGE,
                weight=0.5,
                looks_up=0.7,
                door="otlp",
            ),
            Project(
                "code-review",
                "platform",
                "IN-7",
                "change-review",
                "initech-ci",
                "code-review",
                ((O4_MINI, 1.0),),
                GPT_4O,
                Agent("initech-reviewer", "Reviewer", "1.9.4", "openai-agents", (_DIFF, _COMMENT, _MERGE)),
                weight=0.5,
                environment="ci",
                names_tenant=False,
                door="cloudevents",
            ),
        ),
    ),
)

TENANT_OF = {project.credential: company.tenant for company in COMPANIES for project in company.projects}
"""Tenants by their credentials."""


def source_of(company: Company, project: Project) -> str:
    """Return the `source` of a project's service."""
    return f"urn:demo:{company.tenant}:{project.id}"


# The prompt that gets another version in the middle of the day, and the experiment that runs on it.
CHANGED_PROMPT = "product-advice"
PROMPT_VERSIONS = ("7", "8")
EXPERIMENT_PROJECT = "catalogue-search"
EXPERIMENT = "shorter-answers"
VARIANTS = ("control", "treatment")

SLOW_BUDGET = "initech-helpdesk-month"
"""The budget that burns slowly, day and night."""

# Traffic that nobody registered: no tenant, and a credential that is in no reference data.
SHADOW_CREDENTIAL = "cred-unknown-7731"
SHADOW_SOURCE = "urn:demo:laptop"

PLATFORM_SOURCE = "urn:demo:platform"
"""Whom the bills that all companies share come from; it has no key."""

SOURCES = (
    SHADOW_SOURCE,
    PLATFORM_SOURCE,
    *(source_of(company, project) for company in COMPANIES for project in company.projects),
)
"""Every source of the day."""

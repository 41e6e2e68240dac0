"""Names that are not of GenAI: the service, its users, its network, and ours."""

from __future__ import annotations

from auditstream.gateway.otlp.conversions import country, error_class, hexadecimal, status, text, texts
from auditstream.gateway.otlp.entries import Content, Dialect, Ignored, Kept, Mapped, Role

_PERSON = "names a person; `user.id` stands for them"
_CREDENTIAL = "can hold a credential"
_MACHINE = "tells of the process, not of the action"

GENERAL = Dialect(
    name="general",
    title="General conventions, and resources",
    source="https://github.com/open-telemetry/semantic-conventions",
    about="Read from the span or record, and from its resource where it has none.",
    entries=(
        Content("content.input", Role.INPUT, note="ours, as in every format"),
        Content("content.output", Role.OUTPUT),
        Content("content.system", Role.SYSTEM),
        Content("content.tools", Role.TOOLS),
        Content("content.arguments", Role.ARGUMENTS),
        Content("content.result", Role.RESULT),
        Content("content.*", Role.INPUT),
        Mapped("service.name", ("source",), text),
        Mapped("service.instance.id", ("source_instance",), text),
        Mapped("deployment.environment.name", ("environment",), text, since="1.27"),
        Mapped("deployment.environment", ("environment",), text, until="1.26"),
        Mapped(
            "user.id",
            ("actor_id",),
            text,
            note="a pseudonym takes its place unless the tenant chose clear ids",
        ),
        Mapped("enduser.id", ("actor_id",), text),
        Mapped("enduser.pseudo.id", ("actor_id",), text),
        Mapped("user.hash", ("actor_hash",), hexadecimal),
        Mapped("user.roles", ("actor_roles",), texts),
        Mapped("enduser.role", ("actor_roles",), texts),
        Ignored("user.name", _PERSON),
        Ignored("user.full_name", _PERSON),
        Ignored("user.email", _PERSON),
        Mapped("session.id", ("session_id",), text),
        Mapped("client.address", ("src_ip",), text, note="in the form that the tenant chose"),
        Mapped("geo.country.iso_code", ("src_country",), country),
        Mapped("user_agent.original", ("user_agent",), text),
        Mapped("server.address", ("inference.server_host", "tool.mcp_server"), text),
        Mapped(
            "cloud.region", ("inference.region",), text, note="of the span; a resource's is the caller's own"
        ),
        Mapped("error.type", ("error_type",), error_class),
        Mapped("http.response.status_code", ("http_status",), status),
        Mapped("http.status_code", ("http_status",), status, until="1.22"),
        Ignored("exception.message", "can quote what was said"),
        Ignored("exception.stacktrace", "can quote what was said"),
        Ignored("http.request.header.*", _CREDENTIAL),
        Ignored("http.response.header.*", _CREDENTIAL),
        Ignored("url.full", _CREDENTIAL),
        Ignored("url.query", _CREDENTIAL),
        Ignored("http.url", _CREDENTIAL),
        Ignored("process.*", _MACHINE),
        Ignored("os.*", _MACHINE),
        Ignored("telemetry.*", _MACHINE),
        Ignored("thread.*", _MACHINE),
        Ignored("code.*", _MACHINE),
        Mapped(
            "auditstream.tenant_id", ("tenant_id",), text, note="a claim: refused when it is not the key's"
        ),
        Mapped("auditstream.project_id", ("project_id",), text),
        Mapped("auditstream.team_id", ("team_id",), text),
        Mapped("auditstream.feature_id", ("feature_id",), text),
        Mapped("auditstream.cost_center", ("cost_center",), text),
        Mapped(
            "auditstream.subject_event_id", ("evaluation.subject_event_id", "policy.subject_event_id"), text
        ),
        Kept("service.namespace"),
        Kept("service.version"),
        Kept("server.port"),
    ),
)

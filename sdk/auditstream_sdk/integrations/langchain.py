"""LangChain: a callback handler that records models, tools, retrievers and the runs around them.

    chain.invoke(question, config={"callbacks": [LangChainAudit(audit)]})

Every run of LangChain has an id and that of the run that started it; these become span ids, so an agent's
run is a tree. The root's id is the trace id, unless an OpenTelemetry span is active where the root starts:
then the root belongs to that trace.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

from auditstream_sdk.context import active_span
from auditstream_sdk.integrations.addresses import host_of
from auditstream_sdk.integrations.contents import keyed, measured, text_bytes
from auditstream_sdk.integrations.faults import FAULTS
from auditstream_sdk.integrations.observation import Observation
from auditstream_sdk.integrations.packages import missing
from auditstream_sdk.integrations.requests import stated
from auditstream_sdk.usage import ResponseFacts, fill, read_response
from auditstream_sdk.usage.facts import PROVIDER
from auditstream_sdk.usage.members import member

try:
    from langchain_core.callbacks import BaseCallbackHandler
except ImportError as error:
    raise ImportError(missing("langchain_core", "langchain")) from error

if TYPE_CHECKING:
    from auditstream_sdk import AuditClient

_PROVIDERS = {
    "amazon_bedrock": "aws.bedrock",
    "azure": "azure.ai.openai",
    "google_genai": "gcp.gemini",
    "google_vertexai": "gcp.vertex_ai",
    "mistralai": "mistral_ai",
    "mistral": "mistral_ai",
    "xai": "x_ai",
}
"""LangChain's names of providers (`ls_provider`) that have another name in OpenTelemetry's conventions."""

_MOST_RUNS = 100_000
"""Runs under way that are remembered: what never ends is forgotten, not kept for ever."""


@dataclass
class _Run:
    """A run under way.

    Attributes:
        trace_id: Trace that it belongs to.
        span_id: Its own span, or the nearest recorded one around it when it is not recorded.
        depth: How many recorded runs are around it.
        observation: Its recording; None for one that is not recorded.
        steps: How many steps it has started.
    """

    trace_id: str
    span_id: str
    depth: int
    observation: Observation | None = None
    steps: int = field(default=0)


class LangChainAudit(BaseCallbackHandler):  # type: ignore[misc]  # mypy skips the package: it is large
    """Records runs of LangChain and LangGraph, awaited or not.

    Chat models and LLMs become `ai.inference`, tools `ai.tool_call`, retrievers `ai.retrieval`. Of the
    chains, which also wrap every prompt and parser, the outermost and the nodes of a graph become
    `ai.agent.action`.

    Args:
        audit: Where to record.
        content_key: Key for the HMAC of content; without one content leaves its size only.
        all_chains: Record every chain.
    """

    def __init__(
        self, audit: AuditClient, *, content_key: bytes | None = None, all_chains: bool = False
    ) -> None:
        if hasattr(audit, "__aenter__"):
            raise TypeError("audit: LangChain also calls back where nobody awaits; use AuditClient")
        super().__init__()
        self._audit = audit
        self._key = content_key
        self._all_chains = all_chains
        self._runs: dict[UUID, _Run] = {}
        self._lock = threading.Lock()

    def on_chat_model_start(
        self,
        serialized: Mapping[str, Any] | None,
        messages: Sequence[Sequence[Any]],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,
    ) -> None:
        """Begin a call of a chat model."""
        contents = [member(message, "content") for batch in messages for message in batch]
        self._model(contents, "chat", run_id, parent_run_id, kwargs)

    def on_llm_start(
        self,
        serialized: Mapping[str, Any] | None,
        prompts: Sequence[str],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,
    ) -> None:
        """Begin a call of a completion model."""
        self._model(list(prompts), "text_completion", run_id, parent_run_id, kwargs)

    def on_llm_new_token(self, token: str, *, run_id: UUID, **kwargs: Any) -> None:
        """Note when the first piece of a stream came."""
        with FAULTS:
            run = self._runs.get(run_id)
            if run is not None and run.observation is not None:
                run.observation.first_piece()
                run.observation.recording.family["stream"] = True

    def on_llm_end(self, response: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """Record a call of a model, with what the provider counted."""
        observation = self._left(run_id)
        if observation is not None:
            with FAULTS:
                provider = str(observation.recording.family.get("provider"))
                fill(observation.recording, _facts(response, provider))
            observation.end()

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Record a call of a model that failed."""
        self._failed(run_id, error)

    def on_tool_start(
        self,
        serialized: Mapping[str, Any] | None,
        input_str: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        inputs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Begin a tool call."""
        with FAULTS:
            if self._audit.is_recording:
                arguments = inputs if inputs is not None else input_str
                recording = self._audit.tool_call(name=_name(serialized, kwargs, "tool"), type="function")
                if kwargs.get("tool_call_id"):
                    recording.family["call_id"] = str(kwargs["tool_call_id"])
                if self._key is not None:
                    recording.family["args_hmac"] = keyed("arguments", arguments, self._key)
                recording.set(content_bytes=text_bytes(arguments))
                self._enter(run_id, parent_run_id, recording)

    def on_tool_end(self, output: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """Record a tool call with the size of its result."""
        observation = self._left(run_id)
        if observation is not None:
            with FAULTS:
                content = member(output, "content")
                call_id = member(output, "tool_call_id")
                family = observation.recording.family
                family["result_bytes"] = text_bytes(output if content is None else content)
                if isinstance(call_id, str) and call_id:
                    family["call_id"] = call_id
                if member(output, "status") == "error":
                    observation.recording.fail("tool_error")
            observation.end()

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Record a tool call that failed."""
        self._failed(run_id, error)

    def on_retriever_start(
        self,
        serialized: Mapping[str, Any] | None,
        query: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Begin a query."""
        with FAULTS:
            if self._audit.is_recording:
                known = metadata or {}
                source = known.get("ls_retriever_name") or _name(serialized, kwargs, "retriever")
                recording = self._audit.retrieval(data_source_id=str(source))
                store = known.get("ls_vector_store_provider")
                if store:
                    recording.family["store_id"] = str(store)
                recording.set(**measured(query, self._key))
                self._enter(run_id, parent_run_id, recording)

    def on_retriever_end(self, documents: Sequence[Any], *, run_id: UUID, **kwargs: Any) -> None:
        """Record a query with the number of its hits."""
        observation = self._left(run_id)
        if observation is not None:
            with FAULTS:
                observation.recording.family["hits"] = len(documents)
            observation.end()

    def on_retriever_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Record a query that failed."""
        self._failed(run_id, error)

    def on_chain_start(
        self,
        serialized: Mapping[str, Any] | None,
        inputs: Any,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Begin a chain: a step of an agent, or a run that only its children are recorded of."""
        with FAULTS:
            if not self._audit.is_recording:
                return
            name = _name(serialized, kwargs, "chain")
            is_node = bool(metadata) and name == (metadata or {}).get("langgraph_node")
            if parent_run_id is None or is_node or self._all_chains:
                recording = self._audit.agent_action(agent_name=name, agent_framework="langchain")
                recording.set(content_bytes=text_bytes(inputs))
                run = self._enter(run_id, parent_run_id, recording)
                recording.family["depth"] = run.depth
            else:
                self._pass(run_id, parent_run_id)

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """Record a chain."""
        observation = self._left(run_id)
        if observation is not None:
            observation.end()

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Record a chain that failed."""
        self._failed(run_id, error)

    def _model(
        self,
        contents: list[Any],
        operation: str,
        run_id: UUID,
        parent: UUID | None,
        kwargs: Mapping[str, Any],
    ) -> None:
        with FAULTS:
            if self._audit.is_recording:
                recording = self._audit.inference(operation=operation, **_asked(kwargs))
                recording.set(**measured(contents, self._key))
                self._enter(run_id, parent, recording)

    def _enter(self, run_id: UUID, parent: UUID | None, recording: Any) -> _Run:
        """Begin the recording of a run, in its place in the tree."""
        around, span_id = self._around(parent), run_id.hex[16:]
        if around is None:
            active = active_span()
            run = _Run(active[0] if active else run_id.hex, span_id, 0)
            parent_span = active[1] if active else None
        else:
            with self._lock:
                around.steps += 1
                step = around.steps - 1
            run = _Run(around.trace_id, span_id, around.depth + 1)
            parent_span = around.span_id
            if recording.kind.family == "agent_step":
                recording.family["index"] = step
        run.observation = Observation(recording, str(recording.family.get("provider", "")))
        recording.__enter__()
        recording.set(trace_id=run.trace_id, span_id=span_id)
        if parent_span:
            recording.set(parent_span_id=parent_span)
        self._keep(run_id, run)
        return run

    def _pass(self, run_id: UUID, parent: UUID) -> None:
        """Remember a run that is not recorded, so that its children find who is around them."""
        around = self._around(parent)
        if around is not None:
            self._keep(run_id, around)

    def _around(self, parent: UUID | None) -> _Run | None:
        return self._runs.get(parent) if parent is not None else None

    def _keep(self, run_id: UUID, run: _Run) -> None:
        with self._lock:
            self._runs[run_id] = run
            while len(self._runs) > _MOST_RUNS:
                del self._runs[next(iter(self._runs))]

    def _left(self, run_id: UUID) -> Observation | None:
        """Forget a run; return its recording if it has one of its own."""
        with self._lock:
            run = self._runs.pop(run_id, None)
        return run.observation if run is not None and run.span_id == run_id.hex[16:] else None

    def _failed(self, run_id: UUID, error: BaseException) -> None:
        observation = self._left(run_id)
        if observation is not None:
            observation.end(error, exhausted=False)


def _name(serialized: Mapping[str, Any] | None, kwargs: Mapping[str, Any], otherwise: str) -> str:
    """Return the name of a run: as it was called, else as its class is."""
    ids = (serialized or {}).get("id")
    last = ids[-1] if isinstance(ids, list) and ids else None
    return str(kwargs.get("name") or (serialized or {}).get("name") or last or otherwise)


def _asked(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was asked for, from LangChain's tracing metadata and from the parameters of the call."""
    metadata, given = kwargs.get("metadata") or {}, kwargs.get("invocation_params") or {}
    provider = str(metadata.get("ls_provider") or given.get("_type") or "langchain")
    asked = {
        "request_model": metadata.get("ls_model_name") or given.get("model") or given.get("model_name"),
        "max_tokens": metadata.get("ls_max_tokens") or given.get("max_tokens"),
        "temperature": metadata.get("ls_temperature"),
        "top_p": given.get("top_p"),
        "seed": given.get("seed"),
        "server_host": host_of(given.get("base_url")) if given.get("base_url") else None,
        "stream": bool(given.get("stream")),
    }
    return {**stated(asked), "provider": _PROVIDERS.get(provider, provider)}


def _facts(response: Any, provider: str) -> ResponseFacts:
    """Return what the provider said, as it said it where LangChain kept that, else in LangChain's form."""
    generations = member(response, "generations") or [[]]
    message = member(generations[0][0], "message") if generations[0] else None
    said = member(message, "response_metadata") or member(response, "llm_output") or {}
    counted = {**said, "usage": said.get("token_usage") or said.get("usage"), "model": _model_name(said)}
    if said.get("finish_reason"):
        counted["choices"] = [{"finish_reason": said["finish_reason"]}]
    facts = read_response(counted, provider=provider)
    if facts.usage.source != PROVIDER and message is not None:
        facts = read_response(message, provider=provider, dialect="langchain.usage_metadata")
    own = (facts.response_id or "").startswith(_OWN_IDS)
    return replace(facts, response_id=None) if own else facts


_OWN_IDS = ("run-", "lc_run-")
"""How the ids begin that LangChain gives a message when the provider's is not known."""


def _model_name(said: Mapping[str, Any]) -> Any:
    return said.get("model_name") or said.get("model")

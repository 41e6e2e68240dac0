"""Calls of models: answers, failures with retries, rate limits and fallbacks."""

from __future__ import annotations

from typing import Any

from auditstream.demo.cast import CHANGED_PROMPT, EMBEDDING, PROMPT_VERSIONS, Model
from auditstream.demo.drafts import Draft, Pen, Turn

_TROUBLED = 0.03  # share of first attempts
_TROUBLED_AGAIN = 0.3  # trouble lasts
_RATE_LIMITED = 0.4  # share of the trouble
_ATTEMPTS = 2  # on the preferred model, before another one takes over
_ERRORS = (("timeout", 504), ("overloaded", 529), ("server_error", 500))
_CACHE_BLOCK = 128  # providers report cached input in whole blocks


class ModelCalls:
    """Writes the calls of one day.

    Args:
        pen: Writes the drafts.
        prompt_changes_us: When the changed prompt gets its new version.
    """

    def __init__(self, pen: Pen, prompt_changes_us: int) -> None:
        self._pen = pen
        self._prompt_changes_us = prompt_changes_us

    def answer(self, turn: Turn) -> Draft | None:
        """Write a call with all of its attempts; return the one that answered, None when none did."""
        project = turn.conversation.project
        model = self._model(turn)
        share = _TROUBLED
        for attempt in range(_ATTEMPTS):
            if not self._pen.chance(share):
                return self._answered(turn, model)
            if self._pen.chance(_RATE_LIMITED):
                self._rate_limited(turn, model)
            else:
                self._failed(turn, model)
            share = _TROUBLED_AGAIN
            if attempt + 1 < _ATTEMPTS:
                self._routed(turn, model, model, "retry", attempt + 1)
        self._routed(turn, model, project.fallback, "fallback", _ATTEMPTS)
        if self._pen.chance(_TROUBLED):
            self._failed(turn, project.fallback)
            return None
        return self._answered(turn, project.fallback)

    def embed(self, turn: Turn) -> None:
        """Write the embedding of a question."""
        pen = self._pen
        tokens = max(1, pen.around(24))
        inference = {"operation": "embeddings", **_model_names(EMBEDDING)}
        usage = {"input_tokens": tokens, "source": "PROVIDER"}
        pen.write(
            turn,
            "ai.embedding",
            takes_us=pen.around(60_000),
            http_status=200,
            inference=inference,
            usage=usage,
        )

    def _model(self, turn: Turn) -> Model:
        models = [model for model, _ in turn.conversation.project.models]
        if turn.conversation.variant:
            return models[0]  # an experiment compares prompts, not models
        return self._pen.random.choices(models, [share for _, share in turn.conversation.project.models])[0]

    def _answered(self, turn: Turn, model: Model) -> Draft:
        pen = self._pen
        usage = self._usage(turn, model)
        first_us = pen.around(420_000) + usage["input_tokens"] * 40
        inference = self._inference(turn, model) | {
            "response_id": f"resp-{pen.hex(64)}",
            "response_model": model.name,
            "finish_reasons": ["length" if usage["output_tokens"] >= 1_000 else "stop"],
            "ttft_us": first_us,
        }
        takes_us = first_us + int(usage["output_tokens"] * model.us_per_token * pen.random.uniform(0.8, 1.3))
        return pen.write(
            turn, "ai.inference", takes_us=takes_us, http_status=200, inference=inference, usage=usage
        )

    def _usage(self, turn: Turn, model: Model) -> dict[str, Any]:
        pen = self._pen
        read, written = pen.tokens.draw()
        if turn.conversation.variant == "treatment":
            written = max(1, written * 7 // 10)
        usage: dict[str, Any] = {"input_tokens": read, "output_tokens": written, "source": "PROVIDER"}
        if model.caches and turn.conversation.turns > 1:
            cached = int(read * pen.random.uniform(0.2, 0.9)) // _CACHE_BLOCK * _CACHE_BLOCK
            usage["cache_read_tokens"] = cached
        if model.reasons:
            usage["reasoning_tokens"] = int(written * pen.random.uniform(0.2, 0.7))
        return usage

    def _failed(self, turn: Turn, model: Model) -> None:
        error, status = self._pen.random.choice(_ERRORS)
        self._pen.write(
            turn,
            "ai.inference",
            takes_us=self._pen.around(2_500_000),
            outcome="FAILURE",
            severity=3,
            error_type=error,
            http_status=status,
            inference=self._inference(turn, model),
        )

    def _rate_limited(self, turn: Turn, model: Model) -> None:
        wait_us = self._pen.around(800_000)
        limit = {
            "name": f"{model.provider}-tokens-per-minute",
            "scope": "credential",
            "limit_value": 400_000,
            "remaining": 0,
            "retry_after_us": wait_us,
        }
        self._pen.write(
            turn,
            "ai.rate_limit",
            outcome="BLOCKED",
            severity=2,
            error_type="rate_limit",
            http_status=429,
            limit=limit,
        )
        turn.now_us += wait_us

    def _routed(self, turn: Turn, old: Model, new: Model, reason: str, attempt: int) -> None:
        routing = {"from_model": old.name, "to_model": new.name, "reason": reason, "attempt": attempt}
        self._pen.write(turn, "ai.routing", takes_us=300, routing=routing)

    def _inference(self, turn: Turn, model: Model) -> dict[str, Any]:
        prompt = turn.conversation.project.prompt
        is_new = prompt == CHANGED_PROMPT and turn.now_us >= self._prompt_changes_us
        return {
            "operation": "chat",
            **_model_names(model),
            "stream": turn.conversation.project.agent is None,
            "temperature": 0.2,
            "prompt_name": prompt,
            "prompt_version": PROMPT_VERSIONS[is_new],
        }


def _model_names(model: Model) -> dict[str, Any]:
    return {"provider": model.provider, "request_model": model.name, "response_model": model.name}

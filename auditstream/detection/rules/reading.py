"""Sigma YAML as rules: pySigma reads the text, we say which of it can run here, and what is wrong with it.

A file holds one or more documents. Beside Sigma's own keys a rule has `x-atlas` and `x-owasp` (lists of ids)
and `x-scope` (the column that says what a finding is about); `name` is its slug. Sigma's tags cannot carry
those ids: their namespaces are a closed list.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import yaml
from sigma.correlations import (
    SigmaCorrelationCondition,
    SigmaCorrelationConditionOperator,
    SigmaCorrelationRule,
    SigmaCorrelationType,
)
from sigma.exceptions import SigmaError
from sigma.policy.profiles import TrustedPolicy
from sigma.rule import SigmaRule
from sigma.rule.base import SigmaYAMLLoader, check_alias_expansion

from auditstream.detection.rules.expressions import compiled
from auditstream.detection.rules.fault import Fault, RuleFaultError
from auditstream.detection.rules.fields import Field, LogSource, field_of, log_source
from auditstream.detection.rules.rule import SEVERITIES, About, Correlation, Kind, Rule, RuleSet

MOST_RULES = 500
"""Rules that can be on at a time: each is asked of every segment."""

MOST_BYTES = 256 * 1024
"""Size of a file of rules; larger ones are no rules."""

_NAME = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)+")
_KINDS: dict[SigmaCorrelationType, Kind] = {
    SigmaCorrelationType.EVENT_COUNT: "event_count",
    SigmaCorrelationType.VALUE_COUNT: "value_count",
    SigmaCorrelationType.VALUE_SUM: "value_sum",
    SigmaCorrelationType.TEMPORAL_ORDERED: "temporal_ordered",
}
_LONGEST_SPAN_S = 24 * 3_600
"""Longest span of a correlation: what it keeps of a key must fit into memory, and be read back at a start."""

_OWN_KEYS = frozenset({"x-atlas", "x-owasp", "x-scope"})


def read_rules(texts: Mapping[str, str]) -> tuple[RuleSet, list[Fault]]:
    """Return the rules of some files that can run, and what is wrong with the others.

    Args:
        texts: Contents by name of file.
    """
    found = _Reading()
    documents = [each for file, text in texts.items() for each in found.documents(file, text)]
    for document in sorted(documents, key=lambda each: "correlation" in each.content):
        found.take(document)
    return found.rule_set(), found.faults


@dataclass(frozen=True, slots=True)
class _Document:
    """One document of a file, named."""

    file: str
    name: str
    content: dict[str, Any]


class _Reading:
    """What was read so far."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self._rules: dict[str, Rule] = {}
        self._correlations: dict[str, Correlation] = {}
        self._silent: set[str] = set()

    def take(self, document: _Document) -> None:
        """Take a document; what a correlation names must have been taken before."""
        try:
            self._take(document)
        except RuleFaultError as fault:
            self.faults.append(Fault(document.file, document.name, fault.field, fault.reason, fault.hint))
        except (SigmaError, TypeError, ValueError, AttributeError) as error:
            # pySigma answers some broken documents with errors of Python's own.
            reason = " ".join(str(error).split()) or type(error).__name__
            self.faults.append(Fault(document.file, document.name, "rule", reason))

    def rule_set(self) -> RuleSet:
        """Return the rules; those that a correlation counts report nothing of their own."""
        rules = {name: replace(rule, reports=name not in self._silent) for name, rule in self._rules.items()}
        return RuleSet(rules, tuple(self._correlations.values()))

    def documents(self, file: str, text: str) -> Iterator[_Document]:
        """Yield the documents of a file that have a name."""
        if len(text) > MOST_BYTES:
            self.faults.append(Fault(file, "", "file", f"is larger than {MOST_BYTES // 1024} KiB"))
            return
        try:
            contents = list(yaml.load_all(text, SigmaYAMLLoader))
            check_alias_expansion(contents)
        except (yaml.YAMLError, SigmaError, RecursionError) as error:
            self.faults.append(Fault(file, "", "file", f"is not YAML: {' '.join(str(error).split())}"))
            return
        for content in contents:
            if not isinstance(content, dict):
                self.faults.append(Fault(file, "", "file", "holds a document that is no mapping"))
                continue
            name = content.get("name")
            if isinstance(name, str) and _NAME.fullmatch(name):
                yield _Document(file, name, content)
            else:
                reason = "is no slug of small letters, digits and _, with a dot, as tool.destructive_burst"
                self.faults.append(Fault(file, str(content.get("title", "")), "name", reason))

    def _take(self, document: _Document) -> None:
        if document.name in self._rules or document.name in self._correlations:
            raise RuleFaultError("name", "is another rule's too")
        if len(self._rules) + len(self._correlations) >= MOST_RULES:
            raise RuleFaultError("name", f"is one rule more than the {MOST_RULES} that can be on")
        if "correlation" in document.content:
            self._take_correlation(document)
        elif "filter" in document.content:
            raise RuleFaultError("filter", "is not supported", hint="Put it into the rule's condition.")
        else:
            self._rules[document.name] = _rule(document)

    def _take_correlation(self, document: _Document) -> None:
        parsed = SigmaCorrelationRule.from_dict(document.content, policy=TrustedPolicy)
        names = tuple(each.reference for each in parsed.rules or ())
        missing = [name for name in names if name not in self._rules]
        if missing or not names:
            raise RuleFaultError("correlation.rules", f"{', '.join(missing) or 'none'}: no such rule")
        self._correlations[document.name] = _correlation(document, parsed, [self._rules[n] for n in names])
        if not parsed.generate:
            self._silent |= set(names)


def _rule(document: _Document) -> Rule:
    parsed = SigmaRule.from_dict(document.content, policy=TrustedPolicy)
    named = parsed.logsource
    source = log_source(named.product, named.category, named.service)
    conditions = parsed.detection.parsed_condition
    if len(conditions) != 1:
        raise RuleFaultError("detection.condition", f"is needed once, not {len(conditions)} times")
    condition = conditions[0].parse()
    if condition is None:
        raise RuleFaultError("detection.condition", "says nothing")
    return Rule(_about(document, parsed, source), source, compiled(condition, source))


def _correlation(document: _Document, parsed: SigmaCorrelationRule, rules: list[Rule]) -> Correlation:
    kind = _KINDS.get(parsed.type)
    if kind is None:
        known = ", ".join(_KINDS.values())
        raise RuleFaultError("correlation.type", f"{parsed.type.name.lower()!r} is none of {known}")
    if len({each.source.log for each in rules}) > 1:
        raise RuleFaultError("correlation.rules", "are about records of different shapes")
    if parsed.aliases:
        raise RuleFaultError("correlation.aliases", "are not supported: all rules have the same fields")
    if parsed.timespan.seconds > _LONGEST_SPAN_S:
        raise RuleFaultError(
            "correlation.timespan", "is longer than a day", hint="Detectors look further back."
        )
    condition = parsed.condition
    if not isinstance(condition, SigmaCorrelationCondition):
        raise RuleFaultError("correlation.condition", "is an expression; only a threshold is supported")
    source = rules[0].source
    least, value = _threshold(kind, condition, source)
    return Correlation(
        about=_about(document, parsed, source),
        kind=kind,
        rules=tuple(each.about.name for each in rules),
        keys=tuple(_scalar(name, source) for name in parsed.group_by or ()),
        span_us=parsed.timespan.seconds * 1_000_000,
        least=least,
        value=value,
    )


def _threshold(
    kind: Kind, condition: SigmaCorrelationCondition, source: LogSource
) -> tuple[float, Field | None]:
    if kind == "temporal_ordered":
        return 0.0, None
    if condition.op not in {SigmaCorrelationConditionOperator.GTE, SigmaCorrelationConditionOperator.GT}:
        raise RuleFaultError(
            "correlation.condition", "has no gte or gt: what is rare is no match of a stream's"
        )
    strict = condition.op is SigmaCorrelationConditionOperator.GT
    least = condition.count + 1 if strict and kind != "value_sum" else condition.count
    if kind == "event_count":
        return float(least), None
    name = condition.fieldref
    if not isinstance(name, str):
        raise RuleFaultError("correlation.condition.field", "is needed, once")
    field = _scalar(name, source)
    return float(least), field


def _scalar(name: str, source: LogSource) -> Field:
    field = field_of(name, source)
    if "List" in str(field.dtype):
        raise RuleFaultError(name, "is a list, which is no key")
    return field


def _about(document: _Document, parsed: SigmaRule | SigmaCorrelationRule, source: LogSource) -> About:
    content = document.content
    unknown = sorted(str(key) for key in content if str(key).startswith("x-") and key not in _OWN_KEYS)
    if unknown:
        raise RuleFaultError(unknown[0], f"is none of {', '.join(sorted(_OWN_KEYS))}")
    if parsed.level is None:
        raise RuleFaultError("level", f"is needed: one of {', '.join(SEVERITIES)}")
    scope = content.get("x-scope", "")
    if scope:
        scope = _scalar(str(scope), replace(source, source="")).name  # of events, whatever the log source
    attacks = [*_ids(content, "x-atlas"), *_ids(content, "x-owasp"), *_attack_ids(parsed)]
    return About(
        name=document.name,
        title=parsed.title,
        severity=SEVERITIES[parsed.level.name.lower()],
        attacks=tuple(attacks),
        version=hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:12],
        scope=scope,
        file=document.file,
    )


def _ids(content: Mapping[str, Any], key: str) -> list[str]:
    ids = content.get(key, [])
    if not isinstance(ids, list) or not all(isinstance(each, str) for each in ids):
        raise RuleFaultError(key, "is no list of ids")
    return ids


def _attack_ids(parsed: SigmaRule | SigmaCorrelationRule) -> Iterable[str]:
    """Yield the ids of ATT&CK techniques among the tags."""
    for tag in parsed.tags:
        if tag.namespace == "attack" and re.fullmatch(r"t\d{4}(\.\d{3})?", tag.name):
            yield tag.name.upper()

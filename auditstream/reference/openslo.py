"""OpenSLO v1 documents as ours, of kind `slo`; what cannot be said so is refused by the name of its field.

What is measured is named in `metricSource.spec` of the indicator, with `type: auditstream`: `indicator`, and
as in a document of ours `tenant_id`, `scope`, `threshold_us`. Annotations say what OpenSLO has no field for,
as `auditstream/reaction`. Names and descriptions for people are left out, labels too.
Format: https://github.com/OpenSLO/OpenSLO, version openslo/v1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

VERSION = "openslo/v1"
METRIC_SOURCE = "auditstream"

_ANNOTATION = "auditstream/"
_ANNOTATED = ("reaction", "fallback_model", "owner", "active", "valid_from", "valid_to")
_MEASURED = ("indicator", "tenant_id", "scope", "threshold_us")
_UNITS_US = {"us": 1, "ms": 1_000, "s": 1_000_000}
_DURATION = re.compile(r"([1-9]\d*)([dw])")
_DAYS = {"d": 1, "w": 7}
_SPEC = ("description", "service", "indicator", "indicatorRef", "timeWindow", "budgetingMethod", "objectives")
_OBJECTIVE = ("displayName", "op", "value", "target", "targetPercent")
_RATIO = ("counter", "good", "bad", "total", "raw", "rawType")

FIELDS: Mapping[str, str] = {
    "slo_id": "metadata.name",
    "objective": "spec.objectives.0.target",
    "window_days": "spec.timeWindow.0.duration",
    "threshold_us": "spec.objectives.0.value",
    **{name: f"metadata.annotations.{_ANNOTATION}{name}" for name in _ANNOTATED},
}
"""Where an OpenSLO document says what a field of ours says; others are in `metricSource.spec`."""


class InexpressibleError(ValueError):
    """A document says something that no document of ours can.

    Attributes:
        field: Path of the field, as `spec.timeWindow.0.duration`.
        reason: Why.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


def is_openslo(document: object) -> bool:
    """Return whether a document says that it is of OpenSLO, in any version."""
    return isinstance(document, dict) and str(document.get("apiVersion")).startswith("openslo")


def indicators_of(documents: Iterable[object]) -> dict[str, Mapping[str, Any]]:
    """Return the `spec` of each SLI document of a file, by name."""
    found: dict[str, Mapping[str, Any]] = {}
    for each in documents:
        if isinstance(each, dict) and is_openslo(each) and each.get("kind") == "SLI":
            metadata, spec = each.get("metadata"), each.get("spec")
            if isinstance(metadata, dict) and isinstance(spec, dict):  # else it is refused where it stands
                found[str(metadata.get("name"))] = spec
    return found


def translated(
    document: Mapping[str, Any], indicators: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any] | None:
    """Return a document of kind `slo` that says the same; None for one that says nothing by itself.

    Args:
        document: Of OpenSLO; scalars as text.
        indicators: Specs of the file's SLIs by name.

    Raises:
        InexpressibleError: There is no document of ours that says the same.
    """
    version, kind = document.get("apiVersion"), document.get("kind")
    if version != VERSION:
        raise InexpressibleError("apiVersion", f"must be {VERSION}, not {version!r}")
    if kind in {"SLI", "Service"}:
        _mapping(document, "metadata")
        _mapping(document, "spec")
        return None
    if kind != "SLO":
        raise InexpressibleError("kind", f"{kind!r} cannot be taken over; SLO, SLI and Service can")
    metadata, spec = _mapping(document, "metadata"), _mapping(document, "spec")
    if spec.get("alertPolicies"):
        raise InexpressibleError(
            "spec.alertPolicies", "burns are told of by the windows of the period; leave the policies out"
        )
    _only(spec, (*_SPEC, "alertPolicies"), "spec")
    if spec.get("budgetingMethod", "Occurrences") != "Occurrences":
        raise InexpressibleError(
            "spec.budgetingMethod", "must be Occurrences: events are counted, not slices"
        )
    objective = _one(spec, "objectives", "spec")
    _only(objective, _OBJECTIVE, "spec.objectives.0")
    return {
        "kind": "slo",
        "slo_id": metadata.get("name"),
        "objective": _target(objective),
        "window_days": _days(_one(spec, "timeWindow", "spec")),
        **_measured(*_indicator(spec, indicators), objective),
        **_annotated(metadata),
    }


def _target(objective: Mapping[str, Any]) -> str:
    target, percent = objective.get("target"), objective.get("targetPercent")
    if (target is None) == (percent is None):
        raise InexpressibleError("spec.objectives.0.target", "must be stated, or targetPercent, not both")
    if percent is None:
        return str(target)
    return f"{_number(percent, 'spec.objectives.0.targetPercent') / 100:f}"


def _days(window: Mapping[str, Any]) -> int:
    _only(window, ("duration", "isRolling"), "spec.timeWindow.0")
    if str(window.get("isRolling")).lower() != "true":
        raise InexpressibleError("spec.timeWindow.0.isRolling", "must be true: periods roll")
    match = _DURATION.fullmatch(str(window.get("duration")))
    if match is None:
        raise InexpressibleError(
            "spec.timeWindow.0.duration",
            f"must be of days or weeks, as 30d or 4w, not {window.get('duration')!r}",
        )
    return int(match[1]) * _DAYS[match[2]]


def _indicator(
    spec: Mapping[str, Any], indicators: Mapping[str, Mapping[str, Any]]
) -> tuple[Mapping[str, Any], str]:
    """Return the spec of the SLO's indicator, and where it is."""
    named = spec.get("indicatorRef")
    if (named is None) == ("indicator" not in spec):
        raise InexpressibleError("spec.indicator", "must be stated, or indicatorRef, not both")
    if named is None:
        return _mapping(_mapping(spec, "indicator", "spec"), "spec", "spec.indicator"), "spec.indicator.spec"
    if named not in indicators:
        raise InexpressibleError("spec.indicatorRef", f"the file has no SLI {named!r}")
    return indicators[str(named)], "spec.indicatorRef"


def _measured(indicator: Mapping[str, Any], path: str, objective: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an indicator measures, as fields of ours."""
    _only(indicator, ("description", "thresholdMetric", "ratioMetric"), path)
    if ("thresholdMetric" in indicator) == ("ratioMetric" in indicator):
        raise InexpressibleError(path, "must have thresholdMetric or ratioMetric, not both")
    if "ratioMetric" in indicator:
        for name in ("op", "value"):
            if objective.get(name) is not None:
                raise InexpressibleError(f"spec.objectives.0.{name}", "is of a thresholdMetric")
        return _ratio(_mapping(indicator, "ratioMetric", path), f"{path}.ratioMetric")
    path = f"{path}.thresholdMetric"
    fields = _source(_mapping(indicator, "thresholdMetric", path), path, (*_MEASURED, "unit"))
    if objective.get("op") != "lte":
        raise InexpressibleError("spec.objectives.0.op", "must be lte: up to the threshold an event is good")
    unit = fields.pop("unit", None)
    if unit not in _UNITS_US:
        raise InexpressibleError(
            f"{path}.metricSource.spec.unit", f"must be the unit of the value: {', '.join(_UNITS_US)}"
        )
    limit = _number(objective.get("value"), "spec.objectives.0.value") * _UNITS_US[unit]
    if limit != int(limit):
        raise InexpressibleError("spec.objectives.0.value", "must be whole microseconds")
    return fields | {"threshold_us": int(limit)}


def _ratio(ratio: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Return what a ratio measures: all of its queries must name the same, since ours count both sides."""
    _only(ratio, _RATIO, path)
    if "raw" in ratio:
        if ratio.get("rawType") != "success" or {"good", "bad", "total"} & ratio.keys():
            raise InexpressibleError(f"{path}.rawType", "must be success, and the query alone")
        return _source(_mapping(ratio, "raw", path), f"{path}.raw", _MEASURED)
    part = "bad" if "bad" in ratio else "good"
    if "good" in ratio and "bad" in ratio:
        raise InexpressibleError(f"{path}.bad", "good is stated too")
    fields, total = (
        _source(_mapping(ratio, name, path), f"{path}.{name}", _MEASURED) for name in (part, "total")
    )
    if fields != total:
        raise InexpressibleError(
            f"{path}.total.metricSource.spec", f"must be as that of {part}: an indicator counts both"
        )
    return fields


def _source(metric: Mapping[str, Any], path: str, known: tuple[str, ...]) -> dict[str, Any]:
    source, path = _mapping(metric, "metricSource", path), f"{path}.metricSource"
    if source.get("type") != METRIC_SOURCE:
        raise InexpressibleError(
            f"{path}.type", f"must be {METRIC_SOURCE}: queries of {source.get('type')!r} cannot be taken over"
        )
    _only(source, ("type", "spec"), path)
    fields = _mapping(source, "spec", path)
    _only(fields, known, f"{path}.spec")
    return dict(fields)


def _annotated(metadata: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for name, value in (metadata.get("annotations") or {}).items():
        if str(name).startswith(_ANNOTATION):
            field = str(name).removeprefix(_ANNOTATION)
            if field not in _ANNOTATED:
                raise InexpressibleError(
                    f"metadata.annotations.{name}", f"unknown; {', '.join(_ANNOTATED)} are known"
                )
            found[field] = value
    return found


def _mapping(parent: Mapping[str, Any], name: str, path: str = "") -> Mapping[str, Any]:
    found = parent.get(name)
    if not isinstance(found, dict):
        raise InexpressibleError(f"{path}.{name}".lstrip("."), "must be a mapping")
    return found


def _one(parent: Mapping[str, Any], name: str, path: str) -> Mapping[str, Any]:
    found = parent.get(name)
    if not isinstance(found, list) or len(found) != 1 or not isinstance(found[0], dict):
        raise InexpressibleError(f"{path}.{name}", "must be a list of one")
    return found[0]


def _only(fields: Mapping[str, Any], known: Iterable[str], path: str) -> None:
    for name in fields:
        if name not in known:
            raise InexpressibleError(f"{path}.{name}", "cannot be taken over")


def _number(value: object, path: str) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise InexpressibleError(path, f"must be a number, not {value!r}")
    return number

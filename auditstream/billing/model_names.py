"""One name for a model, whatever a bill or a call names it.

The rule: lower case, spaces as hyphens; without a path (`models/`), a vendor of a cloud's catalogue
(`us.anthropic.`), a version (`-v2:0`, `@20250514`), `-latest`, or the date of a snapshot (`-2024-08-06`,
`-20250514`). Snapshots of one model are thus one.
"""

from __future__ import annotations

import re

_VENDOR = re.compile(
    r"(?:[a-z]{2,6}\.)?(?:ai21|amazon|anthropic|cohere|deepseek|meta|mistral|openai|qwen|stability|writer)\."
)
_ENDS = tuple(
    re.compile(end) for end in (r"@.*", r":\d+", r"-v\d+", r"-latest", r"-\d{4}-\d{2}-\d{2}", r"-20\d{6}")
)


def model_key(name: str) -> str:
    """Return the name under which a bill and the record are compared; '' stays ''."""
    key = re.sub(r"\s+", "-", name.strip().lower()).rpartition("/")[2]
    if match := _VENDOR.match(key):
        key = key[match.end() :]
    for end in _ENDS:
        key = re.sub(f"{end.pattern}$", "", key) or key
    return key

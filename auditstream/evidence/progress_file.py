"""Which ranges of a log hold already, so that a run that was broken off need not begin again.

Valid for one checkpoint: another size, root or set of keys begins anew. What is changed after its range was
checked is not seen by a resumed run; only a whole one sees everything at one time.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from auditstream.evidence.log_check import CheckedRange

_FORM = "auditstream-verify-progress/v1"


class ProgressFile:
    """Ranges without a finding, a line each as they are done.

    Args:
        path: The file.
        about: What the ranges are valid for, as the checkpoint's text and the source of the values.
        resume: Whether to take up what is there; else it begins anew.
    """

    def __init__(self, path: Path, about: str, *, resume: bool) -> None:
        self._path = path
        self._about = about
        self.done = self._read() if resume else {}
        path.parent.mkdir(parents=True, exist_ok=True)
        if not self.done:
            path.write_text(json.dumps({"form": _FORM, "about": about}) + "\n", encoding="utf-8")

    def add(self, checked: CheckedRange) -> None:
        """Remember a range, if it has no finding."""
        if checked.findings:
            return
        line = {
            "first": checked.first_tile,
            "tiles": checked.tiles,
            "rows": checked.rows,
            "roots": [root.hex() for root in checked.row_roots],
        }
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def remove(self) -> None:
        """Forget everything: the log was checked to its end."""
        self._path.unlink(missing_ok=True)

    def _read(self) -> dict[tuple[int, int], CheckedRange]:
        try:
            lines = self._path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return {}
        done: dict[tuple[int, int], CheckedRange] = {}
        try:
            if json.loads(lines[0]) != {"form": _FORM, "about": self._about}:
                return {}
        except (ValueError, IndexError):
            return {}
        for line in lines[1:]:
            try:
                each: dict[str, Any] = json.loads(line)
                place = int(each["first"]), int(each["tiles"])
                roots = [bytes.fromhex(root) for root in each["roots"]]
            except (ValueError, KeyError, TypeError):
                break  # the last line of a run that was killed
            done[place] = CheckedRange(*place, [], roots, int(each["rows"]))
        return done

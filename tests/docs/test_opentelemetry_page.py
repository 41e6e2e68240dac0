"""The page for instrumented applications, as a person follows it: priced rows at the end."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import started
from tests.support.fake_openai import CHAT_USAGE, SERVED_MODEL, fake_openai
from tests.support.forked_programs import ForkedPrograms
from tests.support.patience import patient

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "opentelemetry.md").read_text(encoding="utf-8")
LINES = [
    line
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    for line in re.findall(r"^ *\$ (.*)$", block, re.MULTILINE)
]
APPLICATION = re.findall(r"```py\n(.*?)```", PAGE, re.DOTALL)

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]


def test_an_application_s_call_is_a_priced_row_as_the_page_says(
    programs: ForkedPrograms, tmp_path: Path
) -> None:
    (application,) = APPLICATION
    (tmp_path / "app.py").write_text(re.sub(r"^ {3}", "", application, flags=re.MULTILINE))
    folder = tmp_path / "bin"
    folder.mkdir()
    programs.write("auditstream", "auditstream.cli.main", folder=folder)
    (folder / "python3").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    (folder / "python3").chmod(0o755)
    *settings, run, look = LINES
    with (
        started("up", "--broker", "embedded", data_dir=tmp_path / ".auditstream", programs=programs) as up,
        fake_openai() as provider_url,
    ):
        up.wait_ready()
        environment = os.environ | {
            "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
            "OPENAI_BASE_URL": provider_url,
            "OPENAI_API_KEY": "sk-none",
        }

        def typed(*lines: str) -> str:
            script = "set -e\n" + "\n".join(lines)
            done = subprocess.run(
                ["sh", "-c", script],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                timeout=patient(100),
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout

        assert "Paris" in typed(*settings, run)
        up.wait_until(lambda: bool(typed(look).strip()), within_s=60, what="the row")
        (row,) = [json.loads(line) for line in typed(look).splitlines()]
    assert row["source"] == "checkout"
    assert row["inference_response_model"] == SERVED_MODEL
    assert (row["input_tokens"], row["output_tokens"]) == (
        CHAT_USAGE["prompt_tokens"],
        CHAT_USAGE["completion_tokens"],
    )
    assert row["cost_status"] == "priced"
    # gpt-4o: 176 tokens at 2.50, 1,024 cached ones at 1.25, 340 at 10.00 USD a million
    assert float(row["cost_billed"]) == 0.00512
    assert len(row["trace_id"]) == 32

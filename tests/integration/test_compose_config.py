"""What Docker's own reader says of the compose file."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

from tests.support.parts import skip_part

ROOT = Path(__file__).parents[2]


def test_docker_reads_the_compose_file_and_insists_on_the_secrets(tmp_path: Path) -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
        skip_part("Docker Compose", "`docker compose version` does not answer")
    empty, full = tmp_path / "empty.env", tmp_path / "full.env"
    empty.write_text("")
    example = (ROOT / "deploy/env.example").read_text(encoding="utf-8")
    full.write_text(re.sub(r"^([A-Z_]+)=$", r"\1=x", example, flags=re.MULTILINE))

    def config(environment: Path) -> subprocess.CompletedProcess[str]:
        command = [docker, "compose", "--env-file", str(environment), "config", "--format", "json"]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)

    refused, read = config(empty), config(full)

    assert refused.returncode != 0
    assert "deploy/env.example" in refused.stderr
    assert read.returncode == 0, read.stderr
    assert {"kafka", "registry", "clickhouse", "migrate", "worker"} <= set(
        json.loads(read.stdout)["services"]
    )

"""What is installed from the built wheels: every file that the code reads, and an SDK without any room."""

from __future__ import annotations

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SDK = ROOT / "sdk" / "auditstream_sdk"
ROOMS = {"auditstream", "streams", "schemas", "sinks"}


def build(project: Path, target: Path) -> zipfile.ZipFile:
    """Build a project's wheel with the installed backend, so without a network."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)]
    subprocess.run(command, cwd=project, check=True, capture_output=True, timeout=100)
    (wheel,) = target.glob("*.whl")
    return zipfile.ZipFile(wheel)


def tracked_files(room: str) -> set[str]:
    unwanted = {".pyc"}
    paths = (path for path in (ROOT / room).rglob("*") if path.is_file())
    return {str(path.relative_to(ROOT)) for path in paths if path.suffix not in unwanted}


def test_the_wheel_holds_every_file_of_the_rooms_and_the_licence(tmp_path):
    with build(ROOT, tmp_path) as wheel:
        packed = set(wheel.namelist())

    wanted = set().union(*(tracked_files(room) for room in ROOMS))
    assert wanted - packed == set()
    assert any(name.endswith("licenses/LICENSE") for name in packed)
    assert {name.split("/")[0] for name in packed if ".dist-info" not in name} == ROOMS


def test_the_sdk_builds_and_imports_alone(tmp_path):
    with build(ROOT / "sdk", tmp_path / "wheel") as wheel:
        wheel.extractall(tmp_path / "installed")

    # -I: neither the environment nor the folder that we are in is on the path; -S: nor are site-packages.
    script = (
        f"import sys; sys.path.append({str(tmp_path / 'installed')!r}); import auditstream_sdk as s; print(s)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, timeout=30, check=False
    )

    assert done.returncode == 0, done.stderr
    assert "installed/auditstream_sdk" in done.stdout


@pytest.mark.parametrize("path", sorted(SDK.rglob("*.py")), ids=lambda path: str(path.relative_to(SDK)))
def test_no_module_of_the_sdk_imports_a_room(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import)]
    names = {alias.name for node in imports for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}

    assert {name.split(".")[0] for name in names} & ROOMS == set()

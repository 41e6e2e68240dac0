"""What is installed from the built wheels: every file of the rooms; an SDK and a verifier without any."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.support.bundles import make_bundle
from tests.support.patience import patient

ROOT = Path(__file__).parents[2]
SDK = ROOT / "sdk" / "auditstream_sdk"
SITE_PACKAGES = Path(sysconfig.get_paths()["platlib"])
VERIFIER = ROOT / "verify" / "auditstream_verify"
SDK_EXTRAS = ("avro.py", "edge_keys.py", "integrations", "kafka.py", "sealing.py", "testing")
"""Parts of the SDK that import what their user has installed: a framework, or an extra."""

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


def test_the_verifier_builds_and_checks_a_bundle_with_nothing_but_cryptography(tmp_path):
    with build(ROOT / "verify", tmp_path / "wheel") as wheel:
        wheel.extractall(tmp_path / "installed")
        packed = set(wheel.namelist())
    make_bundle(tmp_path / "bundle", tmp_path / "memory")
    for name in ("cryptography", "cffi", "pycparser", "_cffi_backend"):  # what it may have of site-packages
        for path in SITE_PACKAGES.glob(f"{name}*"):
            if not path.name.endswith(".dist-info"):
                (tmp_path / "installed" / path.name).symlink_to(path)
    script = (
        f"import sys; sys.path.append({str(tmp_path / 'installed')!r}); "
        "from auditstream_verify.command import run; sys.exit(run(sys.argv[1:]))"
    )
    command = [sys.executable, "-I", "-S", "-c", script, "bundle", "--vkeys", "bundle/vkeys.txt"]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("holds: 320 leaves in 2 logs, 1 statements")
    assert {name.split("/")[0] for name in packed if ".dist-info" not in name} == {"auditstream_verify"}
    assert "auditstream_verify/py.typed" in packed


def test_the_verifier_needs_one_distribution_and_no_more():
    project = tomllib.loads((ROOT / "verify" / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert [each.partition(">")[0] for each in project["dependencies"]] == ["cryptography"]
    allowed = {"cryptography", "auditstream_verify", *sys.stdlib_module_names}
    assert set().union(*map(imports_of, VERIFIER.rglob("*.py"))) <= allowed


def imports_of(path: Path) -> set[str]:
    """Return the packages that a module imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import)]
    names = {alias.name for node in imports for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return {name.split(".")[0] for name in names}


@pytest.mark.parametrize("path", sorted(SDK.rglob("*.py")), ids=lambda path: str(path.relative_to(SDK)))
def test_no_module_of_the_sdk_imports_a_room(path):
    assert imports_of(path) & ROOMS == set()


@pytest.mark.long
def test_the_sdks_own_suite_passes_on_its_wheel_with_nothing_but_pytest(tmp_path):
    with build(ROOT / "sdk", tmp_path / "wheel") as wheel:
        wheel.extractall(tmp_path / "installed")
        packed = set(wheel.namelist())
    for name in (
        "pytest",
        "_pytest",
        "pluggy",
        "iniconfig",
        "packaging",
        "py.py",
        "pygments",
    ):  # pytest's own needs
        (tmp_path / "installed" / name).symlink_to(SITE_PACKAGES / name)
    (entry,) = SITE_PACKAGES.glob("pytest-*.dist-info")
    (tmp_path / "installed" / entry.name).symlink_to(entry)
    shutil.copytree(ROOT / "sdk" / "tests", tmp_path / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "sdk" / "pyproject.toml", tmp_path / "pyproject.toml")
    shutil.copy(ROOT / "sdk" / "README.md", tmp_path / "README.md")
    script = (
        f"import sys; sys.path.append({str(tmp_path / 'installed')!r}); import pytest; "
        "sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider', 'tests']))"
    )

    # The plugin comes in by its entry point, as for everybody who installs the wheel.
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=patient(110),
        check=False,
    )

    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert {name.split("/")[0] for name in packed if ".dist-info" not in name} == {"auditstream_sdk"}
    assert "auditstream_sdk/py.typed" in packed


def test_the_sdk_needs_nothing_and_imports_nothing_but_the_standard_library():
    project = tomllib.loads((ROOT / "sdk" / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert project["dependencies"] == []
    core = [path for path in SDK.rglob("*.py") if not set(path.relative_to(SDK).parts) & set(SDK_EXTRAS)]
    allowed = {"auditstream_sdk", "__future__", *sys.stdlib_module_names}
    # Under TYPE_CHECKING only, so never at run time.
    assert set().union(*map(imports_of, core)) - allowed <= {"typing_extensions"}

"""A skip is seen, and under CI it fails the run unless the machine cannot have the part."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]
ROOT = Path(__file__).parents[2]

CANNOT_BE_HAD = """
from tests.support.parts import skip_part

def test_cannot_be_had():
    skip_part("ClickHouse server", "no Docker engine answers")
"""
COULD_BE_HAD = """
from tests.support.parts import skip_part

def test_could_be_had():
    skip_part("Apache Kafka", "no java on PATH", can_be_installed=True)
"""
NO_EXCUSE = """
import pytest

def test_plain():
    pytest.skip("not today")

@pytest.mark.skip(reason="not today")
def test_marked():
    pass
"""
MISSING_MODULE = """
import pytest
pytest.importorskip("no_such_module")

def test_it():
    pass
"""
# What the conftest needs; to import all that is installed takes seconds.
_PLUGINS = ("--disable-plugin-autoload", "-p", "pytest_asyncio.plugin", "-p", "pytest_socket")


@pytest.fixture
def run(pytester, monkeypatch):
    """Run test files under this suite's conftest, in a process of their own."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makeconftest((ROOT / "tests" / "conftest.py").read_text())
    pytester.makepyprojecttoml(
        "[tool.pytest.ini_options]\naddopts = ['--import-mode=importlib', '-ra']\n"
        "asyncio_default_fixture_loop_scope = 'function'\n"
    )

    def run_files(*, ci: str, **files: str) -> pytest.RunResult:
        monkeypatch.setenv("CI", ci)
        pytester.makepyfile(**files)
        return pytester.runpytest_subprocess(*_PLUGINS, timeout=60)

    return run_files


def test_a_laptop_may_skip_anything_and_says_how_much(run):
    files = {"test_a": CANNOT_BE_HAD, "test_b": COULD_BE_HAD, "test_c": NO_EXCUSE, "test_d": MISSING_MODULE}

    result = run(ci="", **files)

    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*parts: 5 tests skipped*"])


def test_a_ci_run_fails_for_a_part_that_the_machine_could_have(run):
    result = run(ci="true", test_b=COULD_BE_HAD)

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*Apache Kafka is missing though this machine can run it: no java on PATH*"])


def test_a_ci_run_fails_for_each_skip_without_an_excuse(run):
    result = run(ci="true", test_c=NO_EXCUSE, test_d=MISSING_MODULE)

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    named = [line for line in result.outlines if line.startswith("skipped without an excuse: ")]
    assert [line.split()[4].rstrip(":") for line in named] == [
        "test_d.py",
        "test_c.py::test_plain",
        "test_c.py::test_marked",
    ]


def test_a_ci_run_may_skip_what_the_machine_cannot_have(run):
    result = run(ci="true", test_a=CANNOT_BE_HAD)

    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*not on this machine: ClickHouse server: no Docker engine answers*"])

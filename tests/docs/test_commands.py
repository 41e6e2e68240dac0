"""The commands on the pages: each one parses, and what the demo can answer has the shape that is shown."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from auditstream.cli.main import run
from tests.support.arguments import command_of
from tests.support.commands import Command, started
from tests.support.forked_programs import ForkedPrograms
from tests.support.patience import patient

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
PROGRAM = ".venv/bin/auditstream"
FOREGROUND = {"up", "demo", "worker", "gateway", "serve"}  # run until they are stopped

pytestmark = pytest.mark.timeout(420)


@dataclass(frozen=True, slots=True)
class Example:
    """A command line as a page shows it.

    Attributes:
        page: Name of the page.
        line: What is typed.
        output: Lines that are shown after it; `…` stands for anything.
    """

    page: str
    line: str
    output: tuple[str, ...]

    @property
    def calls(self) -> list[list[str]]:
        """Arguments of every call of the product in the line."""
        words = shlex.split(self.line, comments=True)
        calls: list[list[str]] = []
        for word in ["|", *words]:
            if word == "|":
                calls.append([])
            else:
                calls[-1].append(word)
        return [call[1:] for call in calls if call and call[0] in {PROGRAM, "auditstream"}]


def examples() -> Iterator[Example]:
    for page in PAGES:
        for block in BLOCK.findall(page.read_text(encoding="utf-8")):
            for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
                lines = part.splitlines()
                length = next(n for n in range(1, len(lines) + 1) if is_whole("\n".join(lines[:n])))
                yield Example(name_of(page), "\n".join(lines[:length]), tuple(lines[length:]))


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def is_whole(text: str) -> bool:
    """Return whether no quote is open at the end."""
    try:
        shlex.split(text, comments=True)
    except ValueError:
        return False
    return True


OURS = [each for each in examples() if each.calls]
ANSWERED = [each for each in OURS if not FOREGROUND & {call[0] for call in each.calls}]


def test_the_pages_have_examples() -> None:
    assert {"sql", "search", "status", "apply", "emit"} <= {call[0] for each in OURS for call in each.calls}


@pytest.mark.parametrize("example", OURS, ids=lambda each: f"{each.page}: {each.line[:60]}")
def test_a_command_on_a_page_is_one_of_the_products(example: Example) -> None:
    for call in example.calls:
        assert command_of(call)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_command_named_in_the_text_exists(page: Path) -> None:
    prose = BLOCK.sub("", page.read_text(encoding="utf-8"))
    for named in re.findall(r"`auditstream((?: [a-z]+)+)`", prose):
        assert run([*named.split(), "--help"]) == 0, named


@pytest.fixture(scope="module")
def demo(programs: ForkedPrograms, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    """A demonstration that has recorded its hour."""
    folder = tmp_path_factory.mktemp("demo")
    with started("demo", "--broker", "embedded", data_dir=folder / "data", programs=programs) as command:
        command.wait_for("Ctrl-C ends it", within_s=180)
        yield command


@pytest.fixture(scope="module")
def shell(
    demo: Command, programs: ForkedPrograms, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """An environment in which `auditstream` is this repository's, as it answers on a terminal."""
    folder = tmp_path_factory.mktemp("bin")
    programs.write("auditstream", "auditstream.cli.main", "--output", "table", folder=folder)
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path, "AUDITSTREAM_DATA_DIR": str(demo.data_dir)}


@pytest.mark.long
@pytest.mark.parametrize("page", sorted({each.page for each in ANSWERED}))
def test_a_page_read_from_top_to_bottom_answers_as_it_shows(page: str, shell: dict[str, str]) -> None:
    for example in ANSWERED:
        if example.page == page:
            check_answer(example, shell)


def check_answer(example: Example, shell: dict[str, str]) -> None:
    """Type a line, and compare what it prints with what the page shows."""
    done = subprocess.run(
        ["sh", "-c", example.line.replace(PROGRAM, "auditstream")],
        cwd=ROOT,
        env=shell,
        capture_output=True,
        text=True,
        timeout=patient(100),
        check=False,
    )

    assert done.returncode == 0, f"{example.line}\n{done.stderr}"
    if example.output:
        shown = re.fullmatch(pattern_of(example.output), shape_of(done.stdout))
        assert shown, f"{example.line}\n{done.stdout}"


def pattern_of(output: tuple[str, ...]) -> str:
    """Return what an answer's shape must match: `…` is anything on a line, on its own any lines."""
    return "".join(
        r"(?:.*\n)*" if line.strip() == "…" else re.escape(shape_of(line)).replace("…", ".*") + r"\n"
        for line in output
        if line.strip()
    )


def shape_of(text: str) -> str:
    """Return a text with every number as one sign, one blank between words, and no blank lines."""
    lines = (" ".join(re.sub(r"\d+(?:\.\d+)?", "#", line).split()) for line in text.splitlines())
    return "\n".join(filter(None, lines)) + ("\n" if text.endswith("\n") else "")

"""The documentation's pages as tests read them: their blocks, and the commands in these."""

import importlib.util
import re
import shlex
from pathlib import Path

from conftest import ROOT, some

DOCS = ROOT / "docs"
ALL = some(sorted(DOCS.rglob("*.md")))
ELSEWHERE = {
    "bring-your-own.md": "test_own_teacher.py"
}  # whose commands and files another test runs
PAGES = some(page for page in ALL if page.name not in ELSEWHERE)
FENCE = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
EXAMPLES = ("my_net", "cosine", "random_weight")  # what pages add to the study


def blocks(page: Path, language: str) -> list[tuple[str, str]]:
    """Title and text of each fenced block."""
    found = FENCE.findall(page.read_text(encoding="utf-8"))
    return [(title, text) for name, title, text in found if name == language]


def commands(text: str) -> list[list[str]]:
    """The commands of a block of shell, as arguments; a VARIABLE=value before one is its first."""
    lines = text.replace("\\\n", " ").splitlines()
    parts = [part for line in lines for part in line.split(" && ")]
    return [tokens for part in parts if (tokens := shlex.split(part, comments=True))]


def unset(tokens: list[str]) -> list[str]:
    """A command without the variables set for it."""
    at = next(i for i, token in enumerate(tokens) if not re.match(r"[A-Z_]+=", token))
    return tokens[at:]


def every(*first: str) -> list[list[str]]:
    """All distinct commands of all pages that begin so."""
    found = {}
    for page in PAGES:
        for _, text in blocks(page, "sh"):
            for tokens in commands(text):
                bare = unset(tokens)
                if tuple(bare[: len(first)]) == first:
                    found[shlex.join(bare)] = bare
    return list(found.values())


def named(page: Path) -> str:
    return page.relative_to(DOCS).as_posix()


def composed(values: list[str], output: Path) -> None:
    spec = importlib.util.spec_from_file_location("compose", ROOT / "conf/compose.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.compose(output, values)

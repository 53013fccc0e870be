"""Writes the generated pages, and the regions between markers: python docs/generate.py [--check].

They follow from kdprune/config/schema.py, conf/, params.yaml, the argument parser, the
report's glossary and metrics/.
With --check nothing is written; the exit status is 1 where a page is not what it must be.
"""

import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from generators import (  # noqa: E402
    attribution,
    commands,
    finding,
    glossary,
    hyperparameters,
    narrow,
    parameters,
    pipeline,
    prunings,
    results,
    soundness,
    trainings,
)

PAGES: dict[str, Callable[[Path], str]] = {
    "glossary.md": glossary.page,
    "reference/parameters.md": parameters.page,
    "reference/methods.md": hyperparameters.page,
    "reference/command-line.md": commands.page,
    "images/pipeline.svg": pipeline.drawing,
    "images/pipeline-narrow.svg": pipeline.narrow,
    "images/pairs-narrow.svg": narrow.pairs,
}
REGIONS: dict[tuple[str, str], Callable[[Path], str]] = {
    ("index.md", "finding"): finding.quoted,
    ("index.md", "answer"): results.answer,
    ("tutorial.md", "answer"): results.answer,
    ("tutorial.md", "breakpoints"): results.breakpoints,
    ("reference/command-line.md", "make"): commands.targets,
    ("prunings-comparison.md", "prunings"): prunings.table,
    ("method.md", "trainings"): trainings.table,
    ("method.md", "seeds"): trainings.seeds,
    ("../studies/conditions.md", "conditions"): soundness.table,
    ("../studies/conditions.md", "attribution"): attribution.table,
}


def wanted() -> dict[Path, str]:
    """Return what each page with generated text must hold."""
    found = {}
    for name, page in PAGES.items():
        found[ROOT / "docs" / name] = page(ROOT)
    for (name, region), text in REGIONS.items():
        path = (ROOT / "docs" / name).resolve()
        page = found.get(path) or path.read_text(encoding="utf-8")
        start, end = f"<!-- generated: {region} -->\n", f"<!-- /generated: {region} -->"
        before, _, rest = page.partition(start)
        _, mark, after = rest.partition(end)
        if not mark:
            raise SystemExit(f"{path}: has no region {region}; put {start.strip()} … {end} there")
        found[path] = before + start + text(ROOT) + end + after
    return found


def main() -> int:
    """Write the pages, or check them; return the exit status."""
    pages = wanted()
    stale = [path for path, text in pages.items() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv:
        for path in stale:
            print(f"{path.relative_to(ROOT)}: is stale; run `python docs/generate.py`")
        return 1 if stale else 0
    for path in stale:
        path.write_text(pages[path], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

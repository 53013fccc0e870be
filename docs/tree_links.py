"""MkDocs hook: links from a page to files of the tree outside docs/ work in the site as well.

A page links to `../plots/accuracy.svg` as seen from its own folder, which is right wherever the
tree is browsed. The site gets a copy of each such file under tree/, and the link is changed to it.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

# the target of [text](target), ![text](target) and src="target"
LINK = re.compile(r"""(\]\(|\bsrc=")([^)\s#"]+)([)#"])""")
ROOT = Path(__file__).parents[1]


def outside(page: Path) -> Iterator[str]:
    """Yield the files outside docs/ that a page links to, relative to the tree's root."""
    for _, target, _ in LINK.findall(page.read_text(encoding="utf-8")):
        if found := _in_tree(target, page):
            yield found


def on_files(files, config):
    """Add what the pages link to outside docs/."""
    from mkdocs.structure.files import File

    pages = [Path(file.abs_src_path) for file in files.documentation_pages()]
    for found in sorted({name for page in pages for name in outside(page)}):
        path = str(ROOT / found)
        files.append(File.generated(config, f"tree/{_plain(found)}", abs_src_path=path))
    return files


def on_page_markdown(markdown, page, config, files):
    """Change these links to the copies."""
    source = Path(page.file.abs_src_path)
    folder = PurePosixPath(page.file.src_uri).parent

    def changed(match: re.Match) -> str:
        found = _in_tree(match[2], source)
        if found is None:
            return match[0]
        return match[1] + os.path.relpath(f"tree/{_plain(found)}", folder) + match[3]

    return LINK.sub(changed, markdown)


def _in_tree(target: str, page: Path) -> str | None:
    if "://" in target:
        return None
    path = (page.parent / target).resolve()
    inside = path.is_relative_to(ROOT) and not path.is_relative_to(ROOT / "docs")
    return path.relative_to(ROOT).as_posix() if inside and path.is_file() else None


def _plain(name: str) -> str:
    """Name a copy so that MkDocs makes no page of it, and a browser shows it as text."""
    shown = (".svg", ".png", ".html", ".txt")
    return name if name.endswith(shown) else f"{name}.txt"

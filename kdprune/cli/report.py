"""kdprune report: the study's answer in a few lines, and where the whole report lies."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kdprune.errors import KdpruneError
from kdprune.terminal import printable, styled

if TYPE_CHECKING:
    import pandas as pd

    from kdprune.config.params import Params

DESCRIPTION = """\
Tell the study's answer in a few lines: the verdict, and for each data set what both prunings keep.

"left" is the share of the parameters at the breakpoint, "points" what the test accuracy loses
there. Everything comes from metrics/; nothing is trained.
"""
EXAMPLE = """\
examples:
  kdprune report                       what `make repro` ends with
  kdprune report --open                the same, and the report in your browser
  kdprune report --project studies/desk
"""
PAGE = "plots/report.html"


def add(commands: argparse._SubParsersAction) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "report",
        help="tell the study's answer, and open the report",
        description=DESCRIPTION,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--open", action="store_true", help="open plots/report.html in a browser")
    parser.add_argument(
        "--project", type=Path, default=Path(), metavar="DIR", help="the study's folder"
    )
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print the answer. Raises KdpruneError where the study has no results, or no report."""
    from kdprune.config.params import load
    from kdprune.reporting.brief import lines
    from kdprune.study import checked

    params = load(given.project / "params.yaml")
    names = ("efficiency", "significance", "breakpoints")
    read = {name: checked.read(given.project / f"metrics/{name}.csv", name, name) for name in names}
    page = given.project / PAGE
    if not page.is_file():
        raise KdpruneError(f"{page}: is not there; run `dvc repro report`")
    for line in lines(read | _stored(given.project, params), params.significance.confidence):
        print("".join(styled(text, style, sys.stdout) for style, text in line))
    how = "" if given.open else "   (kdprune report --open)"
    print(f"{'Report':<22}{printable(page)}{how}")
    if given.open:
        _show(page)
    return 0


def _stored(project: Path, params: "Params") -> "dict[str, pd.DataFrame]":
    """Return the tables that tell of bytes, where a study has them: layers and codings."""
    import pandas as pd

    from kdprune.study import checked, paths

    files = [project / paths.layers(key) for key in params.grid["sweeps"]]
    known = [checked.read(file, "layers", "collect") for file in files if file.is_file()]
    codings = project / paths.CODINGS
    held = {"layers": pd.concat(known, ignore_index=True)} if len(known) == len(files) else {}
    if codings.is_file():
        held["codings"] = checked.read(codings, "codings", "collect")
    return held


def _show(page: Path) -> None:
    import webbrowser

    if not webbrowser.open(page.resolve().as_uri()):
        raise KdpruneError(f"{page}: there is no browser here; open the file yourself")

"""All figures of a study, drawn and saved: as a whole, for narrow screens, and in parts."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from kdprune.analysis.replicates import apart, averaged
from kdprune.reporting.document.blocks import Picture
from kdprune.reporting.document.formats import dataset, taught
from kdprune.reporting.figures import contrasts, curves, dots, forest, frames, heat, style, training
from kdprune.reporting.figures.looks import looks
from kdprune.reporting.headline import averages, headlines
from kdprune.reporting.paper.beside import distilled_by

BESIDE, WHOLE, NARROW = 700, 1060, 380  # pixels: beside text, a page, a telephone
Draw = Callable[..., Figure]  # of a width in pixels


def save(
    results: Mapping[str, pd.DataFrame],
    layers: pd.DataFrame,
    folder: Path,
    scratch: Path,
    *,
    confidence: float,
    learned: Mapping[str, pd.DataFrame] | None = None,
) -> dict[str, Picture]:
    """Draw NAME.svg in `folder` for each figure, what only the HTML shows in `scratch`.

    `results` are the tables that kdprune.reporting.report takes, `layers` those of the sweeps,
    `learned` the curve of each training by its name.
    """
    known = looks([*results["efficiency"].condition, *results["breakpoints"].method])
    curves_of, broken, scored, layers = map(
        apart, (results["sweeps"], results["breakpoints"], results["efficiency"], layers)
    )
    drawings: dict[str, Draw] = {
        "pairs": _pairs(results, known),
        "accuracy": partial(curves.curves, curves_of, broken, known),
        "efficiency": partial(dots.dots, scored, known),
        "layers": partial(heat.heat, layers, broken, known),
        "comparisons": partial(contrasts.contrasts, results["significance"], confidence),
    }
    if learned:
        drawings["training"] = partial(training.training, learned)
    parts: dict[str, dict[str, Draw]] = {
        "accuracy": {
            name: partial(curves.curves, part, broken, known)
            for name, part in _parts(curves_of).items()
        },
        "layers": {
            name: partial(heat.heat, part, broken, known) for name, part in _parts(layers).items()
        },
    }
    pictures = {}
    for name, draw in drawings.items():
        alone = parts.get(name, {})
        alone = alone if len(alone) > 1 else {}
        own = [
            (title, _saved(each, f"{name}-{number}", scratch, scratch))
            for number, (title, each) in enumerate(alone.items())
        ]
        whole = _saved(draw, name, folder, scratch, narrow=not own)
        pictures[name] = replace(whole, parts=own)
    return pictures


def narrow_pairs(results: Mapping[str, pd.DataFrame], path: Path) -> Path:
    """Draw the study's picture as a telephone shows it; return where it lies."""
    known = looks([*results["efficiency"].condition, *results["breakpoints"].method])
    style.save(_pairs(results, known)(width=NARROW), path)
    return path


def _saved(draw: Draw, name: str, folder: Path, scratch: Path, narrow: bool = True) -> Picture:
    path, small = folder / f"{name}.svg", scratch / f"{name}-narrow.svg"
    style.save(draw(width=BESIDE if name == "pairs" else WHOLE), path)
    if not narrow:
        return Picture(path)
    style.save(draw(width=NARROW), small)
    return Picture(path, small)


def _pairs(results: Mapping[str, pd.DataFrame], known: Mapping) -> Draw:
    scored = averaged(results["efficiency"])
    found = headlines(scored, results["significance"])
    by = found[0].distill if found else distilled_by(scored)
    role = found[0].role if found else "student"
    broken, sweeps = results["breakpoints"], results["sweeps"]
    rows = frames.of_pairs(results["efficiency"], broken, sweeps, by, role)
    versus = (found[0].ahead, found[0].behind) if found else ("", "")
    return partial(forest.forest, rows, averages(found, results["significance"]), known, versus)


def _parts(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return what is drawn apart: a data set's students by each method, teachers with the first."""
    parts = {}
    for name, part in table.groupby("dataset", sort=False):
        teachers = part[part.role == "teacher"]
        by = list(dict.fromkeys(part[part.role == "student"].distill))
        for place, method in enumerate(by or [""]):
            own = part[(part.role == "student") & (part.distill == method)]
            title = f"{dataset(str(name))}, students {taught(method)}" if by else dataset(str(name))
            parts[title] = pd.concat([teachers, own]) if place == 0 else own
    return parts

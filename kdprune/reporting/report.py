"""The study's report: what its tables say, beside the paper's, as Markdown and as HTML."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from kdprune.analysis import clusters, sizes
from kdprune.analysis.reached import reached
from kdprune.analysis.replicates import apart, averaged
from kdprune.analysis.replicates import count as trainings_of
from kdprune.analysis.variance import variance
from kdprune.errors import KdpruneError
from kdprune.files import replacing
from kdprune.reporting.document import html, markdown
from kdprune.reporting.document.blocks import Picture, Section
from kdprune.reporting.paper import contradictions, tables
from kdprune.reporting.sections import (
    answer,
    comparisons,
    distillers,
    explore,
    glossary,
    missing,
    networks,
    provenance,
)
from kdprune.reporting.sections import attribution as steps
from kdprune.reporting.sections import figures as figures_of

TITLE = "kdprune: pruning after knowledge distillation"
DRAWN = ("sweeps", "breakpoints", "efficiency")
FULL = ("breakpoints", "trained", "sizes", "spent", "codings")


def write(
    markdown_path: str | Path,
    html_path: str | Path,
    *,
    sweeps: pd.DataFrame,
    breakpoints: pd.DataFrame,
    efficiency: pd.DataFrame,
    significance: pd.DataFrame,
    trained: pd.DataFrame,
    figures: Mapping[str, str | Path | Picture],
    layers: pd.DataFrame | None = None,
    codings: pd.DataFrame | None = None,
    spent: pd.DataFrame | None = None,
    attribution: pd.DataFrame | None = None,
    trajectories: pd.DataFrame | None = None,
    settings: Mapping[str, Any] | None = None,
    rule: Mapping[str, Any] | None = None,
    confidence: float = 0.95,
    interval: float = 0.95,
    count: str = "composite",
    library: str = "",
) -> None:
    """Write the report as Markdown and as one self-contained HTML file.

    Tables are those of kdprune.analysis, as it returns them or read from CSV; `trained` holds one
    row per trained network (the JSON of the trainings); `layers`, `codings`, `attribution`,
    `trajectories` and `spent`, which may be left out, what was left of each layer, what coded files
    cost, what losses are made of, what trained on its way (metrics/), and the epochs that networks
    cost (kdprune.study.epochs). `figures` maps names to SVG or PNG files, or to pictures with
    further forms (kdprune.reporting.figures.pictures).
    `settings` are shown as they are. `rule` locates breakpoints (kdprune.analysis.variance), where
    there are several trainings of a pair, whose networks are listed apart, and averaged for every
    test. `confidence` is that of the tests, `interval` that of the
    breakpoints, `count` says which parameters are scored (kdprune.analysis.efficiency), `library`
    holds Vega-Lite (kdprune.reporting.document.html.libraries). The same input gives the same
    bytes. Raises KdpruneError where a figure is missing or neither SVG nor PNG.
    """
    paths = {name: _picture(name, item) for name, item in figures.items()}
    given = {
        "sweeps": sweeps,
        "breakpoints": breakpoints,
        "efficiency": efficiency,
        "significance": significance,
        "trained": trained,
    }
    sections = compose(
        **given,
        figures=paths,
        layers=layers,
        codings=codings,
        spent=spent,
        attribution=attribution,
        trajectories=trajectories,
        settings=settings,
        rule=rule,
        confidence=confidence,
        interval=interval,
        count=count,
    )
    texts = {
        Path(markdown_path): markdown.render(TITLE, sections, Path(markdown_path).parent),
        Path(html_path): html.render(TITLE, sections, provenance.footer(given), library),
    }
    for path, text in texts.items():
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="\n")


def compose(
    *,
    sweeps: pd.DataFrame,
    breakpoints: pd.DataFrame,
    efficiency: pd.DataFrame,
    significance: pd.DataFrame,
    trained: pd.DataFrame,
    figures: Mapping[str, Picture],
    layers: pd.DataFrame | None = None,
    codings: pd.DataFrame | None = None,
    spent: pd.DataFrame | None = None,
    attribution: pd.DataFrame | None = None,
    trajectories: pd.DataFrame | None = None,
    settings: Mapping[str, Any] | None = None,
    rule: Mapping[str, Any] | None = None,
    confidence: float = 0.95,
    interval: float = 0.95,
    count: str = "composite",
) -> list[Section]:
    """Return the report's sections, in the order in which they are read; see `write`."""
    scored = averaged(efficiency)  # of pairs; below, of networks
    significance = clusters.added(significance, scored)
    known = sizes.known(breakpoints, layers, codings)
    given = {"sweeps": sweeps, "breakpoints": breakpoints, "efficiency": efficiency}
    given |= {"trained": trained, "layers": layers, "codings": codings, "spent": spent}
    given |= {"attribution": attribution, "trajectories": trajectories, "sizes": known}
    each = {name: table if table is None else apart(table) for name, table in given.items()}
    full, repeats = {name: each[name] for name in FULL}, trainings_of(efficiency)
    sections = [
        answer.section(
            scored,
            significance,
            breakpoints,
            figures_of.first(figures, scored, significance, confidence),
            confidence=confidence,
            settings=settings or {},
            sizes=known,
            reached=reached(breakpoints, layers),
            varied=variance(sweeps, **(rule or {})) if repeats > 1 else None,
        ),
        *figures_of.sections(figures, *(each[name] for name in DRAWN)),
        explore.section(each["sweeps"], each["breakpoints"], each["layers"]),
        comparisons.section(
            scored,
            significance,
            figures_of.comparisons(figures, significance, confidence),
            confidence=confidence,
        ),
        networks.breakpoints(each["breakpoints"], confidence=interval, trainings=repeats),
        steps.section(each["attribution"]),
        networks.trained(each["trained"], figures_of.trained(figures, trained)),
        distillers.section(trained, confidence=confidence),
        tables.breakpoint_tables(scored, count=count),
        tables.compression_tables(scored, each["efficiency"], **full),
        contradictions.section(),
        missing.section(
            scored, significance, each["breakpoints"], trained, figures, each["trajectories"]
        ),
        glossary.section(),
    ]
    return [section for section in sections if section is not None]


def _picture(name: str, item: str | Path | Picture) -> Picture:
    picture = item if isinstance(item, Picture) else Picture(Path(item))
    path = picture.path
    if path.suffix.lower() not in html.KINDS:
        raise KdpruneError(f"figures.{name}: {path} is no picture; allowed: SVG and PNG")
    if not path.is_file():
        raise KdpruneError(f"figures.{name}: {path} is not there; draw it before the report")
    return picture

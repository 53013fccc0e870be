"""What the networks cost where they are deployed, as a document of its own: its timings vary."""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from kdprune.analysis.replicates import apart
from kdprune.files import replacing
from kdprune.home import located
from kdprune.records import IDENTITY
from kdprune.reporting.document.blocks import Block, Section, Text, table
from kdprune.reporting.document.formats import (
    counted,
    dataset,
    distiller,
    fixed,
    listed,
    millions,
    share,
    whole,
)
from kdprune.reporting.document.html import libraries
from kdprune.reporting.document.html import render as to_html
from kdprune.reporting.document.markdown import render as to_markdown
from kdprune.reporting.sections import tradeoff
from kdprune.reporting.sections.tradeoff import RUNTIMES

TITLE = "kdprune: deployment numbers"
PAGE = ".dvc/plots_page.html"  # holds Vega-Lite for `dvc plots`, too
UNPRUNED = "none"
level = fixed(2, least=1)
ratio = fixed(2)
NETWORK = [
    ("dataset", "Data set", None),
    ("teacher", "Teacher", None),
    ("student", "Student", None),
    ("distill", "Distilled by", None),
    ("pruning", "Pruning", None),
    ("level", "Level", level),
]
SIZES = [
    ("macs", "MACs (millions)", millions),
    ("params", "Parameters stored", whole),
    ("nonzero_params", "not zeroed", whole),
    ("dense_bytes", "Dense file, bytes", whole),
    ("zstd_bytes", "Zstandard, bytes", whole),
    ("sparse_bytes", "Sparse, bytes", whole),
    ("sparse_form", "Sparse form", None),
    ("zstd_share", "Zstandard, % of unpruned", share),
]


def milliseconds(value: float) -> str:
    """Write a time: three digits below 100 ms, whole milliseconds above."""
    return fixed(3 if value < 1 else 2 if value < 10 else 1 if value < 100 else 0)(value)


TIMES = [
    ("batch", "Batch", whole),
    ("latency_ms_p25", "p25, ms", milliseconds),
    ("latency_ms_median", "Median", milliseconds),
    ("latency_ms_p75", "p75", milliseconds),
    ("repeats", "n", whole),
    ("time_ratio", "Times the unpruned", ratio),
    ("per_second", "Images/s", whole),
]
SPREAD = [
    ("kind", "Pruning", None),
    ("cost", "Cost", None),
    ("median", "Median", ratio),
    ("lowest", "Lowest", ratio),
    ("highest", "Highest", ratio),
    ("n", "n networks", whole),
]
NOISE = "noise"  # in the place of a ratio of times that are none


def write(measured: pd.DataFrame, breakpoints: pd.DataFrame, folder: Path) -> None:
    """Write the document into `folder` as Markdown and as one HTML file: deployment.md and .html.

    `measured` has the rows of kdprune.deployment.measure.compare, and the columns of IDENTITY;
    `breakpoints` those of kdprune.analysis, for a chart that sets accuracy beside cost.
    """
    chart = tradeoff.section(measured, breakpoints)
    parts = [*([chart] if chart else []), *sections(measured)]
    texts = {
        folder / "deployment.md": to_markdown(TITLE, parts, folder),
        folder / "deployment.html": to_html(TITLE, parts, library=libraries(located(PAGE))),
    }
    for path, text in texts.items():
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="\n")


def sections(measured: pd.DataFrame) -> list[Section]:
    """Return the sections: what the numbers say, sizes, and times by batch."""
    frame = related(apart(measured))
    once = frame.drop_duplicates([*IDENTITY, "method"])
    networks = counted(len(frame[IDENTITY].drop_duplicates()), "network")
    shown = frame.assign(
        dataset=frame.dataset.map(dataset),
        distill=frame.distill.map(distiller),
        pruning=frame.kind,
    )
    stored = table(shown.loc[once.index], [*NETWORK, *SIZES], f"Sizes (n = {networks})")
    ratios = shown.time_ratio.astype(object)
    shown = shown.assign(time_ratio=ratios.where(shown.time_ratio.notna(), NOISE))
    times: list[Block] = [
        table(
            part,
            [*NETWORK, *TIMES],
            f"Forward pass in {RUNTIMES[runtime]}, {counted(batch, 'image')} at a time",
        )
        for (runtime, batch), part in shown.groupby(["runtime", "batch"])
    ]
    return [
        Section("What masks and removal change", [_said(frame), _conditions(frame)]),
        Section("Sizes", [Text(SIZES_NOTE), stored]),
        Section("Times", [Text(TIMES_NOTE), *times]),
    ]


SIZES_NOTE = (
    "MACs are multiply-adds of one image, whether or not a weight is zero. The dense file is the "
    "network as safetensors. Zstandard is that file, compressed at level 10. The sparse file "
    "stores each masked tensor as its non-zero values and their places: a bit per element, or "
    "compressed sparse rows (CSR), whichever is smaller."
)
TIMES_NOTE = (
    "Times are compared by p25, the lower quartile, because other work only makes a pass longer. n "
    "is how often each forward pass was timed. A network and its pruned forms took turns, so that "
    "a busy machine troubles all of them alike. The turns were repeated until the quartiles lay "
    "close. Where they stayed more than half the median apart, the time is noise. Networks of one "
    "graph share one time; a masked network shares that of the unpruned one. Only the forward pass "
    "is timed, by dense kernels. Fewer multiply-adds do not always take less time. Kernels work in "
    "blocks of channels, so a removal that leaves odd widths can cost more than it saves."
)


def related(measured: pd.DataFrame) -> pd.DataFrame:
    """Add how a network was pruned, and what it costs relative to the same network unpruned.

    kind: unpruned, masked or removed, with the method; time_ratio: of lower quartiles in the same
    runtime at the same batch, NaN where either is not steady; zstd_share; per_second: images at the
    lower quartile.
    """
    zeroed = measured.nonzero_params < measured.params
    kind = (measured.method + ", " + zeroed.map({True: "masked", False: "removed"})).where(
        measured.method != UNPRUNED, "unpruned"
    )
    keys = [*IDENTITY, "runtime", "batch"]
    figures = ["latency_ms_p25", "zstd_bytes", "macs", "steady"]
    dense = measured[measured.method == UNPRUNED].set_index(keys)[figures]
    own = dense.loc[list(measured[keys].itertuples(index=False, name=None))].reset_index(drop=True)
    own.index = measured.index
    steady = measured.steady & own.steady
    return measured.assign(
        kind=kind,
        time_ratio=(measured.latency_ms_p25 / own.latency_ms_p25).where(steady),
        zstd_share=measured.zstd_bytes / own.zstd_bytes,
        macs_ratio=measured.macs / own.macs,
        per_second=1e3 * measured.batch / measured.latency_ms_p25,
    )


def _said(frame: pd.DataFrame) -> Block:
    pruned = frame[frame.method != UNPRUNED]
    if pruned.empty:
        return Text("At their breakpoints these networks are unpruned: all broke at once.")
    rows = []
    for kind, part in pruned.groupby("kind", sort=False):
        once = part.drop_duplicates([*IDENTITY, "method"])
        times = {
            f"time in {RUNTIMES[runtime]}, {counted(batch, 'image')} at a time": own.time_ratio
            for (runtime, batch), own in part.groupby(["runtime", "batch"])
        }
        told = {"MACs": once.macs_ratio, **times, "compressed file": once.zstd_share}
        for cost, values in told.items():
            known = values.dropna()
            ends = (known.median(), known.min(), known.max()) if len(known) else [NOISE] * 3
            row = dict(zip(("median", "lowest", "highest"), ends, strict=True))
            rows.append({"kind": kind, "cost": cost, "n": len(known), **row})
    caption = "Cost of a pruned network, as a multiple of the same network unpruned"
    return replace(table(pd.DataFrame(rows), SPREAD, caption), shown=True)


def _conditions(frame: pd.DataFrame) -> Text:
    where = frame[["device", "threads"]].drop_duplicates().itertuples(index=False, name=None)
    named = listed([f"{device}, {counted(threads, 'CPU thread')}" for device, threads in where])
    return Text(
        f"Measured on {named}, in 32-bit floating point. A pruned network is measured at its "
        "breakpoint. A method that is missing for a network broke at once, and pruned nothing. "
        "Times are those of this machine. For yours, run: dvc repro --force --single-item measure."
    )

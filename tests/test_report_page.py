"""The report in a real browser: small and large studies, wide and narrow, light and dark."""

import itertools
import json
import re
import xml.etree.ElementTree as ElementTree

import browser
import pytest
from conftest import ROOT
from report_tables import committed_tables, layers, saved, study, twenty

from kdprune.reporting import report
from kdprune.reporting.document import html
from kdprune.reporting.figures import pareto, style

pytestmark = pytest.mark.skipif(browser.BROWSER is None, reason="no chromium here")
WIDTHS = (1400, 420)
PROBE = """<script>
"use strict";
addEventListener("load", async () => {
await new Promise(done => setTimeout(done, 1500)); // the chart is drawn meanwhile
const found = {};
const images = [...document.images];
const shown = item => item.getClientRects().length > 0;
found.pictures = images.filter(shown).map(image => image.complete && image.naturalWidth > 0);
found.first = images[0].getBoundingClientRect().top;
found.alts = images.map(image => image.alt);
found.wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
found.headings = [...document.querySelectorAll("h1, h2, h3, h4")].map(item => [
  Number(item.localName[1]), parseFloat(getComputedStyle(item).fontSize)]);
found.stops = [...document.querySelectorAll("a, button, summary, [tabindex]")].filter(
  item => shown(item) && item.tabIndex >= 0 && item.checkVisibility()).length;
const rgb = text => text.match(/[\\d.]+/g).map(Number);
const light = colour => rgb(colour).slice(0, 3).map(part => part / 255).map(
  part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
const bright = colour => light(colour).reduce(
  (sum, part, at) => sum + [0.2126, 0.7152, 0.0722][at] * part, 0);
const ground = item => {
  for (; item; item = item.parentElement) {
    const colour = getComputedStyle(item).backgroundColor;
    if ((rgb(colour)[3] ?? 1) > 0) return colour;
  }
  return "rgb(255, 255, 255)";
};
for (const fold of document.querySelectorAll("main details")) fold.open = true;
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
found.contrast = 99;
while (walk.nextNode()) {
  const item = walk.currentNode.parentElement;
  if (!walk.currentNode.data.trim() || !shown(item)) continue;
  const [a, b] = [bright(getComputedStyle(item).color), bright(ground(item))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < found.contrast) { found.contrast = ratio; found.faintest = item.outerHTML; }
}
found.opened = document.documentElement.scrollWidth - document.documentElement.clientWidth;
found.ground = bright(ground(document.body));
const column = header => [...header.closest("table").tBodies[0].rows].map(
  row => row.cells[header.cellIndex].dataset.value ?? null);
const falls = values => values.some((value, at) => at && Number(value) < Number(values[at - 1]));
const header = [...document.querySelectorAll("th.number")].find(item => falls(column(item)));
found.orders = [column(header)];
for (let turn = 0; turn < 3; turn++) {
  header.querySelector("button").click();
  found.orders.push(column(header));
}
const places = [...document.querySelectorAll("table")].map(table => [...table.tHead.rows[0].cells]);
const decides = cell => cell.textContent === "p of the ratio, Holm";
const holm = places.find(cells => cells.some(decides));
found.holm = holm.find(decides).getBoundingClientRect().right;
delete found.faintest;
const chart = document.querySelector(".chart");
found.chart = {
  lines: chart.querySelectorAll("svg .mark-line path").length,
  points: chart.querySelectorAll("svg .mark-symbol.role-mark path").length,
  choices: [...chart.querySelectorAll("select")].map(item => item.options.length),
};
const strokes = [...chart.querySelectorAll("svg .mark-line path")];
found.strokes = [...new Set(strokes.map(item => item.getAttribute("stroke")))].sort();
document.body.dataset.found = JSON.stringify(found);
});</script>"""


def made(tables, folder, layer_table=None):
    svgs, drawn = saved(tables, folder, layer_table)
    library = html.libraries(ROOT / ".dvc/plots_page.html")
    pages = folder / "report.md", folder / "report.html"
    report.write(*pages, **tables, figures=drawn, library=library, layers=layer_table)
    return folder, svgs, drawn


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The committed study: three pairs."""
    tables = committed_tables()
    return made(tables, tmp_path_factory.mktemp("small"), layers(tables["sweeps"]))


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Twenty pairs on two data sets by three distillation methods."""
    tables = study(twenty(), distillers=("simkd", "kd", "none"), spread=2)
    return made(tables, tmp_path_factory.mktemp("large"), layers(tables["sweeps"]))


def looked(folder, tmp_path, width: int, *flags: str) -> dict:
    """What a script sees in the page once it is there; nothing may come to the console.

    Chromium has no window narrower than 500 pixels: a narrow page is looked at in a frame.
    """
    page = tmp_path / "report.html"
    text = (folder / "report.html").read_text()
    before, _, after = text.rpartition("</body>")  # Vega-Embed's script names the tag, too
    page.write_text(f"{before}{PROBE}</body>{after}")
    size = f"--window-size={max(width, 500)},900"
    if width < 500:
        page = framed(page, width)
    dom, console = browser.open_page(page, tmp_path / "profile", size, *flags)
    assert not console
    found = re.search(r'data-found="([^"]*)"', dom)[1]
    return json.loads(found.replace("&quot;", '"').replace("&amp;", "&"))


def framed(page, width: int):
    """A page that holds another in a frame of some width, and tells what was found in it."""
    tell = "parent.postMessage(document.body.dataset.found, '*');\n});</script></body>"
    page.write_text(page.read_text().replace("});</script></body>", tell))
    outer = page.with_name("framed.html")
    outer.write_text(
        f'<iframe src="{page.name}" width="{width}" height="900"></iframe><script>'
        "addEventListener('message', told => { document.body.dataset.found = told.data; });"
        "</script>"
    )
    return outer


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dark", [False, True])
def test_a_small_study_is_read_at_once(small, tmp_path, width, dark):
    found = looked(small[0], tmp_path, width, *["--force-dark-mode"] * dark)
    check(found)
    assert (found["ground"] < 0.1) == dark
    text = (small[0] / "report.html").read_text()
    assert len(text) < 1.5e6
    assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", text)
    curves = len(committed_tables()["breakpoints"])
    lines = curves + 1  # and that of the unbeaten
    assert found["chart"] == {"lines": lines, "points": 10 * curves, "choices": [3, 2, 3]}
    light = ["#0072b2", pareto.GREY, "#d55e00"]
    assert found["strokes"] == (
        sorted(style.DARK.get(one, one) for one in light) if dark else light
    )
    if width == WIDTHS[0]:
        assert found["holm"] <= width  # the p that decides needs no scrolling


def check(found):
    """What holds at any width for any study."""
    assert len(found["pictures"]) >= 4
    assert all(found["pictures"])
    assert found["first"] < 700  # of 900: not only its edge
    assert found["wide"] <= 0
    assert found["opened"] <= 0  # with all tables open, too
    assert found["contrast"] >= 4.5
    assert min(map(len, found["alts"])) > 40  # a finding, not a name
    levels = [level for level, _ in found["headings"]]
    assert levels[0] == 1 == levels.count(1)
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    largest = dict(map(tuple, reversed(found["headings"])))
    assert largest[1] > largest[2]
    assert found["stops"] <= 64  # not a stop for every column of every table


def test_a_column_sorts_up_down_and_back(small, tmp_path):
    first, up, down, back = looked(small[0], tmp_path, 1400)["orders"]
    numbers = sorted(float(value) for value in first if value is not None)
    missing = [None] * first.count(None)
    assert [value and float(value) for value in up] == numbers + missing
    assert [value and float(value) for value in down] == numbers[::-1] + missing
    assert back == first != up


def texts(svg: str) -> list[tuple[float, float, str]]:
    """What is written in a picture, and where: x, y, text."""
    found = []
    for element in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text"):
        where = re.findall(r"-?[\d.]+", element.get("transform", "")) or [0, 0]
        x, y = element.get("x"), element.get("y")
        x, y = (x, y) if x is not None else where[:2]
        found.append((float(x), float(y), "".join(element.itertext()).strip()))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
def test_a_large_study_is_read_at_once(large, tmp_path, width):
    found = looked(large[0], tmp_path, width)
    check(found)
    assert found["chart"]["lines"] == 2 * 20 + 1  # of one data set and one kind, and the unbeaten
    assert found["chart"]["choices"] == [3, 3, 5]


@pytest.mark.slow
def test_twenty_pairs_on_two_data_sets_by_three_methods_are_readable(large):
    folder, svgs, drawn = large
    told = texts(svgs["pairs"])
    names = [text for _, _, text in told if "→" in text]
    assert len(names) == len(set(names)) == 20
    for name, svg in svgs.items():
        width, height = map(float, re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)[0])
        assert width <= 1100, name
        # words are horizontal, within the sheet, and none stands on another
        assert not re.search(r"rotate\(-(?!0\b)", svg), name
        placed = texts(svg)
        assert all(0 <= x <= width and 0 <= y <= height for x, y, _ in placed), name
        assert len({(round(x), round(y)) for x, y, _ in placed}) == len(placed), name
    assert [title for title, _ in drawn["accuracy"].parts] == [
        f"{name}, students {how}"
        for name in ("CIFAR-10", "CIFAR-100")
        for how in ("by SimKD", "by KD", "without a teacher")
    ]
    assert (folder / "report.html").stat().st_size < 3e6
    first = (folder / "report.md").read_text().split("## ")[1]
    assert first.count("of 20 pairs") >= 2  # three methods are not sixty pairs
    assert "60 pairs" not in first

"""The report in a real browser: it stands alone, answers first, sorts, and suits dark and print."""

import json
import re

import browser
import pytest

pytestmark = pytest.mark.skipif(browser.BROWSER is None, reason="no chromium here")
PROBE = """<script>
"use strict";
const found = {};
found.pictures = [...document.images].map(image => image.complete && image.naturalWidth > 0);
found.answer = document.querySelector("section.answer").getBoundingClientRect().bottom;
found.wide = document.documentElement.scrollWidth - window.innerWidth;
found.colours = ["color", "backgroundColor"].map(name => getComputedStyle(document.body)[name]);
const column = header => [...header.closest("table").tBodies[0].rows].map(
  row => row.cells[header.cellIndex].dataset.value ?? null);
const falls = values => values.some((value, at) => at && Number(value) < Number(values[at - 1]));
const header = [...document.querySelectorAll("th.number")].find(item => falls(column(item)));
const values = () => column(header);
found.orders = [values()];
for (let turn = 0; turn < 3; turn++) {
  header.querySelector("button").click();
  found.orders.push(values());
}
document.body.dataset.found = JSON.stringify(found);
</script>"""


def looked(root, tmp_path, *flags: str) -> dict:
    """What a script sees in the page once it is there; nothing may come to the console."""
    page = tmp_path / "report.html"
    text = (root / "plots/report.html").read_text()
    page.write_text(text.replace("</body>", PROBE + "</body>"))
    dom, console = browser.open_page(page, tmp_path / "profile", *flags)
    assert not console
    found = re.search(r'data-found="([^"]*)"', dom)[1]
    return json.loads(found.replace("&quot;", '"'))


def test_it_stands_alone_and_answers_on_the_first_screen(root, tmp_path):
    found = looked(root, tmp_path, "--window-size=1280,900")
    assert len(found["pictures"]) >= 4
    assert all(found["pictures"])
    assert found["answer"] <= 900
    text = (root / "plots/report.html").read_text()
    assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", text)


def test_it_fits_a_telephone(root, tmp_path):
    assert looked(root, tmp_path, "--window-size=500,900")["wide"] <= 0


def test_a_column_sorts_up_down_and_back(root, tmp_path):
    first, up, down, back = looked(root, tmp_path)["orders"]
    numbers = sorted(float(value) for value in first if value is not None)
    missing = [None] * first.count(None)
    assert [value and float(value) for value in up] == numbers + missing
    assert [value and float(value) for value in down] == numbers[::-1] + missing
    assert back == first != up


def brightness(colour: str) -> float:
    return sum(map(float, re.findall(r"[\d.]+", colour)[:3])) / 3


def test_it_is_dark_where_that_is_wished(root, tmp_path):
    text, ground = map(brightness, looked(root, tmp_path)["colours"])
    assert text < 100 < 200 < ground
    text, ground = map(brightness, looked(root, tmp_path, "--force-dark-mode")["colours"])
    assert ground < 100 < 200 < text

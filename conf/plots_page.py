"""Write .dvc/plots_page.html, the page that `dvc plots` fills: it works with the network off.

DVC's own page loads Vega from a public host. This one holds the same versions, from their npm
packages, with their licences: python conf/plots_page.py (needs npm). Run it to change a version.
"""

import io
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PAGE = Path(".dvc/plots_page.html")
SCRIPTS = {  # as DVC 3.67 names them
    "vega@5.20.2": "build/vega.min.js",
    "vega-lite@5.2.0": "build/vega-lite.min.js",
    "vega-embed@6.18.2": "build/vega-embed.min.js",
}
FRAME = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>kdprune: plots</title>
{refresh_tag}
<style>
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 1160px; padding: 24px; }
body > div { border-top: 1px solid #8885; overflow-x: auto; padding: 24px 0; }
h1 { font-size: 22px; margin: 0 0 4px; }
p { color: #555; margin: 0 0 24px; max-width: 46em; }
img { max-width: 100%%; }
@media (prefers-color-scheme: dark) {
  body { background: #15171a; color: #e4e6e9; }
  p { color: #a7aeb7; }
}
</style>
%s
<script>
// As SVG: sharp at any zoom, and its marks can be read. The colours follow the page, and legends
// name what is drawn: the templates know every pruning method.
const embedAsCanvas = vegaEmbed;
const dark = matchMedia("(prefers-color-scheme: dark)").matches;
const lighter = {
  "#0072b2": "#5fb8f0", "#d55e00": "#ff9a56", "#00805b": "#3fd0a0", "#a03d83": "#e58fca",
  "#7a6a00": "#dcc64a", "#b3243f": "#ff8a98", "#4a4fb8": "#a9adff", "#6a7078": "#a6acb5",
  "#7b4a1e": "#d9a066", "#00778a": "#5cd3e6",
};
const adapt = (spec, rows) => {
  const { field, scale } = spec;
  if (dark && field && scale?.range && !scale.domain) {
    scale.range = scale.range.map((value) => lighter[value] ?? value);
  }
  if (field && scale?.domain?.length && scale.domain.length === scale.range?.length) {
    const there = new Set(rows.map((row) => row[field]));
    const places = scale.domain.map((name, at) => at).filter((at) => there.has(scale.domain[at]));
    const range = places.map((at) => scale.range[at]);
    scale.range = dark ? range.map((value) => lighter[value] ?? value) : range;
    scale.domain = places.map((at) => scale.domain[at]);
  }
  for (const [name, part] of Object.entries(spec)) {
    if (name !== "data" && part && typeof part === "object") adapt(part, rows);
  }
};
vegaEmbed = (element, spec) => {
  adapt(spec, spec.data?.values ?? []);
  const narrow = innerWidth < 700;
  if (spec.facet && narrow) {
    spec.columns = Math.max(1, Math.floor(innerWidth / 300));
    spec.title.subtitle = spec.title.subtitle.split(/(?<=[;.]) /); // a line each
  }
  const [ink, soft] = dark ? ["#e4e6e9", "#a7aeb7"] : ["#1c1e21", "#555c64"];
  const line = dark ? "#444a52" : "#ddd";
  const words = { labelColor: soft, titleColor: soft };
  spec.config = {
    ...spec.config,
    background: null,
    axis: { ...spec.config?.axis, ...words, gridColor: line, domainColor: line, tickColor: line },
    legend: {
      labelColor: ink, titleColor: soft, symbolOpacity: 1, symbolBaseFillColor: soft,
      orient: narrow ? "top" : "right",
    },
    header: { ...spec.config?.header, labelColor: ink },
    title: { ...spec.config?.title, color: ink, subtitleColor: soft },
    view: { ...spec.config?.view, stroke: line },
  };
  return embedAsCanvas(element, spec, { renderer: "svg" });
};
</script>
</head>
<body>
<h1>Which pruning keeps more accuracy per parameter after distillation?</h1>
<p><code>kdprune report --open</code> shows the answer. This page shows the curves behind it.
Point at a mark for its numbers. <code>dvc plots diff A B</code> overlays two revisions.</p>
{plot_divs}
</body>
</html>
"""


def script(package: str, member: str, folder: Path) -> str:
    """Fetch an npm package; return its script as an element, its licence before it."""
    command = ["npm", "pack", "--silent", "--pack-destination", str(folder), package]
    name = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    with tarfile.open(fileobj=io.BytesIO((folder / name).read_bytes())) as archive:
        licence = archive.extractfile("package/LICENSE").read().decode().strip()
        code = archive.extractfile(f"package/{member}").read().decode().strip()
    code = code.replace("</script", "<\\/script")
    return f"<script>\n/*! {package}\n{licence}\n*/\n{code}\n</script>"


def main() -> None:
    """Write the page."""
    with tempfile.TemporaryDirectory() as folder:
        scripts = [script(package, member, Path(folder)) for package, member in SCRIPTS.items()]
    PAGE.write_text(FRAME % "\n".join(scripts), encoding="utf-8")
    print(f"{PAGE}: {PAGE.stat().st_size / 1e3:.0f} kB", file=sys.stderr)


if __name__ == "__main__":
    main()

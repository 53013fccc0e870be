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
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 1160px; padding: 24px; }
body > div { border-top: 1px solid #ddd; overflow-x: auto; padding: 24px 0; }
h1 { font-size: 22px; margin: 0 0 4px; }
p { color: #444; margin: 0 0 24px; max-width: 46em; }
img { max-width: 100%%; }
</style>
%s
<script>
// as SVG: sharp at any zoom, and its marks can be read
const embedAsCanvas = vegaEmbed;
vegaEmbed = (element, spec) => embedAsCanvas(element, spec, {renderer: "svg"});
</script>
</head>
<body>
<h1>Which pruning matches a distilled network best?</h1>
<p>Drawn by <code>dvc plots</code> from the tables in <code>plots/</code>. Hover for numbers.
Overlay two revisions with <code>dvc plots diff A B</code>. The full account is
<code>plots/report.html</code>.</p>
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

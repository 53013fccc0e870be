"""Draw the pages that people look at into docs/images: python docs/screenshots.py.

Needs chromium, and the results of `dvc repro`.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--hide-scrollbars",
    "--virtual-time-budget=20000",
]
SIZES = {"plots": (1080, 1570), "report": (1280, 1400), "docs": (1280, 900)}  # pixels


def shoot(browser: str, page: Path, name: str, profile: Path) -> None:
    """Draw `page` to docs/images/NAME.png, in as many colours as a page has."""
    width, height = SIZES[name]
    target = IMAGES / f"{name}.png"
    size = f"--window-size={width},{height}"
    command = [browser, *FLAGS, f"--user-data-dir={profile}", size, f"--screenshot={target}"]
    subprocess.run([*command, page.as_uri()], check=True, capture_output=True, timeout=120)
    with Image.open(target) as image:
        image.convert("RGB").quantize(256).save(target, optimize=True)


def main() -> None:
    """Make the pages, and draw them."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if not browser:
        sys.exit("kdprune: docs/screenshots.py needs chromium")
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = [sys.executable, "-m"]
        subprocess.run(
            [*python, "dvc", "plots", "show", "-o", folder / "plots"], cwd=ROOT, check=True
        )
        build = ["mkdocs", "build", "--quiet", "--no-directory-urls", "-d", folder / "docs"]
        subprocess.run([*python, *build], cwd=ROOT, check=True)
        pages = {
            "plots": folder / "plots" / "index.html",
            "report": ROOT / "plots" / "report.html",
            "docs": folder / "docs" / "index.html",
        }
        for name, page in pages.items():
            shoot(browser, page, name, folder / "profile")


if __name__ == "__main__":
    main()

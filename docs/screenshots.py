"""Draw the pages that people look at: python docs/screenshots.py [FOLDER].

Without FOLDER, into docs/images. With it, every page of the site, all reports and the plots page
into FOLDER at 1400 and 420 pixels, light and dark: what to look at before a change of the pages.
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
SIZES = {"plots": (1080, 1570), "report": (1400, 900), "docs": (1280, 1100)}  # pixels
SHOWN = ("plots",)  # in a page: drawn for dark readers, too
WIDTHS = (1400, 420)
TALL = 2400
THEMES = {"light": [], "dark": ["--force-dark-mode"]}


def shoot(browser: str, page: Path, name: str, profile: Path, theme: str = "light") -> None:
    """Draw `page` to docs/images/NAME.png or NAME-dark.png, in as many colours as a page has."""
    width, height = SIZES[name]
    target = IMAGES / (f"{name}.png" if theme == "light" else f"{name}-{theme}.png")
    size = f"--window-size={width},{height}"
    own = [f"--user-data-dir={profile}-{theme}", *THEMES[theme]]
    command = [browser, *FLAGS, *own, size, f"--screenshot={target}", page.as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    with Image.open(target) as image:
        image.convert("RGB").quantize(256).save(target, optimize=True)


def review(browser: str, page: Path, name: str, folder: Path, profile: Path) -> None:
    """Draw `page` to FOLDER/NAME-WIDTH-THEME.png at each of WIDTHS, light and dark."""
    for width in WIDTHS:
        frame = profile.with_name(f"frame-{name}-{width}.html")  # no window is narrower than 500
        frame.write_text(
            f'<body style="margin:0"><iframe src="{page.as_uri()}" width="{width}" height="{TALL}" '
            'style="border:0"></iframe>',
            encoding="utf-8",
        )
        for theme, flags in THEMES.items():
            target = folder / f"{name}-{width}-{theme}.png"
            size = [f"--window-size={max(width, 500)},{TALL}", f"--screenshot={target}"]
            allow = [f"--user-data-dir={profile}-{theme}", "--allow-file-access-from-files", *flags]
            command = [browser, *FLAGS, *allow, *size, frame.as_uri()]
            subprocess.run(command, check=True, capture_output=True, timeout=120)


def pages(folder: Path) -> dict[str, Path]:
    """Make the pages that are not there, in `folder`; return where each lies."""
    python = [sys.executable, "-m"]
    subprocess.run([*python, "dvc", "plots", "show", "-o", folder / "plots"], cwd=ROOT, check=True)
    build = ["mkdocs", "build", "--quiet", "--no-directory-urls", "-d", folder / "docs"]
    subprocess.run([*python, *build], cwd=ROOT, check=True)
    return {
        "plots": folder / "plots" / "index.html",
        "report": ROOT / "plots" / "report.html",
        "deployment": ROOT / "plots" / "deployment.html",
        **{path.parts[-3]: path for path in sorted(ROOT.glob("studies/*/plots/report.html"))},
        "docs": folder / "docs" / "index.html",
        **{path.stem: path for path in sorted((folder / "docs").rglob("*.html")) if wanted(path)},
    }


def wanted(path: Path) -> bool:
    """Tell whether a page of the site is one of ours, and not the first, which is there."""
    return "tree" not in path.parts and path.stem not in ("404", "index")


def main() -> None:
    """Make the pages, and draw them."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if not browser:
        sys.exit("kdprune: docs/screenshots.py needs chromium")
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for page, path in pages(folder).items():
            if len(sys.argv) > 1:
                target = Path(sys.argv[1])
                target.mkdir(parents=True, exist_ok=True)
                review(browser, path, page, target, folder / "profile")
            elif page in SIZES:
                for theme in THEMES if page in SHOWN else ("light",):
                    shoot(browser, path, page, folder / "profile", theme)


if __name__ == "__main__":
    main()

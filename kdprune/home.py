"""Where the study's own form lies: its stages, its configuration, its dvc.yaml.

In a clone that is the clone's root. A wheel holds the same files in the package itself, under
shipped/ (setup.py puts them there), so that `kdprune init` makes studies without a clone.
"""

from pathlib import Path

PACKAGE = Path(__file__).parent
SHIPPED = "shipped"
# What makes a study, by paths from the clone's root: what a wheel ships beside the package's code
STAGES = ("stages",)
FORM = (
    "dvc.yaml",
    ".dvcignore",
    ".gitignore",
    ".dvc/config",
    ".dvc/.gitignore",
    ".dvc/plots",
    ".dvc/plots_page.html",
    "conf",
)
IMAGES = ("data/embedded",)
LEFT_OUT = ("__pycache__", "*.pyc")


def home() -> Path:
    """Return the folder that holds what `STAGES`, `FORM` and `IMAGES` name."""
    shipped = PACKAGE / SHIPPED
    return shipped if shipped.is_dir() else PACKAGE.parent


def located(file: str) -> Path:
    """Return where a file or folder of the project lies: kdprune/…, or what `home` holds."""
    inside = file == "kdprune" or file.startswith("kdprune/")
    return (PACKAGE.parent if inside else home()) / file

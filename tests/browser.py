"""A real headless browser with the network off: what a page holds once its scripts have run."""

import shutil
import subprocess
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next((path for path in map(shutil.which, NAMES) if path), None)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # no name resolves: the network is off
    "--enable-logging=stderr",
    "--virtual-time-budget=20000",
    "--window-size=1200,3000",
]


def open_page(page: Path, profile: Path, *flags: str) -> tuple[str, list[str]]:
    """Return the page's DOM as HTML, and what its scripts wrote to the console."""
    command = [BROWSER, *FLAGS, f"--user-data-dir={profile}", *flags, "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    return done.stdout, console

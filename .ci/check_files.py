"""What every committed text file keeps to: python check_files.py [--largest KB] FILE …"""

import argparse
import re
import sys
from pathlib import Path

MARKER = re.compile(rb"^(<{7} |>{7} |={7}$)", re.MULTILINE)


def faults(path: Path, largest: int) -> list[str]:
    """Return what is wrong with a file of at most `largest` kilobytes; binary ones have no lines."""
    content = path.read_bytes()
    found = []
    if len(content) > 1000 * largest:
        found.append(f"{len(content) // 1000} kB; at most {largest} belong in git: let DVC keep it")
    if b"\0" in content[:8192]:
        return found
    if content and not content.endswith(b"\n"):
        found.append("does not end with a newline")
    if content.endswith(b"\n\n"):
        found.append("ends with empty lines")
    if b"\r\n" in content:
        found.append("has line ends of Windows")
    if match := re.search(rb"[ \t]+$", content, re.MULTILINE):
        found.append(f"line {content.count(b'\n', 0, match.start()) + 1} ends with blanks")
    if match := MARKER.search(content):
        found.append(f"line {content.count(b'\n', 0, match.start()) + 1} is left of a merge")
    return found


def main() -> int:
    """Check the files that the command line names; return 1 where one is at fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--largest", type=int, default=500, metavar="KB")
    given = parser.parse_args()
    told = [
        f"{path}: {fault}"
        for path in given.files
        if path.is_file() and not path.is_symlink()
        for fault in faults(path, given.largest)
    ]
    print("\n".join(told), end="\n" if told else "")
    return bool(told)


if __name__ == "__main__":
    sys.exit(main())

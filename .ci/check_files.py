"""What every committed text file keeps to: python check_files.py [--largest KB] FILE …"""

import argparse
import re
import sys
from pathlib import Path

LINES = {
    rb"[ \t]+$": "ends with blanks",
    rb"^(<{7} |>{7} |={7}$)": "is left of a merge",
}


def faults(path: Path, largest: int) -> list[str]:
    """Return what is wrong with a file, which may have `largest` kB; binary ones have no lines."""
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
    for pattern, problem in LINES.items():
        if match := re.search(pattern, content, re.MULTILINE):
            line = content[: match.start()].count(b"\n") + 1
            found.append(f"line {line} {problem}")
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

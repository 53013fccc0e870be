"""A clone in which instances run one after another, on a node that shares no folder with the user.

python -m kdprune.running.slot NAME …: the last is run; those before it are restored first. Needs a
cache that all clones share, or a DVC remote (KDPRUNE_REMOTE=1) as the meeting point.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kdprune.errors import KdpruneError
from kdprune.running import group
from kdprune.running.here import LAST

PAUSES = (2.0, 10.0)  # seconds before another `dvc push`: remotes have moments
MOST = 2**18  # bytes of an attempt's output that are kept, from its end


def clone(bundle: Path, folder: Path, settings: str) -> None:
    """Clone the bundle's branch into `folder`, and write its .dvc/config.local: `settings`.

    A folder that exists is taken to be an earlier slot's, and brought to the bundle's commit: its
    data stay. Raises KdpruneError where git refuses.
    """
    if not (folder / ".git").exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        _git(["clone", "-q", str(bundle), str(folder)], Path())
    _git(["fetch", "-q", str(bundle), "HEAD"], folder)
    _git(["checkout", "-q", "--force", "--detach", "FETCH_HEAD"], folder)
    (folder / ".dvc" / "config.local").write_text(settings, encoding="utf-8")


def bundle(folder: Path, file: Path) -> None:
    """Write a commit of all tracked and new files of `folder` into a bundle.

    What the user has not committed goes with it; git's index, branch and files stay as they are.
    Raises KdpruneError where there is no commit.
    """
    identity(folder)
    index = {"GIT_INDEX_FILE": str(file.with_suffix(".index").resolve())}
    who = {
        f"GIT_{role}_{what}": "kdprune@localhost"
        for role in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    _git(["read-tree", "HEAD"], folder, index)
    _git(["add", "-A"], folder, index)
    tree = _git(["write-tree"], folder, index)
    commit = _git(["commit-tree", tree, "-p", "HEAD", "-m", "as it runs"], folder, who)
    _git(["update-ref", "refs/kdprune/run", commit], folder)
    named = file.with_suffix(".git")
    _git(["clone", "-q", "--bare", "--shared", str(folder.resolve()), str(named)], Path())
    _git(["fetch", "-q", str(folder.resolve()), "refs/kdprune/run"], named)
    _git(["update-ref", "HEAD", "FETCH_HEAD"], named)
    _git(["bundle", "create", "-q", str(file.resolve()), "HEAD"], named)
    _git(["update-ref", "-d", "refs/kdprune/run"], folder)


def identity(folder: Path) -> str:
    """Return what names a study on every machine: a hash of its history's first commit.

    Raises KdpruneError where there is no commit.
    """
    try:
        first = _git(["rev-list", "--max-parents=0", "HEAD"], folder)
    except KdpruneError as error:
        raise KdpruneError(
            f"--ray: {error}; commit once here: the nodes clone what git has"
        ) from None
    return hashlib.sha256(first.encode()).hexdigest()[:16]


def _git(arguments: list[str], folder: Path, variables: dict[str, str] | None = None) -> str:
    """Return what git prints. Raises KdpruneError with what it says instead."""
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env={**os.environ, **(variables or {})},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        told = next((line for line in lines if line.startswith(("fatal", "error"))), lines[-1])
        raise KdpruneError(f"git {arguments[0]}: {told}")
    return done.stdout.strip()


def commands(name: str, *, remote: bool) -> list[list[str]]:
    """Return DVC's commands that run an instance after restoring what it needs."""
    repro = ["repro", *(["--pull"] if remote else []), name]
    return [repro, ["push", "--run-cache", name]] if remote else [repro]


def run(name: str, folder: Path, *, remote: bool, variables: dict[str, str]) -> tuple[int, bytes]:
    """Run an instance in a slot's clone; return its exit status and the end of its output.

    A push is tried three times: what it would lose is a whole training.
    """
    repro, *pushes = commands(name, remote=remote)
    status, output = _dvc(repro, folder, variables)
    for push in pushes if not status else []:
        for pause in (0.0, *PAUSES):
            time.sleep(pause)
            status, said = _dvc(push, folder, variables)
            output += said
            if not status:
                break
        else:
            tried = f"`dvc push` failed {len(PAUSES) + 1} times"
            output += f"\nkdprune: {name} itself is done, on this node; only {tried}".encode()
    return status, output[-MOST:]


def _dvc(arguments: list[str], folder: Path, variables: dict[str, str]) -> tuple[int, bytes]:
    """Run DVC in the clone's own code; return its exit status and the end of its output."""
    with tempfile.TemporaryFile() as file:
        own = {"PYTHONPATH": str(folder), **variables}
        status = group.wait(group.start(arguments, folder, own, file))
        file.seek(max(0, file.seek(0, os.SEEK_END) - MOST))
        output = file.read()
    return group.told(status, output), output


def tail_of(output: bytes) -> str:
    """Return the last lines of an output."""
    return "\n".join(output.decode(errors="replace").splitlines()[-LAST:])


def main(names: list[str]) -> int:
    """Run an instance in the folder at hand; return its exit status."""
    remote = "KDPRUNE_REMOTE" in os.environ
    status, output = run(names[-1], Path.cwd(), remote=remote, variables={})
    print(tail_of(output) if status else "", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

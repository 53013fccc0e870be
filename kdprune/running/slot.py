"""A clone in which instances run one after another, on a node that shares no folder with the user.

python -m kdprune.running.slot NAME …: the last is run; those before it are restored first. Needs a
cache that all clones share, or a DVC remote (KDPRUNE_REMOTE=1) as the meeting point.
"""

import os
import subprocess
import sys
from pathlib import Path

from kdprune.running.here import LAST, NO_ROOM, environment
from kdprune.running.scheduler import Done


def clone(bundle: Path, folder: Path, settings: str) -> None:
    """Clone the bundle's branch into `folder`, and write its .dvc/config.local: `settings`.

    A folder that exists is taken to be an earlier slot's, and brought to the bundle's commit: its
    unfinished work and data stay. Raises CalledProcessError where git refuses.
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
    """
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


def _git(arguments: list[str], folder: Path, variables: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env={**os.environ, **(variables or {})},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def commands(name: str, *, remote: bool) -> list[list[str]]:
    """Return DVC's commands that run an instance after restoring what it needs."""
    repro = ["repro", *(["--pull"] if remote else []), name]
    return [repro, ["push", "--run-cache", name]] if remote else [repro]


def run(name: str, folder: Path, *, remote: bool, variables: dict[str, str]) -> Done:
    """Run an instance in a slot's clone, as `kdprune.running.child`: nothing outlives us."""
    tail = ""
    for arguments in commands(name, remote=remote):
        dvc = [sys.executable, "-m", "dvc", "--wait-for-lock", *arguments]
        done = subprocess.run(
            [sys.executable, "-m", "kdprune.running.child", *dvc],
            cwd=folder,
            env={**environment(), "PYTHONPATH": str(folder), **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        text = done.stdout.decode(errors="replace")
        tail = "\n".join(text.splitlines()[-LAST:])
        if done.returncode:
            from kdprune.running.here import ENDED

            told = ENDED.findall(done.stdout)
            status = int(told[-1]) if told else done.returncode
            return Done(status, 0.0, tail, crowded=NO_ROOM in tail)
    return Done(0, 0.0, "")


def main(names: list[str]) -> int:
    """Run an instance in the folder at hand; return its exit status."""
    done = run(names[-1], Path.cwd(), remote="KDPRUNE_REMOTE" in os.environ, variables={})
    print(done.tail, file=sys.stderr)
    return done.status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

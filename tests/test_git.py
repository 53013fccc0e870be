"""What git does to files on other systems: nothing."""

import subprocess

import workspace
from conftest import ROOT, some


def test_a_clone_with_autocrlf_holds_the_same_bytes(tmp_path):
    """Else dvc.lock's hashes are wrong on Windows, and all files of text count as modified."""
    origin, clone = tmp_path / "origin", tmp_path / "clone"
    origin.mkdir()
    (origin / ".gitattributes").write_bytes((ROOT / ".gitattributes").read_bytes())
    texts = {"unix.py": b"a\nb\n", "windows.csv": b"a\r\nb\r\n", "mixed.svg": b"a\r\nb\n"}
    for name, held in texts.items():
        (origin / name).write_bytes(held)
    workspace.git(origin, "init", "-q")
    workspace.commit(origin, "texts")
    workspace.git(tmp_path, "clone", "-q", "-c", "core.autocrlf=true", str(origin), str(clone))
    assert {name: (clone / name).read_bytes() for name in texts} == texts
    workspace.git(clone, "add", "--renormalize", ".")
    workspace.git(clone, "diff", "--cached", "--exit-code")


def test_no_file_of_the_tree_is_text_to_git():
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True).stdout
    ask = ["git", "check-attr", "-z", "--stdin", "text"]
    told = subprocess.run(ask, cwd=ROOT, input=names, capture_output=True).stdout.split(b"\0")
    assert {*some(told[2::3])} == {b"unset"}

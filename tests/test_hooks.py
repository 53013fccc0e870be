"""The checks before a commit find what they are for, and name only what is there."""

import shlex
import subprocess
import sys

import pytest
import yaml

SCRIPT = ".ci/check_files.py"


def check(root, *files):
    command = [sys.executable, root / SCRIPT, "--largest", "2", *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a\nb", "does not end with a newline"),
        (b"a\n\n", "ends with empty lines"),
        (b"a\r\nb\r\n", "line ends of Windows"),
        (b"a\nb \nc\n", "line 2 ends with blanks"),
        (b"a\n<<<<<<< HEAD\n", "line 2 is left of a merge"),
        (b"x" * 2001, "2 kB; at most 2"),
        (b"\0" + b"x" * 2001, "2 kB; at most 2"),
    ],
)
def test_a_fault_is_named(root, tmp_path, content, said):
    file = tmp_path / "a file.txt"
    file.write_bytes(content)
    done = check(root, file)
    assert done.returncode == 1
    assert f"{file}: " in done.stdout
    assert said in done.stdout


@pytest.mark.parametrize("content", [b"", b"a\n", b"a\nb\n", b"\0 \n\n", b"=======\tx\n"])
def test_good_files_pass(root, tmp_path, content):
    file = tmp_path / "file"
    file.write_bytes(content)
    done = check(root, file, tmp_path / "deleted")
    assert (done.returncode, done.stdout) == (0, "")


def test_hooks_need_no_network_and_name_what_exists(root):
    config = yaml.safe_load((root / ".pre-commit-config.yaml").read_text())
    assert [repo["repo"] for repo in config["repos"]] == ["local"]
    for hook in config["repos"][0]["hooks"]:
        python, *arguments = shlex.split(hook["entry"])
        assert hook["language"] == "system"
        assert (root / python).stat().st_mode & 0o111
        for word in arguments:
            if "/" in word:
                assert (root / word).exists(), word


def test_the_python_of_the_project_comes_first(root, tmp_path):
    script, own = root / ".ci/python", tmp_path / ".venv/bin/python"
    own.parent.mkdir(parents=True)
    own.write_text('#!/bin/sh\necho own "$@"\n')
    own.chmod(0o755)
    assert subprocess.check_output([script, "-m", "x"], cwd=tmp_path, text=True) == "own -m x\n"
    own.unlink()
    code = [script, "-c", "print(1)"]
    assert subprocess.check_output(code, cwd=tmp_path, text=True) == "1\n"

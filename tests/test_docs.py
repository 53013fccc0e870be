"""The documentation: its commands run, and their outputs are those that it shows.

`python tests/test_docs.py` writes the outputs that pages show anew.
"""

import contextlib
import hashlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, some
from docs_pages import (
    DOCS,
    EXAMPLES,
    FENCE,
    PAGES,
    blocks,
    commands,
    composed,
    every,
    named,
    unset,
)
from workspace import commit, git

from kdprune import __main__ as entrance
from kdprune import cli
from kdprune.errors import KdpruneError

OUTPUT = re.compile(
    r"(^```sh\n(?P<commands>(?:(?!```).*\n)+)```\n<!-- output -->\n```text\n)"
    r"(?P<output>(?:(?!```).*\n)*)(```$)",
    re.MULTILINE,
)
STUDENT = "cifar10-resnet10_24-resnet10_16-simkd"
SLOW = pytest.mark.slow
RUN = [  # of DVC, cheap: these are run; of the others, the arguments and overrides are checked
    ["metrics", "show"],
    ["metrics", "diff"],
    ["params", "diff"],
    ["plots", "show"],
    ["plots", "diff"],
    ["exp", "show"],
    ["stage", "list"],
    ["status"],
]
SET = [["remote"], ["config"]]  # these are run, in a repository of their own
NOT_RUN = ["push", "pull", "checkout", "unprotect", "exp", "queue", "repro"]
SHELL = {"git", "cd", "mkdir", ".", "export"}
KNOWN_GIT = {"add", "commit", "clone", "diff", "pull", "push", "restore", "switch", "checkout"}


# The tree's copy, with the results, in which commands run


def make(folder: Path) -> Path:
    """Copy the tree with its results into a repository."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in names.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "config", "user.name", "test")
    git(folder, "config", "user.email", "test@localhost")
    commit(folder, "results")
    return folder


def fill(folder: Path) -> None:
    """Add networks and images, those of this tree where it has them, and a photo."""
    if current():
        for name in ("models", "data/cifar10"):
            shutil.copytree(ROOT / name, folder / name, dirs_exist_ok=True)
    else:
        stand_ins(folder)
    photo(folder / "photo.png")


def current() -> bool:
    """Whether the student of the pages is here as dvc.lock has it: not so in a fresh clone."""
    path = f"models/students/{STUDENT}.safetensors"
    lock = yaml.safe_load((ROOT / "dvc.lock").read_text())["stages"][f"distill@{STUDENT}"]
    wanted = next(item["md5"] for item in lock["outs"] if item["path"] == path)
    here = (ROOT / path).is_file() and (ROOT / "data/cifar10/manifest.json").is_file()
    return here and hashlib.md5((ROOT / path).read_bytes()).hexdigest() == wanted


def stand_ins(folder: Path) -> None:
    """The embedded images; the student of the pages and its teacher as before any training."""
    import torch

    from kdprune import models
    from kdprune.config.params import load
    from kdprune.distillation import METHODS
    from kdprune.sources import prepare
    from kdprune.study.trainings import network

    prepare("cifar10", "embedded", folder / "data/cifar10", cache=folder / ".run", show=False)
    params = load(ROOT / "params.yaml")
    item = params.grid["students"][STUDENT]
    like = {"train_labels": torch.arange(10), "val_images": torch.zeros(1, 3, 32, 32)}
    teacher, described = network(params, item["teacher"], like, 1)
    pair = {"dataset": item["dataset"], "teacher": item["teacher"]}
    metadata = {"network": described, "seed": 1, "role": "teacher", "student": "", "distill": ""}
    path = folder / f"models/teachers/{item['dataset']}-{item['teacher']}.safetensors"
    models.save(path, teacher, metadata | pair)
    student, described = network(params, item["student"], like, 1)
    task = METHODS["simkd"](student, teacher, **params.distill.hyperparameters["simkd"])
    metadata = {
        "network": described,
        "seed": 1,
        "projector": task.projector,
        "role": "student",
        **item,
    }
    models.save(folder / f"models/students/{STUDENT}.safetensors", task.network.cpu(), metadata)


def photo(path: Path) -> None:
    """The first cat of the embedded test images."""
    from PIL import Image

    with Image.open(ROOT / "data/embedded/test/cat.webp") as sheet:
        sheet.convert("RGB").crop((0, 0, 32, 32)).save(path)


@contextlib.contextmanager
def within(folder: Path):
    """Work in a folder, where `python` is this interpreter."""
    path, before = os.environ["PATH"], Path.cwd()
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{path}"
    os.chdir(folder)
    try:
        yield
    finally:
        os.environ["PATH"] = path
        os.chdir(before)


def said(run, arguments: list[str], folder: Path) -> tuple[int, str]:
    """The exit status and what is printed, of a command run in this process."""
    out = io.StringIO()
    with within(folder), contextlib.redirect_stdout(out):
        try:
            status = run(arguments)
        except SystemExit as error:  # argparse
            status = error.code
    return status, "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def kdprune(arguments: list[str]) -> int:
    """The command line as in a clone of its own: this process has the code of another tree."""
    kept, entrance.check_tree = entrance.check_tree, lambda: None
    try:
        return entrance.main(arguments)
    finally:
        entrance.check_tree = kept


def dvc(arguments: list[str], folder: Path) -> tuple[int, str]:
    from dvc.cli import main

    return said(main, arguments, folder)


def outputs(folder: Path, wanted: Collection[str] | None = None) -> dict[str, tuple[int, str]]:
    """Exit status and output of every `python -m kdprune`, and of the tutorial's comparison.

    `wanted` are the commands whose outputs matter; of the others, those that write what these
    read run too.
    """
    tried = ["exp", "run", "-S", "breakpoints.tolerance=2"]
    assert ["dvc", *tried] in every("dvc", "exp", "run")
    status, _ = dvc([*tried, "-s", "breakpoints"], folder)  # without the figures
    assert status == 0
    compare = ["metrics", "diff", "--targets", "metrics/breakpoints.json"]
    found = {shlex.join(["dvc", *compare]): dvc(compare, folder)}
    git(folder, "restore", ".")
    fill(folder)  # after the experiment, which removes what lies there and is in no cache
    for tokens in every("python", "-m", "kdprune"):
        if tokens[3] == "run":  # tests/test_run.py runs it; here its words are checked
            cli.parser().parse_args(tokens[3:])
            continue
        if wanted is not None and not needed(tokens, wanted):
            continue
        given = [word for word in tokens[3:] if word != "--open"]  # a browser may not be here
        found[shlex.join(tokens)] = said(kdprune, given, folder)
    return found


def needed(tokens: list[str], wanted: Collection[str]) -> bool:
    """Whether a command is wanted, or writes a folder that a wanted one reads."""
    if shlex.join(tokens) in wanted:
        return True
    out = tokens[tokens.index("--out") + 1] if "--out" in tokens else None
    return bool(out) and any(out in command for command in wanted)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make(tmp_path_factory.mktemp("docs"))


@pytest.fixture(scope="module")
def told(folder):
    return outputs(folder)


# Commands


def check(tokens: list[str]) -> None:
    """Fail for a command that nothing here runs or checks."""
    tokens = unset(tokens)
    first, *rest = tokens
    if tokens[:3] == ["python", "-m", "kdprune"]:
        first, rest = "kdprune", tokens[3:]
    if first == "dvc":
        from dvc.cli import parse_args

        parse_args(rest)
        words = [word for word in rest if not word.startswith("-")]
        assert words[0] in {*NOT_RUN, *(item[0] for item in RUN + SET)}, tokens
        if words[0] == "repro":
            stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
            grid = yaml.safe_load((ROOT / "params.yaml").read_text())["grid"]
            for name, _, key in (word.partition("@") for word in words[1:]):
                assert name in stages, tokens
                assert not key or any(key in instances for instances in grid.values()), tokens
    elif first == "make":
        text = (ROOT / "Makefile").read_text()
        for target in (word for word in rest if "=" not in word):
            assert re.search(rf"^{target}:", text, re.MULTILINE), tokens
    elif first == "python" and rest[:2] == ["-m", "pip"]:
        assert rest[2] == "install"
    elif first == "python" and rest[0] == "-c":
        compile(rest[1], "docs", "exec")
    elif first == "python":
        file = ROOT / rest[1].replace(".", "/") if rest[0] == "-m" else ROOT / rest[0]
        assert file.exists() or file.with_suffix(".py").exists(), tokens
    elif first == "kdprune":  # its words; other tests run it
        cli.parser().parse_args(rest)
    elif first in ("sky", "bash"):  # of a file that the page shows, or whose writing test_slurm has
        assert rest in (["launch", "study.yaml"], ["study.sh"]), tokens
    else:
        assert first in SHELL, f"{shlex.join(tokens)}: say here how it is checked"
        assert first != "git" or rest[0] in KNOWN_GIT


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_command_is_one_that_is_checked(page, capsys):
    for _, text in blocks(page, "sh"):
        for tokens in commands(text):
            try:
                check(tokens)
            except SystemExit:
                pytest.fail(f"{shlex.join(tokens)}: {capsys.readouterr().err}")


def overrides() -> list[str]:
    """Every combination of values that a page gives to `dvc exp run` or conf/compose.py."""
    from dvc.cli import parse_args

    found = {tuple(parse_args(tokens[1:]).set_param or ()) for tokens in every("dvc", "exp", "run")}
    for tokens in every("python", "conf/compose.py"):
        found.add(tuple(item for item in tokens[2:] if "=" in item))
    return sorted(
        shlex.join(item) for item in found if not any(name in " ".join(item) for name in EXAMPLES)
    )


@pytest.mark.parametrize("values", some(overrides()))
def test_overrides_compose_to_valid_parameters(values, tmp_path):
    composed(shlex.split(values), tmp_path / "params.yaml")
    assert (tmp_path / "params.yaml").is_file()


def test_a_wrong_override_would_be_found(tmp_path):
    with pytest.raises(KdpruneError, match="did you mean"):
        composed(["prune.method=wieght"], tmp_path / "params.yaml")


@SLOW
@pytest.mark.parametrize(
    "tokens", some(item for start in RUN for item in every("dvc", *start)), ids=" ".join
)
def test_cheap_dvc_commands_run(tokens, folder):
    arguments = [item for item in tokens[1:] if item != "--open"]
    if {"mask", "removed"} & set(arguments):
        pytest.skip("names an experiment that is not there")
    status, _ = dvc(arguments, folder)
    assert status == 0


def test_remotes_and_caches_are_set(tmp_path):
    """Each section of the page in a repository of its own."""
    page = (DOCS / "how-to/share-a-cache.md").read_text()
    config = ""
    for number, section in enumerate(page.split("\n## ")):
        folder = tmp_path / str(number)
        folder.mkdir()
        git(folder, "init", "-q", "-b", "main")
        assert dvc(["init", "-q"], folder)[0] == 0
        for name, _, text in FENCE.findall(section):
            for tokens in commands(text) if name == "sh" else ():
                if tokens[0] == "dvc" and [tokens[1]] in SET:
                    assert dvc(tokens[1:], folder)[0] == 0, tokens
        config += "\n".join(path.read_text() for path in some((folder / ".dvc").glob("config*")))
    for word in ("s3://my-bucket/kdprune", "endpointurl", "symlink,copy", "profile = kdprune"):
        assert word in config


@SLOW
def test_what_is_pushed_is_pulled(tmp_path):
    """The page's own commands, with a folder of the test's for the shared one."""
    push, pull = (commands(text) for _, text in blocks(DOCS / "how-to/share-a-cache.md", "sh")[:2])
    here, there, origin = (tmp_path / name for name in ("here", "there", "origin"))
    git(tmp_path, "init", "-q", "--bare", "-b", "main", str(origin))
    git(tmp_path, "clone", "-q", str(origin), str(here))
    git(here, "switch", "-q", "-c", "main")
    for folder in ("metrics", "plots"):
        (here / folder).mkdir()
        (here / folder / "a").touch()
    stage = "stages: {make: {cmd: python make.py, deps: [make.py], outs: [made.txt]}}\n"
    (here / "dvc.yaml").write_text(stage)
    (here / "make.py").write_text("open('made.txt', 'w').write('made')\n")
    assert dvc(["init", "-q"], here)[0] == 0
    assert dvc(["repro", "-q"], here)[0] == 0
    commit(here, "made")
    git(here, "push", "-q", "-u", "origin", "main")
    git(tmp_path, "clone", "-q", str(origin), str(there))

    def run(tokens: list[str], at: Path) -> None:
        tokens = [token.replace("/mnt/shared", str(tmp_path / "shared")) for token in tokens]
        if tokens[0] == "git":
            git(at, *tokens[1:])
        else:
            assert dvc(tokens[1:], at)[0] == 0, tokens

    for tokens in push:
        run(tokens, here)
    for tokens in pull:
        run(tokens, there)
    assert (there / "made.txt").read_text() == "made"


# Outputs

SHOWN = some(
    (page, match["commands"], match["output"])
    for page in PAGES
    for match in OUTPUT.finditer(page.read_text(encoding="utf-8"))
)


@SLOW
def test_every_kdprune_command_runs(told):
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    text = re.sub(r"\s*\\\n\s*", " ", text)  # a command may be broken over lines
    for command, (status, _) in some(told.items()):
        if "--max-latency" in command and not (ROOT / "metrics/measure.csv").is_file():
            continue  # the stage measure has not run: its numbers are this machine's
        line = next(line for line in text.splitlines() if command in line)  # behind `. … && `
        wanted = re.search(r"# exit status (\d)", line)
        assert status == (int(wanted[1]) if wanted else 0), command


@SLOW
@pytest.mark.usefixtures("committed_results")
@pytest.mark.parametrize(("page", "text", "output"), SHOWN, ids=[item[1].strip() for item in SHOWN])
def test_outputs_are_those_of_the_committed_results(page, text, output, told):
    command = shlex.join(commands(text)[-1])
    now = told[command][1]
    if " export " in command or " predict " in command:
        if not current():
            pytest.skip("needs the networks of the default run")
        digits = re.compile(r"[\d.,]+")  # another processor may round otherwise
        now, output = digits.sub("#", now), digits.sub("#", output)
    assert now == output, "write it anew: python tests/test_docs.py"


def write() -> None:
    """Put the outputs of today's results into the pages."""
    import tempfile

    shown = {shlex.join(commands(text)[-1]) for _, text, _ in SHOWN}
    with tempfile.TemporaryDirectory() as name:
        found = outputs(make(Path(name)), shown)
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        changed = OUTPUT.sub(
            lambda match: (
                match[1] + found[shlex.join(commands(match["commands"])[-1])][1] + match[4]
            ),
            text,
        )
        if changed != text:
            page.write_text(changed, encoding="utf-8")


if __name__ == "__main__":
    assert current(), "run `dvc repro` first: the pages show the networks of the default run"
    write()

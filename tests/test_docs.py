"""The documentation: its commands run, its links resolve, its generated pages are current.

`python tests/test_docs.py` writes the outputs that pages show anew.
"""

import contextlib
import csv
import hashlib
import importlib.util
import io
import json
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
from networks import tiny
from workspace import commit, git, python

from kdprune import __main__ as entrance
from kdprune import cli
from kdprune.errors import KdpruneError

DOCS = ROOT / "docs"
ALL = some(sorted(DOCS.rglob("*.md")))
ELSEWHERE = {
    "bring-your-own.md": "test_own_teacher.py"
}  # whose commands and files another test runs
PAGES = some(page for page in ALL if page.name not in ELSEWHERE)
FENCE = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
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
EXAMPLES = ("my_net", "cosine", "random_weight")  # what pages add to the study
SHELL = {"git", "cd", ".", "export"}
KNOWN_GIT = {"add", "commit", "clone", "diff", "pull", "push", "restore", "switch", "checkout"}


def blocks(page: Path, language: str) -> list[tuple[str, str]]:
    """Title and text of each fenced block."""
    found = FENCE.findall(page.read_text(encoding="utf-8"))
    return [(title, text) for name, title, text in found if name == language]


def commands(text: str) -> list[list[str]]:
    """The commands of a block of shell, as arguments; a VARIABLE=value before one is its first."""
    lines = text.replace("\\\n", " ").splitlines()
    parts = [part for line in lines for part in line.split(" && ")]
    return [tokens for part in parts if (tokens := shlex.split(part, comments=True))]


def unset(tokens: list[str]) -> list[str]:
    """A command without the variables set for it."""
    at = next(i for i, token in enumerate(tokens) if not re.match(r"[A-Z_]+=", token))
    return tokens[at:]


def every(*first: str) -> list[list[str]]:
    """All distinct commands of all pages that begin so."""
    found = {}
    for page in PAGES:
        for _, text in blocks(page, "sh"):
            for tokens in commands(text):
                bare = unset(tokens)
                if tuple(bare[: len(first)]) == first:
                    found[shlex.join(bare)] = bare
    return list(found.values())


def named(page: Path) -> str:
    return page.relative_to(DOCS).as_posix()


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
    elif first == "kdprune":  # tests/test_compress.py and test_init.py run these
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


def composed(values: list[str], output: Path) -> None:
    spec = importlib.util.spec_from_file_location("compose", ROOT / "conf/compose.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.compose(output, values)


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


# Examples


def apply(page: Path, folder: Path) -> list[Path]:
    """Put a page's titled blocks where their titles say; return the new files."""
    made = []
    for language in ("python", "yaml"):
        for title, text in blocks(page, language):
            path = folder / title
            if not title:
                continue
            if title.endswith("architectures.yaml"):
                path.write_text(path.read_text() + text)
            elif title.endswith("__init__.py"):
                line, entry = (part for part in text.strip().splitlines() if part)
                before = path.read_text()
                opened = re.search(r"^METHODS\b.*\{\n", before, re.MULTILINE)[0]
                changed = before.replace(opened, f"{line}\n\n{opened}{entry}\n")
                path.write_text(changed)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
                made.append(path)
    return made


@pytest.fixture(scope="module")
def extended(tmp_path_factory):
    """A copy of the tree to which every page's example was added."""
    folder = tmp_path_factory.mktemp("examples")
    for name in ("conf", "kdprune"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for page in PAGES:
        apply(page, folder)
    return folder


@SLOW
def test_examples_compose(extended, tmp_path):
    values = ["pairs=[my_net/resnet10_16]", "distill.method=[simkd,cosine]"]
    values.append("prune.method=[weight,channel,random_weight]")
    shown = "\n".join(page.read_text() for page in PAGES)
    assert all(value in shown for value in values)
    output = tmp_path / "params.yaml"
    python(extended, "conf/compose.py", *values, "-o", str(output), PYTHONPATH=str(extended))
    grid = json.dumps(yaml.safe_load(output.read_text())["grid"])
    assert all(name in grid for name in EXAMPLES)


def loaded(path: Path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_example_of_a_distillation_method_learns(extended):
    import torch

    module = loaded(extended / "kdprune/distillation/cosine.py")
    ours, theirs = torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([[2.0, 0.0], [3.0, 0.0]])
    assert module.cosine_loss(ours, theirs).item() == pytest.approx(0.5)
    task = module.Cosine(tiny("basic"), tiny("dense"))
    parts = task(torch.randn(4, 3, 32, 32), torch.arange(4), torch.arange(4))
    terms = parts["ce"] + parts["kd"] + parts["feature"]
    assert parts["loss"].item() == pytest.approx(terms.item())
    parts["loss"].backward()
    assert task.connector.weight.grad.abs().sum() > 0
    assert not any(value.grad is not None for value in task._teacher[0].parameters())


def test_the_example_of_a_pruning_method_prunes(extended):
    module = loaded(extended / "kdprune/pruning/random_weight.py")
    before, half, most = module.prune(tiny("basic"), [0.0, 0.5, 0.9], draw=1)
    assert not before.masks
    assert half.sparsity == pytest.approx(0.5, abs=0.01)
    for name, mask in half.masks.items():
        assert (half.model.get_parameter(name)[~mask] == 0).all()
        assert (mask | ~most.masks[name]).all()  # nested


# Pages


def anchors(page: Path) -> set[str]:
    """The headings of a page as links name them."""
    titles = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    plain = [re.sub(r"[^\w\s-]", "", title.lower().replace("`", "")).strip() for title in titles]
    return {re.sub(r"[-\s]+", "-", title) for title in plain}


def links(page: Path) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", page.read_text(encoding="utf-8")))


def test_links_and_commands_are_seen():
    """A page may have none; the pages together have them."""
    assert some(target for page in ALL for target in links(page) if "://" not in target)
    assert some(every())


@pytest.mark.parametrize("page", ALL, ids=named)
def test_internal_links_resolve(page):
    for target in links(page):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        goal = (page.parent / path).resolve() if path else page
        assert goal.is_relative_to(ROOT), target
        assert goal.is_file(), target
        if anchor:
            assert anchor in anchors(goal), target


def test_every_page_is_in_the_navigation():
    text = (ROOT / "mkdocs.yml").read_text()
    for page in ALL:
        assert f": {named(page)}\n" in text, named(page)


def test_other_tests_run_the_other_pages():
    for page, test in ELSEWHERE.items():
        assert page in (ROOT / "tests" / test).read_text()


@pytest.mark.usefixtures("committed_results")
def test_generated_pages_are_current():
    done = subprocess.run(
        [sys.executable, DOCS / "generate.py", "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_parameter_is_described():
    for name in ("parameters", "methods"):
        rows = re.findall(r"^\| `.*$", (DOCS / f"reference/{name}.md").read_text(), re.MULTILINE)
        assert len(rows) > 30
        for row in rows:
            if row.count(" | ") == 3:
                assert not row.endswith("| – |"), row


RECORDS = {
    "Sweeps": "metrics/sweeps/*.csv",
    "Layers": "metrics/layers/*.csv",
    "Breakpoints": "metrics/breakpoints.csv",
    "Efficiency": "metrics/efficiency.csv",
    "Significance": "metrics/significance.csv",
    "Learning": "plots/learning/*.csv",
    "Measure": "metrics/measure.csv",
    "Codings": "metrics/codings.csv",
    "Trainings": "metrics/[td]*/*.json",
}


@pytest.mark.parametrize("title", RECORDS)
def test_every_column_is_described(title):
    text = (DOCS / "reference/records.md").read_text()
    shared, *sections = re.split(r"^## ", text, flags=re.MULTILINE)
    section = next(part for part in sections if part.startswith(title))
    words = {}
    for name, part in (("shared", shared), ("own", section)):
        cells = re.findall(r"^\| (`.*?) \|", part, re.MULTILINE)
        words[name] = [word for cell in cells for word in re.findall(r"`(\w+)`", cell)]
    files = sorted(ROOT.glob(RECORDS[title]))
    if title == "Measure" and not files:
        pytest.skip("the stage measure has not run")
    for path in some(files):
        if path.suffix == ".json":
            header = list(json.loads(path.read_text()))
        else:
            with path.open(newline="") as file:
                header = next(csv.reader(file))
        assert set(header) <= {*words["shared"], *words["own"]}, path.name
        assert set(words["own"]) <= set(header), path.name


def test_environment_variables_are_described():
    sources = "\n".join(path.read_text() for path in some(ROOT.glob("kdprune/**/*.py")))
    sources += "\n".join(path.read_text() for path in some(ROOT.glob("stages/*.py")))
    used = set(re.findall(r'"((?:KDPRUNE|HF|NPM|OMP)_[A-Z_]*[A-Z])"', sources))
    text = (DOCS / "reference/command-line.md").read_text()
    assert not [name for name in some(used) if f"`{name}`" not in text]


@SLOW
def test_the_size_of_the_paper_profile(tmp_path):
    composed(["profile=paper"], tmp_path / "params.yaml")
    grid = yaml.safe_load((tmp_path / "params.yaml").read_text())["grid"]
    sizes = ", ".join(f"{len(grid[name])} {name}" for name in ("teachers", "students"))
    text = (DOCS / "how-to/gpu.md").read_text()
    assert f"{sizes} and {len(grid['sweeps'])} sweeps" in text


@SLOW
def test_the_site_builds_and_fetches_nothing(tmp_path):
    pytest.importorskip("material")
    out = tmp_path / "site"
    build = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", out]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    index = (out / "index.html").read_text()
    assert (out / "tree/studies/desk/plots/pairs.svg").is_file()
    assert 'src="tree/studies/desk/plots/pairs.svg"' in index
    fetched = r'<(?:script|img|iframe)[^>]+src="(?:https?:)?//|<link[^>]+href="(?:https?:)?//'
    for page in some(out.rglob("*.html")):
        if "tree" not in page.relative_to(out).parts:
            assert not re.search(fetched, page.read_text()), page


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

"""A teacher may come from a file of one's own: checked, pinned, trained on or taken as it is."""

import contextlib
import hashlib
import os
import pickle
import re
import shlex
import subprocess
import sys
from pathlib import Path

import own_data
import pandas as pd
import pytest
import torch
import workspace
from conftest import ROOT
from networks import TINY, dataset, images, tiny
from safetensors.torch import save_file

from kdprune import models
from kdprune.config.params import validate
from kdprune.distillation.none import Supervised
from kdprune.errors import KdpruneError
from kdprune.models.own_weights import adopt, goes_on
from kdprune.records import read_json, write_json
from kdprune.study.trainings import guesses, train
from kdprune.training.recipe import Recipe

WHERE = "architectures.mine.weights"


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def blank():
    """A network of tiny("basic")'s shapes and other weights."""
    name, kwargs = TINY["basic"]
    return models.build(name, classes=10, kwargs=kwargs, seed=99).eval()


def take(path: Path, model=None, sha256: str | None = None):
    model = model or blank()
    adopt(model, path, sha256=sha256 or digest(path), where=WHERE)
    return model


def refused(path: Path, said: str, **arguments) -> None:
    model = blank()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(KdpruneError, match=said) as caught:
        take(path, model, **arguments)
    assert str(caught.value).startswith(WHERE)
    assert "\n" not in str(caught.value)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("form", ["safetensors", "pt", "state_dict", "model", "parallel", "ours"])
def test_weights_are_those_of_the_file(tmp_path, form):
    teacher = tiny("basic")
    state, path = teacher.state_dict(), tmp_path / "weights.pth"
    if form == "safetensors":
        path = tmp_path / "weights.safetensors"
        save_file(state, path)
    elif form == "ours":  # a checkpoint of another study
        path = tmp_path / "ours.safetensors"
        models.save(path, teacher, {"network": {}})
    elif form == "pt":
        torch.save(state, path)
    elif form == "parallel":
        torch.save({f"module.{name}": value for name, value in state.items()}, path)
    else:
        torch.save({form: state, "epoch": 7, "best": 91.5}, path)
    batch = images(4) / 255
    with torch.inference_mode():
        assert torch.equal(take(path)(batch), teacher.eval()(batch))
        assert not torch.equal(blank()(batch), teacher(batch))


def test_another_file_than_the_pinned_is_refused(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_file(tiny("basic").state_dict(), path)
    refused(
        path, rf"sha256: .*weights\.safetensors has {digest(path)}; write that", sha256="0" * 64
    )
    with pytest.raises(KdpruneError, match=r"gone\.pt cannot be read \(No such file"):
        take(tmp_path / "gone.pt", sha256="0" * 64)


def test_differences_are_named_a_few_of_them(tmp_path):
    state, path = tiny("basic").state_dict(), tmp_path / "weights.pt"
    shapes = {name: value[:, :3] for name, value in state.items() if name == "fc.weight"}
    torch.save(state | shapes, path)
    refused(path, r"does not fit .*: fc\.weight is \[10, 3\], not \[10, \d+\]$")
    torch.save({"encoder": state["fc.bias"]}, path)
    missing = list(state)[:3]
    rest = len(state) - 3 + 1
    refused(path, "; ".join(rf"{name} is missing" for name in missing) + f"; and {rest} more$")
    torch.save(state | {"extra": torch.zeros(1)}, path)
    refused(path, "model.stem: extra is unknown$")


@pytest.mark.parametrize("ending", ["pt", "safetensors"])
def test_damaged_files_are_refused(tmp_path, ending):
    path = tmp_path / f"weights.{ending}"
    state = tiny("basic").state_dict()
    save_file(state, path) if ending == "safetensors" else torch.save(state, path)
    whole = path.read_bytes()
    for content in (b"", b"no weights", whole[: len(whole) // 2]):
        path.write_bytes(content)
        refused(path, r"weights\.\w+ (is damaged|holds more than tensors|is no)")


def test_values_that_are_no_numbers_are_refused(tmp_path):
    state, path = tiny("basic").state_dict(), tmp_path / "weights.pt"
    state["fc.bias"][3] = float("nan")
    torch.save(state, path)
    refused(path, "holds a NaN or an infinity in fc.bias")


@pytest.mark.parametrize("held", [[1, 2], {"a": 1}, {"state_dict": {"a": "b"}}, 3])
def test_what_is_no_state_dict_is_refused(tmp_path, held):
    torch.save(held, tmp_path / "weights.pt")
    refused(tmp_path / "weights.pt", "is no state dict")


class Code:
    """What a pickle may do when it is loaded without care."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("save", [torch.save, lambda held, path: path.write_bytes(held)])
def test_nothing_in_a_file_is_executed(tmp_path, save):
    path, held = tmp_path / "weights.pt", {"state_dict": Code(tmp_path / "made")}
    save(held if save is torch.save else pickle.dumps(held, 2), path)
    refused(path, "holds more than tensors")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ({"path": "x"}, r"sha256 = None: must be the 64 digits that `sha256sum FILE` prints"),
        ({"path": "x", "sha256": "ABC"}, r"sha256 = 'ABC': must be the 64 digits"),
        ({"path": "x", "sha256": "0" * 64, "tain": 1}, r"tain: is unknown; did you mean train"),
        ({"path": "x", "sha256": "0" * 64, "train": "no"}, r"train = 'no': .*boolean"),
        ({"sha256": "0" * 64}, r"weights\.path: is missing"),
        ("x.pt", r"weights = 'x\.pt': .*dictionary"),
    ],
)
def test_parameters_are_checked(values, weights, said):
    values["architectures"]["resnet10_24"]["weights"] = weights
    with pytest.raises(KdpruneError, match=r"architectures\.resnet10_24\.weights.*") as caught:
        validate(values)
    assert re.search(said, str(caught.value))
    assert "\n" not in str(caught.value)


def test_weights_are_trained_on_unless_told_otherwise(values):
    values["architectures"]["resnet10_24"]["weights"] = {"path": "x", "sha256": "0" * 64}
    assert goes_on(validate(values).architectures["resnet10_24"].weights.train)
    assert goes_on(True)
    assert not goes_on(False)
    assert validate(values).architectures["resnet10_16"].weights is None


GUESSING = [
    ([5, 5], 50.0, True),  # two classes: half are right by guessing
    ([50, 50], 59.0, True),
    ([50, 50], 61.0, False),  # two standard errors of 100 images are ten points
    ([90, 10], 90.0, True),  # who always names the larger class
    ([90, 10], 97.0, False),
    ([100] * 10, 11.8, True),
    ([100] * 10, 12.0, False),
]


@pytest.mark.parametrize(("counts", "accuracy", "chance"), GUESSING)
def test_what_guessing_reaches_is_known(counts, accuracy, chance):
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    assert guesses(accuracy, labels) is chance


@pytest.mark.parametrize("able", [False, True])
def test_a_frozen_teacher_at_chance_stops_the_run_before_distillation(able, tmp_path, monkeypatch):
    """Images whose brightness is their class; one network knows it, the other names one class."""
    monkeypatch.chdir(tmp_path)
    data = dataset(classes=2)
    for part in ("train", "val", "test"):
        labels = data[f"{part}_labels"].view(-1, 1, 1, 1)
        data[f"{part}_images"] = (200 * labels + 20).expand(-1, 3, 32, 32).to(torch.uint8)
    model = models.build("resnet18", classes=2, kwargs=TINY["basic"][1], seed=0).eval()
    with torch.no_grad():
        dark, light = (
            model.forward_head(model.forward_features(x), pre_logits=True)
            for x in (torch.full((1, 3, 32, 32), value) for value in (-1.7, 1.5))
        )
        head = model.get_classifier()
        head.weight.copy_(torch.cat([dark - light, light - dark]) * able)
        middle = (dark + light)[0] / 2
        head.bias.copy_(-head.weight @ middle)
    (tmp_path / "data/mine").mkdir(parents=True)
    write_json("data/mine/manifest.json", {"size": 32, "views": "auto"})
    described = {"timm_name": "resnet18", "classes": 2, "kwargs": TINY["basic"][1]}
    write_json("data/mine/manifest.json", {"size": 32, "views": "auto"})
    frozen = Recipe(0, 8, 0.1, 0.9, nesterov=False, weight_decay=0.0)
    said = r"^mine-one: takes weights as they are .* no better than guessing; .*train: true$"
    with contextlib.nullcontext() if able else pytest.raises(KdpruneError, match=said):
        train(
            Supervised(model),
            data,
            stage="teach",
            key="mine-one",
            recipe=frozen,
            depends=(),
            inputs=[],
            identity={"dataset": "mine", "role": "teacher", "teacher": "one"},
            metadata={"network": described},
            encoder_params=1,
        )
    assert Path("models/teachers/mine-one.safetensors").exists() is able


def blocks(page: str, kind: str) -> list[str]:
    """The page's code blocks of a kind, such as `sh` or `yaml title="conf/datasets.yaml"`."""
    return re.findall(rf"^```{re.escape(kind)}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


TRAINED = """
import torch
from kdprune.data.augment import normalise
from kdprune.data.tensors import load_tensors

data = load_tensors(Path("data/mine"), validation=0.1, validation_seed=0)
images, labels = (torch.cat([data[f"{half}_{part}"] for half in ("train", "val")])
                  for part in ("images", "labels"))
with torch.no_grad():  # its last layer alone, by least squares
    maps = model.eval().forward_features(normalise(images, data["mean"], data["std"]))
    pooled = model.forward_head(maps, pre_logits=True)
    answers = torch.nn.functional.one_hot(labels).float() - model.fc.bias
    model.fc.weight.copy_(torch.linalg.lstsq(pooled, answers, driver="gelsd").solution.T)
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A workspace in which the worked example of docs/bring-your-own.md has been followed."""
    top = tmp_path_factory.mktemp("own")
    folder, mine = workspace.make(top / "study"), own_data.halves(top / "mine", train=30, test=12)
    page = (ROOT / "docs" / "bring-your-own.md").read_text().replace("/data/mine/", f"{mine}/")
    page = page.replace("/data/mine}", f"{mine}}}")
    (datasets,) = blocks(page, 'yaml title="conf/datasets.yaml"')
    (architecture,) = blocks(page, 'yaml title="conf/architectures.yaml"')
    (script,) = blocks(page, 'python title="save_teacher.py"')
    (comment,) = re.findall("^# … trained on your classes.*$", script, re.MULTILINE)
    script = script.replace(comment, TRAINED)
    (folder / "conf/datasets.yaml").write_text(datasets)
    (folder / "save_teacher.py").write_text(script)
    steps = [block for block in blocks(page, "sh") if not block.startswith("KDPRUNE_")]
    prepare, save, run = steps  # the other is for larger sets
    ran = shell(folder, prepare)
    assert re.findall(r"Running stage '([^']+)'", ran) == ["download@mine"]
    sha256, file = shell(folder, save).split()
    assert file == "weights/my_teacher.safetensors"
    with (folder / "conf/architectures.yaml").open("a") as networks:
        networks.write(architecture.replace("3b1f…", sha256))
    return folder, shell(folder, run)


def shell(folder: Path, script: str) -> str:
    """Run a block as a user does, `kdprune` being this interpreter's; return what it printed."""
    own = shlex.quote(sys.executable)
    script = re.sub("^kdprune ", f"{own} -m kdprune ", script, flags=re.MULTILINE)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        ["bash", "-euc", script], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
@pytest.mark.long
def test_the_worked_example_runs(study):
    folder, printed = study
    assert "Running stage 'teach@mine-my_teacher'" in printed
    given, _ = models.load(folder / "models/teachers/mine-my_teacher.safetensors")
    saved = adopted(folder)
    state = given.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in saved.state_dict().items())
    curve = pd.read_csv(folder / "plots/learning/mine-my_teacher.csv")
    result = read_json(folder / "metrics/teach/mine-my_teacher.json")
    assert (curve.epoch.tolist(), curve.val_accuracy.iloc[0]) == ([0], result["val_accuracy"])
    sweep = pd.read_csv(folder / "metrics/sweeps/mine-my_teacher-resnet10_16-simkd-channel.csv")
    assert set(sweep.dataset) == {"mine"}
    assert "mine" in (folder / "plots/report.html").read_text()
    answers = [line for line in printed.splitlines() if ".jpg: " in line]
    assert answers
    for answer in answers:
        assert set(re.findall(r"([a-z]+) [\d.]+%", answer)) == set(own_data.CLASSES)


def adopted(folder: Path):
    file = folder / "weights/my_teacher.safetensors"
    model = models.build("resnet18", classes=3)
    adopt(model, file, sha256=digest(file), where=WHERE)
    return model


@pytest.mark.slow
@pytest.mark.long
def test_changed_images_and_weights_rerun_what_follows(study):
    folder, _ = study
    workspace.commit(folder, "mine")
    assert workspace.dvc(folder, "repro") == []
    cats = folder.parent / "mine" / "train" / "cat"
    renamed = next(cats.glob("*.png"))
    renamed.rename(renamed.with_name("renamed.png"))
    assert workspace.dvc(folder, "repro") == ["download@mine"]  # the same pixels: nothing follows
    other = replaced(folder)
    text = (folder / "conf/architectures.yaml").read_text()
    pinned = re.search(r"sha256: ([0-9a-f]{64})", text)[1]
    text = text.replace(pinned, other).replace("train: false", "train: true")
    (folder / "conf/architectures.yaml").write_text(text)
    settings = ["-S", "datasets=[mine]", "-S", "pairs=[my_teacher/resnet10_16]"]
    ran = workspace.dvc(folder, "exp", "run", *settings)
    assert ran[0] == "teach@mine-my_teacher"
    curve = pd.read_csv(folder / "plots/learning/mine-my_teacher.csv")
    assert curve.epoch.tolist() == [1]
    (cats / "renamed.png").unlink()
    ran = workspace.dvc(folder, "repro", "teach@mine-my_teacher")
    assert ran == ["download@mine", "teach@mine-my_teacher"]


def replaced(folder: Path) -> str:
    """Replace the weights' file; return its SHA-256."""
    file = folder / "weights/my_teacher.safetensors"
    save_file(models.build("resnet18", classes=3, seed=5).state_dict(), file)
    return digest(file)


def named(state, form):
    """The state dict as wrappers, trainers and older versions of torch would have saved it."""
    forms = {
        "compiled": lambda name: f"_orig_mod.{name}",
        "parallel, compiled": lambda name: f"module._orig_mod.{name}",
        "compiled, parallel": lambda name: f"_orig_mod.module.{name}",
        "lightning": lambda name: f"model.{name}",
        "lightning, compiled": lambda name: f"model._orig_mod.{name}",
        "a part compiled": lambda name: name.replace("layer1.", "layer1._orig_mod."),
    }
    renamed = forms.get(form, str)
    return {renamed(name): value for name, value in state.items()}


@pytest.mark.parametrize(
    "form",
    [
        *("compiled", "parallel, compiled", "compiled, parallel", "lightning"),
        *("lightning, compiled", "a part compiled", "no counters", "double", "half"),
    ],
)
def test_what_trainers_put_before_names_is_understood(tmp_path, form):
    teacher = tiny("basic")
    state, path = teacher.state_dict(), tmp_path / "weights.pt"
    if form == "no counters":
        state = {name: x for name, x in state.items() if not name.endswith("num_batches_tracked")}
    if form in ("double", "half"):  # the width of a float may differ; its kind may not
        kind = getattr(torch, form)
        state = {name: x.to(kind) if x.is_floating_point() else x for name, x in state.items()}
        teacher.load_state_dict(state)
    torch.save({"state_dict": named(state, form), "pytorch-lightning_version": "2.5"}, path)
    batch = images(4)
    with torch.inference_mode():
        assert torch.equal(take(path)(batch), teacher.eval()(batch))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda x: x.to_sparse(), r"fc\.weight in a sparse or nested layout; .*to_dense"),
        (lambda x: x.to_sparse_csr(), r"fc\.weight in a sparse or nested layout"),
        (lambda x: torch.quantize_per_tensor(x, 0.1, 0, torch.qint8), r"fc\.weight quantised"),
        (lambda x: x.to("meta"), r"fc\.weight without values, on the meta device"),
        (lambda x: x.round().int(), r"fc\.weight as whole numbers, not real; nothing is cast"),
        (lambda x: x > 0, r"fc\.weight as boolean numbers, not real"),
        (lambda x: x.to(torch.complex64), r"fc\.weight as complex numbers, not real"),
        (lambda x: x.double() + 1e300, r"NaN or an infinity in fc\.weight"),
    ],
)
def test_tensors_that_would_be_cast_or_have_no_values_are_refused(tmp_path, change, said):
    state = tiny("basic").state_dict()
    torch.save(state | {"fc.weight": change(state["fc.weight"])}, tmp_path / "weights.pt")
    refused(tmp_path / "weights.pt", said)


def test_counts_that_are_no_whole_numbers_are_refused(tmp_path):
    state = tiny("basic").state_dict()
    torch.save(state | {"bn1.num_batches_tracked": torch.tensor(2.5)}, tmp_path / "weights.pt")
    refused(tmp_path / "weights.pt", "as real numbers, not whole")


def test_an_unknown_prefix_is_named(tmp_path):
    state, path = tiny("basic").state_dict(), tmp_path / "weights.pt"
    torch.save({f"backbone.{name}": value for name, value in state.items()}, path)
    refused(path, r"all names begin with 'backbone\.': save them without it$")
    torch.save({f"net.{name}": x for name, x in state.items()} | {"loss": torch.ones(1)}, path)
    refused(path, r"the network's names begin with 'net\.': save them without it$")
    torch.save(state | {f"module.{name}": value for name, value in state.items()}, path)
    refused(path, "is unknown")
    torch.save(state | {"_orig_mod.fc.bias": state["fc.bias"]}, path)
    refused(path, "two tensors of one name")

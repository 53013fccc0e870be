"""What would be refused after hours is refused before the first training, in one line."""

import subprocess
import sys
import time

import pytest
from conftest import ROOT

from kdprune.config.grid import expand
from kdprune.config.params import load, validate
from kdprune.errors import KdpruneError
from kdprune.planning import rehearsal, trial

BASIC = {"layers": [1, 1, 1, 1], "channels": [8, 8, 8, 16]}
VIT = {"img_size": 32, "patch_size": 8, "embed_dim": 16, "depth": 1, "num_heads": 2}


def study(values, *, student=("resnet18", BASIC), distill="kd", prune="weight", **changed):
    """Parameters of one teacher and one student; `changed` are dotted keys with __ for dots."""
    teacher = {"timm": "resnet18", "kwargs": {**BASIC, "channels": [8, 8, 16, 32]}}
    values["architectures"] |= {
        "one": teacher,
        "two": {"timm": student[0], "kwargs": student[1]},
    }
    values |= {"datasets": ["cifar10"], "pairs": ["one/two"], "folders": {}}
    values["model"] = {"stem": "imagenet", "pretrained": False}
    values["distill"]["method"], values["prune"]["method"] = distill, prune
    for key, value in changed.items():
        *path, last = key.split("__")
        section = values
        for part in path:
            section = section[part]
        section[last] = value
    values["grid"] = expand(
        datasets=values["datasets"],
        pairs=values["pairs"],
        distill=values["distill"]["method"],
        prune=values["prune"]["method"],
        roles=values["prune"]["roles"],
    )
    return validate(values)


FAULTS = {
    "misspelt name": ({"student": ("resnet81", {})}, r"no network 'resnet81'; did you mean"),
    "misspelt argument": (
        {"student": ("resnet18", {"layer": [1]})},
        r"architectures\.two\.kwargs\.layer: is no known argument",
    ),
    "unknown tag": ({"student": ("resnet18.no_such", {})}, r"resnet18\.no_such"),
    "too small an image": ({"student": ("vit_tiny_patch16_224", {})}, r"architectures\.two"),
    "simkd on a ViT": ({"student": ("vit_tiny_patch16_224", VIT), "distill": "simkd"}, "simkd"),
    "fitnet layer": ({"distill": "fitnet", "distill__fitnet__layer": 99}, r"layer = 99.*0.*to 4"),
    "semckd batch": (
        {"distill": "semckd", "distill__semckd__batch_size": 63},
        r"distill\.semckd\.batch_size = 63.*write 64",
    ),
    "weights all 0": (
        {"distill__kd__ce": 0, "distill__kd__kd": 0},
        r"distill\.kd: all weights are 0",
    ),
    "level out of reach": (
        {"prune": "channel", "prune__levels": [0.0, 0.999]},
        r"prune\.levels.*at most, not 99\.9%",
    ),
    "floor": (
        {"prune__weight": {"scope": "global", "floor": 0.5}, "prune__levels": [0.0, 0.9]},
        r"prune\.weight\.floor = 0\.5",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_before_any_training(fault, values, tmp_path):
    changed, told = FAULTS[fault]
    with pytest.raises(KdpruneError, match=told) as error:
        trial.run(study(values, **changed), tmp_path)
    assert "\n" not in str(error.value)
    assert "architectures" in str(error.value) or "grid." in str(error.value)


FINE = {
    "tagged": {"student": ("resnet10t.c3_in1k", {})},
    "simkd, channels": {"distill": "simkd", "prune": "channel", "prune__levels": [0.0, 0.5]},
    "every method": {
        "distill": ["none", "kd", "fitnet", "at", "sp", "vid", "crd", "srrl", "fn", "semckd"],
        "distill__training__batch_size": 8,
        "distill__semckd__batch_size": 8,
        "distill__crd__negatives": 16,
    },
}


@pytest.mark.parametrize("case", FINE)
def test_what_works_is_let_through(case, values, tmp_path, capsys):
    trial.run(study(values, **FINE[case]), tmp_path)
    assert "tried once" in capsys.readouterr().err


NUMBERS = [
    ("efficiency__w2", 1e-320, r"efficiency\.w2 = 1e-320: must be 1e-12 at least"),
    ("teach__lr", 1e-320, r"teach\.lr = 1e-320: must be 1e-12 at least"),
    ("distill__kd__temperature", 1e-320, r"kd\.temperature = 1e-320: must be 1e-12 at least"),
    ("distill__crd__negatives", 10**6, r"distill\.crd\.negatives = 1000000: must be 524287 at"),
    ("data__path", "~no_such_user/x", r"data\.path = .*: ~no_such_user is no user's home"),
]


@pytest.mark.parametrize(("key", "value", "told"), NUMBERS)
def test_numbers_that_no_run_survives_are_refused_at_once(key, value, told, values):
    with pytest.raises(KdpruneError, match=told):
        study(values, distill="crd", **{key: value})


def test_the_default_grid_takes_seconds_once_and_nothing_then(root, tmp_path, monkeypatch):
    params = load(root / "params.yaml")
    monkeypatch.chdir(tmp_path)
    begun = time.process_time()
    rehearsal.rehearse(params)
    assert time.process_time() - begun < 20
    monkeypatch.setattr(trial, "run", None)
    rehearsal.before("measure")
    rehearsal.rehearse(params)
    rehearsal.rehearse(params.model_copy(update={"profile": "another"}))
    changed = params.model_copy(update={"pairs": [*params.pairs, "another/pair"]})
    with pytest.raises(TypeError):  # it would be tried anew
        rehearsal.rehearse(changed)


def test_what_is_remembered_needs_no_torch(root, tmp_path):
    code = (
        "import sys; from kdprune.config.params import load; from kdprune.planning import rehearsal"
        f"; params = load({str(root / 'params.yaml')!r}); digest = rehearsal._digest(params)"
        "; rehearsal.REMEMBERED.parent.mkdir(); rehearsal.REMEMBERED.write_text(digest)"
        "; rehearsal.rehearse(params); assert 'torch' not in sys.modules"
    )
    environment = {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)


def test_the_generator_is_left_as_it_was(values, tmp_path):
    torch = pytest.importorskip("torch")
    torch.manual_seed(3)
    before = torch.get_rng_state()
    trial.run(study(values), tmp_path)
    assert torch.equal(before, torch.get_rng_state())

"""What the machine does to a run: no memory, odd files, odd homes; one line each."""

import errno
import os
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from conftest import ROOT

from kdprune.config import nesting
from kdprune.config.params import load
from kdprune.errors import KdpruneError, status_of
from kdprune.models.building import build
from kdprune.training.recipe import Recipe
from kdprune.training.remedies import at_fault, remedies
from stages.runner import lockfile


def greedy_torch():
    torch.empty(2**50, dtype=torch.uint8)


def greedy_numpy():
    np.empty(2**50, np.uint8)


def greedy_system():
    raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))


def greedy_map():
    raise RuntimeError("unable to mmap 2 bytes from file <x>: Cannot allocate memory (12)")


@pytest.mark.parametrize("greedy", [greedy_torch, greedy_numpy, greedy_system, greedy_map])
def test_want_of_memory_is_one_line(greedy, capsys):
    assert status_of(greedy) == 2
    told = capsys.readouterr().err
    assert "the machine has no memory left; lower teach.batch_size" in told
    assert told.count("\n") == 1


def test_a_network_larger_than_memory_is_no_fault_of_its_name():
    with pytest.raises(RuntimeError, match="memory"):
        build("resnet18", classes=2**45)


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), ValueError("memory"), OSError(5)])
def test_other_errors_are_raised_as_they_are(error):
    def work():
        raise error

    with pytest.raises(type(error)):
        status_of(work)


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)
YAML = {
    "alias bomb": BOMB,
    "flow nesting": "a: " + "[" * 30_000 + "]" * 30_000,
    "mapping nesting": "a: " + "{a: " * 30_000 + "}" * 30_000,
    "block nesting": "- " * 30_000 + "x",
    "a node within itself": "a: &a [" + "*a, " * 5 + "]",
    "open": "[" * 30_000,
}


@pytest.mark.parametrize("how", YAML)
def test_yaml_that_unfolds_without_end_is_one_line(how, tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(YAML[how])
    for read in (load, lockfile.read):
        if how == "a node within itself" and read is lockfile.read:
            continue  # finite as an object; its readers look at named keys alone
        begun = time.monotonic()
        with pytest.raises(KdpruneError, match=r"params\.yaml") as error:
            read(str(path))
        assert "\n" not in str(error.value)
        assert time.monotonic() - begun < 5


def test_values_are_counted_with_aliases_unfolded(monkeypatch):
    text = b"a: &a [1, 2, 3]\nb: [*a, *a]\n"  # 1 + a + 4 + b + (1 + 2 * 4) = 16
    monkeypatch.setattr(nesting, "MOST", 16)
    nesting.check(text)
    monkeypatch.setattr(nesting, "MOST", 15)
    with pytest.raises(ValueError, match="more than 15 values"):
        nesting.check(text)


def test_the_committed_files_are_within_bounds():
    for name in ("params.yaml", "dvc.yaml", "dvc.lock"):
        nesting.check((ROOT / name).read_bytes())


@pytest.mark.parametrize(
    "command",
    [["stages", "teach", "cifar10-resnet10_24"], ["stages.runner.mend"], ["stages.runner.verify"],
     ["kdprune.planning.rehearsal"], ["stages", "download", "cifar10"]],
    ids=" ".join,
)  # fmt: skip
def test_a_file_in_place_of_run_is_one_line(command, tmp_path):
    for name in ("params.yaml", "dvc.yaml", "dvc.lock", "conf", "kdprune", "stages"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".run").write_text("")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DVC_STAGE": "x", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=tmp_path, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    if command[0] not in ("stages.runner.verify", "stages.runner.mend"):  # neither writes
        assert ".run: is a file where a folder must be; move it away" in done.stderr, done.stderr
    if done.returncode:
        assert done.returncode in (1, 2)


def recipe(**changed):
    told = {"lr": 0.1, "weight_decay": 5e-4, "schedule": "step", "precision": "fp32", **changed}
    return Recipe(epochs=1, batch_size=2, momentum=0.9, nesterov=True, **told)


class Weights:
    ce, kd, feature, temperature = 1, 1, 3000, 4


@pytest.mark.parametrize(
    ("changed", "weights", "told"),
    [
        ({}, {}, ["lower teach.lr"]),
        ({"lr": 1e6}, {}, ["lower teach.lr"]),
        ({"weight_decay": 1e6}, {}, ["lower teach.weight_decay"]),
        ({"weight_decay": 21.0}, {}, ["lower teach.weight_decay"]),
        ({}, {"temperature": 1e-9}, ["raise distill.sp.temperature"]),
        ({}, {"temperature": 1e-9, "kd": 0}, ["lower teach.lr"]),
        ({}, {"feature": 1e9}, ["lower distill.sp.feature"]),
        ({"precision": "bf16", "schedule": "cosine"}, {},
         ["lower teach.lr", "raise teach.warmup", "set teach.precision: fp32"]),
    ],
)  # fmt: skip
def test_the_hint_names_the_parameter_at_fault(changed, weights, told):
    held = Weights()
    vars(held).update(weights)
    assert remedies("teach", recipe(**changed), held, "distill.sp") == told


def test_weight_decay_of_that_size_does_diverge():
    """A step multiplies weights by 1 - lr x weight_decay: above 2, they grow without end."""
    for decay, grows in ((21.0, True), (19.0, False)):
        weight = torch.nn.Parameter(torch.ones(()))
        optimiser = torch.optim.SGD([weight], 0.1, weight_decay=decay)
        for _ in range(50):
            weight.grad = torch.zeros(())
            optimiser.step()
        assert (abs(weight.item()) > 1) == grows
    assert at_fault(recipe(weight_decay=21.0)) == "weight_decay"


def test_memory_that_a_limit_withholds_is_one_line():
    """With the real allocator, in a process whose address space is bounded."""
    code = (
        "import torch, resource, sys; from kdprune.errors import status_of;"
        "resource.setrlimit(resource.RLIMIT_AS, (8 * 2**30, 8 * 2**30));"
        "sys.exit(status_of(lambda: torch.ones(2**33)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_setup_installs_nothing_that_is_not_pinned_by_a_hash():
    blocks = (ROOT / "setup.lock").read_text().replace("\\\n", " ").strip().splitlines()
    pinned = (ROOT / "requirements.lock").read_text()
    assert {block.split("==")[0] for block in blocks} == {"uv", "setuptools"}
    for block in blocks:
        assert block.count("--hash=sha256:") >= 2
        assert "://" not in block
    (setuptools,) = [block.split()[0] for block in blocks if block.startswith("setuptools")]
    assert f"\n{setuptools} " in pinned  # what the package is built with is what is installed
    makefile = (ROOT / "Makefile").read_text()
    installs = [line for line in makefile.splitlines() if "pip install" in line]
    assert len(installs) == 3
    for line in installs:
        assert "--require-hashes" in line or "--no-deps --no-build-isolation" in line

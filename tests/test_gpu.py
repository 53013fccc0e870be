"""What only a GPU can show: captured steps equal eager ones, and every method runs there."""

import pytest
import torch
from conftest import some
from networks import dataset, in_files, tiny
from test_training import RECIPE, make, train

from kdprune import device
from kdprune.data.stored import batches, parts
from kdprune.distillation import METHODS
from kdprune.distillation.none import Supervised
from kdprune.errors import KdpruneError
from kdprune.sweeps.finetune import FineTune
from kdprune.sweeps.sweep import sweep
from kdprune.training.step import training_step

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU at hand")


def on(place: str, data: dict) -> dict:
    return {name: value.to(place) for name, value in data.items()}


def steps(task, *, captured: bool, precision: str = "fp32", count: int = 12) -> list[float]:
    """Losses of `count` steps over fixed batches."""
    task.capturable = captured
    trained = [parameter for parameter in task.parameters() if parameter.requires_grad]
    settings = {"momentum": 0.9, "nesterov": True, "weight_decay": 5e-4, "fused": True}
    optimiser = torch.optim.SGD(trained, 0.05, **settings)
    place = next(task.parameters()).device
    step = training_step(task.train(), optimiser, precision=precision, device=place)
    generator = torch.Generator().manual_seed(0)
    losses = []
    for number in range(count):
        images = torch.randn(16, 3, 32, 32, generator=generator).to(place)
        labels = torch.randint(10, (16,), generator=generator).to(place)
        indices = torch.arange(16, device=place)
        losses.append(step(images, labels, indices, 0.05 / (1 + number)))
    return torch.stack(losses).tolist()


@needs_cuda
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_captured_step_equals_an_eager_one(precision):
    tasks = [Supervised(tiny("basic")).cuda() for _ in range(2)]
    captured = steps(tasks[0], captured=True, precision=precision)
    eager = steps(tasks[1], captured=False, precision=precision)
    assert captured == pytest.approx(eager, rel=1e-3 if precision == "fp32" else 3e-2)


@needs_cuda
def test_images_in_files_come_to_a_gpu_as_they_are(tmp_path):
    """Over and over, while the device is busy: no memory is given out before it has been read."""
    data = on("cuda", dataset(count=512))
    filed = in_files(data, tmp_path)
    order = torch.randperm(512, generator=torch.Generator().manual_seed(0)).repeat(20)
    busy, wrong = torch.randn(2048, 2048, device="cuda"), torch.zeros((), device="cuda")
    with (
        batches(data["train_images"], order, 32) as ours,
        batches(filed["train_images"], order, 32) as theirs,
    ):
        for one, other in zip(ours, theirs, strict=True):
            busy = (busy @ busy).clamp(-1, 1)
            wrong += (one != other).any()
    assert not wrong.item()
    with parts(filed["val_images"], 7) as read:
        assert torch.equal(torch.cat(list(read)), data["val_images"])
    assert torch.equal(filed["test_images"].whole(11), data["test_images"])


@needs_cuda
def test_a_training_from_a_file_on_a_gpu_is_that_from_memory(tmp_path):
    data, losses = on("cuda", dataset()), []
    for given in (data, in_files(data, tmp_path)):
        rows = train(make("none", data).cuda(), given, lr=0.01)
        losses.append([row["train_loss"] for row in rows])
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


@needs_cuda
@pytest.mark.parametrize("method", METHODS)
def test_every_method_trains_on_a_gpu(method):
    data = on("cuda", dataset())
    task = make(method, data).cuda() if method == "none" else None
    if task is None:
        teacher = tiny("dense", seed=1).cuda()
        arguments = {"batch_size": 16} if method == "semckd" else {}
        student = tiny("basic", seed=2).cuda()
        task = METHODS[method](student, teacher, labels=data["train_labels"], **arguments).cuda()
    rows = train(task, data, lr=0.01)
    assert all(row["train_loss"] == row["train_loss"] for row in some(rows))


@needs_cuda
@pytest.mark.parametrize("method", ["weight", "channel"])
def test_a_sweep_on_a_gpu_equals_the_cpus(method):
    found = {}
    tune = {**{key: RECIPE[key] for key in ("momentum", "nesterov", "weight_decay")}}
    tune |= {"scope": "head", "epochs": 1, "batch_size": 16, "lr": 0.01, "views": 1}
    for place in ("cpu", "cuda"):
        found[place] = sweep(
            tiny("basic").to(place),
            on(place, dataset()),
            method=method,
            levels=[0.0, 0.5],
            seeds=2,
            re_estimate_images=64,
            finetune=FineTune(**tune),
            hyperparameters={},
        )[0]
    same = ["level", "seed", "params", "nonzero_params", "macs"]
    assert found["cpu"][same].equals(found["cuda"][same])


def test_the_device_is_what_the_variable_names(monkeypatch):
    monkeypatch.setenv(device.VARIABLE, "cpu")
    assert device.choose() == torch.device("cpu")
    for wanted in ("tpu", "cuda:99", "cpu:x", "cpu:1", "nothing at all"):
        monkeypatch.setenv(device.VARIABLE, wanted)
        with pytest.raises(KdpruneError, match=rf"KDPRUNE_DEVICE={wanted}: .*cpu"):
            device.choose()


@needs_cuda
@pytest.mark.parametrize("wanted", ["", "cuda", "cuda:0"])
def test_a_gpu_is_chosen_with_and_without_its_number(wanted, monkeypatch):
    monkeypatch.setenv(device.VARIABLE, wanted)
    assert device.choose().type == "cuda"
    assert torch.cuda.current_device() == 0


def test_small_networks_run_on_one_thread(monkeypatch):
    threads = torch.get_num_threads()
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    try:
        torch.set_num_threads(2)
        device.limit_threads(device.SMALL)
        assert torch.get_num_threads() == 2
        device.limit_threads(device.SMALL - 1)
        assert torch.get_num_threads() == 1
        torch.set_num_threads(2)
        monkeypatch.setenv("OMP_NUM_THREADS", "2")  # the user has the last word
        device.limit_threads(1)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)

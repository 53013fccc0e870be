"""Methods train the student and what is their own, never the teacher, and leave a plain student."""

import copy
import inspect
from pathlib import Path

import pytest
import torch
import yaml
from conftest import some
from networks import TINY, images, tiny
from torch import nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from kdprune import models
from kdprune.distillation import METHODS
from kdprune.distillation.taps import FIRST, pairs, taps
from kdprune.distillation.vid import vid_loss
from kdprune.distillation.weighted import kd_loss
from kdprune.errors import KdpruneError

CONF = Path(__file__).parents[1] / "conf" / "distill"
NINE = ["kd", "fitnet", "at", "sp", "vid", "crd", "srrl", "fn", "semckd"]
OWN = {  # what is trained beside the student
    "fitnet": {"regressor"},
    "vid": {"regressors", "scales"},
    "crd": {"student_embedding", "teacher_embedding"},
    "srrl": {"connector"},
    "semckd": {"queries", "keys", "projectors"},
}
BATCH = 8
LABELS = torch.tensor(
    [0, 1, 2, 2, 2, 3, 3, 0] * 3
)  # three times as many of one class as of another
FEW = {"crd": {"negatives": 20}, "semckd": {"batch_size": BATCH, "width_cap": 16}}


def make(name: str, student: str = "basic", teacher: str = "dense", **settings) -> nn.Module:
    networks = tiny(student, seed=1), tiny(teacher, seed=2)
    torch.manual_seed(0)
    return METHODS[name](*networks, labels=LABELS, **(FEW.get(name, {}) | settings))


def step(task: nn.Module, start: int = 0) -> dict[str, torch.Tensor]:
    indices = torch.arange(start, start + BATCH)
    return task(images(BATCH, seed=start), LABELS[indices], indices)


def both(task: nn.Module) -> tuple:
    """Taps of student and teacher for the images of `step`."""
    with torch.no_grad():
        return taps(task.network, images(BATCH)), taps(task._teacher[0], images(BATCH))


def defaults(method: type) -> dict:
    """A method's keyword-only arguments with those that it passes on to its base."""
    arguments = inspect.signature(method.__init__).parameters.values()
    inherited = any(item.kind is item.VAR_KEYWORD for item in arguments)
    return (defaults(method.__base__) if inherited else {}) | {
        item.name: item.default for item in arguments if item.kind is item.KEYWORD_ONLY
    }


def own(task: nn.Module) -> dict[str, nn.Parameter]:
    named = task.named_parameters()
    return {name: value for name, value in named if not name.startswith("network.")}


@pytest.mark.parametrize("name", NINE)
@pytest.mark.parametrize("teacher", ["dense", "squeeze"])
def test_gradients_reach_the_student_and_its_own_modules_only(name, teacher):
    task = make(name, teacher=teacher).train()
    taught = task._teacher[0]
    before = copy.deepcopy(taught.state_dict())
    passes = []
    first = next(module for module in taught.modules() if isinstance(module, nn.Conv2d))
    first.register_forward_hook(lambda *given: passes.append(1))
    step(task)["loss"].backward()
    assert len(passes) == 1
    for key, parameter in task.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key
    assert {key.split(".")[0] for key in own(task)} == OWN.get(name, set())
    assert not taught.training
    assert all(parameter.grad is None for parameter in taught.parameters())
    for key, value in taught.state_dict().items():
        assert torch.equal(before[key], value), key
    known = {parameter.data_ptr() for parameter in taught.parameters()}
    assert not known & {parameter.data_ptr() for parameter in task.parameters()}
    assert not any("_teacher" in key for key in task.state_dict())


@pytest.mark.parametrize("name", NINE)
@pytest.mark.parametrize("student", ["basic", "squeeze"])
def test_what_is_deployed_is_the_plain_student(name, student, tmp_path):
    task = make(name, student=student)
    kind, kwargs = TINY[student]
    described = {"timm_name": kind, "classes": 10, "stem": "imagenet", "kwargs": kwargs}
    assert task.projector is None
    for module in task.network.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
    assert list(task.network.state_dict()) == list(tiny(student).state_dict())
    models.save(tmp_path / "student", task.network, {"network": described})
    loaded, _ = models.load(tmp_path / "student")
    with torch.no_grad():
        assert torch.equal(loaded(images()), task.network.eval()(images()))


@pytest.mark.parametrize("name", NINE)
def test_the_yaml_gives_the_defaults(name):
    given = yaml.safe_load((CONF / f"{name}.yaml").read_text())
    expected = defaults(METHODS[name])
    expected.pop("labels")
    if name == "semckd":
        assert given.pop("batch_size") == "${distill.training.batch_size}"
        expected.pop("batch_size")
    assert given == expected
    for line in (CONF / f"{name}.yaml").read_text().splitlines()[1:]:
        assert "#" in line  # each default says where it comes from


@pytest.mark.parametrize("name", some(name for name in NINE if name != "fn"))
def test_the_loss_is_the_weighted_sum_of_its_parts(name):
    weights = {"ce": 0.5, "kd": 3.0} | ({} if name == "kd" else {"feature": 2.0})
    task = make(name, temperature=2, **weights).train()
    parts = step(task)
    assert set(parts) == {"loss", *weights}
    total = sum(weight * parts[part] for part, weight in weights.items())
    torch.testing.assert_close(parts["loss"], total)
    seen, goal = taps(task.network, images(BATCH)), both(task)[1]
    torch.testing.assert_close(parts["ce"], functional.cross_entropy(seen.logits, LABELS[:BATCH]))
    torch.testing.assert_close(parts["kd"], kd_loss(seen.logits, goal.logits, temperature=2))


@pytest.mark.parametrize("name", NINE)
def test_a_term_without_weight_is_not_computed(name):
    terms = [key for key in ("ce", "kd", "feature") if key in defaults(METHODS[name])]
    for term in terms:
        assert set(step(make(name, **{term: 0}))) == {"loss", *terms} - {term}
    with pytest.raises(KdpruneError, match="all weights are 0"):
        make(name, **dict.fromkeys(terms, 0))


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("kd", {"temperature": 0}),
        ("kd", {"ce": -1}),
        ("at", {"feature": "many"}),
        ("sp", {"kd": True}),
        ("fitnet", {"layer": 5}),
        ("fitnet", {"layer": -1}),
        ("fitnet", {"layer": 0.5}),
        ("vid", {"variance": 0}),
        ("crd", {"negatives": 0}),
        ("crd", {"negatives": 2.5}),
        ("fn", {"cap": 0}),
        ("semckd", {"width_cap": 0}),
        ("semckd", {"batch_size": 1}),
        ("semckd", {"batch_size": None}),
    ],
)
def test_faults_are_named_in_one_line(name, settings):
    with pytest.raises(KdpruneError) as caught:
        make(name, **settings)
    assert f"distill.{name}.{next(iter(settings))} = " in str(caught.value)
    assert "\n" not in str(caught.value)


class NoWaiting(TorchDispatchMode):
    """Refuses what makes the host wait for a device."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        assert func.overloadpacket not in (
            torch.ops.aten._local_scalar_dense,
            torch.ops.aten.nonzero,
            torch.ops.aten.equal,
        )
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", NINE)
def test_a_step_never_waits_for_the_device(name):
    task = make(name).train()
    with NoWaiting():
        step(task)["loss"].backward()
    with pytest.raises(AssertionError), NoWaiting():
        torch.zeros(1).item()


@pytest.mark.parametrize("name", NINE)
def test_half_precision_outside_is_full_precision_in_the_loss(name):
    losses = []
    for enabled in (False, True):
        task = make(name).train()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            loss = step(task)["loss"]
        loss.backward()
        losses.append(loss)
    assert losses[1].dtype == torch.float32
    assert losses[1].item() == pytest.approx(losses[0].item(), rel=0.1)


RATES = {"fitnet": 0.05, "vid": 0.5, "srrl": 0.05, "crd": 0.005, "semckd": 0.05}


@pytest.mark.parametrize(("name", "rate"), RATES.items())
def test_its_own_modules_learn_to_match_a_fixed_student(name, rate):
    task = make(name, ce=0, kd=0, feature=1).train()
    task.network.requires_grad_(False)
    optimiser = torch.optim.SGD(own(task).values(), rate, momentum=0.9)
    losses = []
    for _ in range(20):
        optimiser.zero_grad()
        loss = step(task)["loss"]
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) / 5 < 0.95 * losses[0]


@pytest.mark.parametrize("name", ["kd", "at", "sp"])
def test_a_student_that_equals_its_teacher_has_nothing_to_learn(name):
    teacher = tiny()
    task = METHODS[name](copy.deepcopy(teacher), teacher).eval()
    parts = step(task)
    assert all(abs(parts[part].item()) < 1e-6 for part in some({"kd", "feature"} & set(parts)))


class Pixels(nn.Module):
    """A network, all of whose maps are one pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 32)
        self.classifier = nn.Linear(4, 10)

    def forward_intermediates(self, given):
        maps = self.stem(given)
        return maps, [maps, maps]

    def forward_head(self, maps, pre_logits=False):
        return maps.flatten(1)

    def get_classifier(self):
        return self.classifier


def test_at_refuses_pairs_whose_maps_are_single_pixels():
    with pytest.raises(KdpruneError, match=r"model\.stem: cifar"):
        METHODS["at"](Pixels(), Pixels())


def test_at_leaves_single_pixels_out():
    assert make("at").chosen == [0, 1]  # the dense teacher's maps: 4, 2, 1 and 1
    assert make("at", teacher="basic").chosen == [0, 1, 2]
    deep = METHODS["at"](tiny(stem="cifar"), tiny("dense", stem="cifar"))
    assert deep.chosen == [0, 1, 2, 3]


def test_sp_compares_what_the_classifiers_pool():
    task = make("sp", teacher="squeeze").eval()
    seen, goal = both(task)
    rows = [functional.normalize(item @ item.T) for item in (seen.last[..., 0, 0], goal.pooled)]
    torch.testing.assert_close(step(task)["feature"], (rows[0] - rows[1]).square().mean())


def test_fitnet_looks_at_the_layer_that_it_is_told():
    for layer in range(5):
        task = make("fitnet", layer=layer).eval()
        seen, goal = both(task)
        with torch.no_grad():
            regressed = task.regressor(seen.stages[layer])
        pooled = functional.adaptive_avg_pool2d(goal.stages[layer], regressed.shape[2:])
        torch.testing.assert_close(step(task)["feature"], (regressed - pooled).square().mean())


def test_vid_sums_over_stages_and_trains_its_scales():
    task = make("vid").eval()
    before = [scale.detach().clone() for scale in task.scales]
    for scale in before:
        variance = functional.softplus(scale) + 1e-5
        torch.testing.assert_close(variance, torch.full_like(variance, 5))
    total = 0.0
    with torch.no_grad():
        for (ours, theirs), predict in zip(pairs(*both(task)), task.regressors, strict=True):
            ours = functional.adaptive_avg_pool2d(ours, theirs.shape[2:])
            total += vid_loss(predict(ours), theirs, torch.full((theirs.shape[1],), 5.0))
    torch.testing.assert_close(step(task)["feature"], total)
    optimiser = torch.optim.SGD(task.parameters(), 0.1)
    step(task.train())["loss"].backward()
    optimiser.step()
    assert len(before) == 4
    assert not any(torch.equal(old, new) for old, new in zip(before, task.scales, strict=True))


def test_srrl_lets_the_teachers_classifier_judge_the_students_features():
    task = make("srrl").eval()
    seen, goal = both(task)
    with torch.no_grad():
        connected = task.connector(seen.pooled)
        judged = task._teacher[0].get_classifier()(connected)
    expected = (connected - goal.pooled).square().mean() + (judged - goal.logits).square().mean()
    torch.testing.assert_close(step(task)["feature"], expected)


def test_fn_scales_features_and_not_biases():
    task = make("fn", cap=0.1).eval()
    logits = []
    for network, seen in zip((task.network, task._teacher[0]), both(task), strict=True):
        classifier = network.get_classifier()
        assert (seen.pooled.norm(dim=1) > 0.1).all()
        short = seen.pooled / seen.pooled.norm(dim=1, keepdim=True) * 0.1
        logits.append((short @ classifier.weight.T + classifier.bias).detach())
    expected = -(logits[1].softmax(1) * logits[0].log_softmax(1)).sum(1).mean()
    parts = step(task)
    torch.testing.assert_close(parts["feature"], expected)
    torch.testing.assert_close(parts["loss"], parts["ce"] + 9 * parts["feature"])


def test_semckd_is_its_formula():
    task = make("semckd").eval()
    seen, goal = (item.stages[FIRST:] for item in both(task))
    total = 0.0
    with torch.no_grad():
        keys = [functional.normalize(k(_products(m))) for k, m in zip(task.keys, goal, strict=True)]
        for maps, query, row in zip(seen, task.queries, task.projectors, strict=True):
            query = functional.normalize(query(_products(maps)))
            heed = torch.stack([(query * key).sum(1) for key in keys], 1).softmax(1)
            for j, (theirs, project) in enumerate(zip(goal, row, strict=True)):
                size = min(maps.shape[2], theirs.shape[2])
                ours = project(functional.adaptive_avg_pool2d(maps, size))
                error = (ours - functional.adaptive_avg_pool2d(theirs, size)).square()
                total += (heed[:, j] * error.mean((1, 2, 3))).sum() / (BATCH * len(seen))
    torch.testing.assert_close(step(task)["feature"], total)


def _products(maps: torch.Tensor) -> torch.Tensor:
    return torch.einsum("bchw,dchw->bd", maps, maps)


def test_semckd_needs_batches_of_its_size():
    odd = make("semckd", batch_size=7)
    seven = torch.arange(7)
    assert odd(images(7), LABELS[:7], seven)["loss"].isfinite()
    with pytest.raises(KdpruneError, match=r"semckd\.batch_size = 7: a batch holds 8 images"):
        step(odd)
    assert make("semckd", batch_size=64).batch_size == len(LABELS)  # as fit cuts its batches


def test_semckd_caps_the_width_of_its_projectors():
    widths = {row.out_channels for row in _middles(make("semckd", width_cap=5))}
    assert widths == {5}
    free = make("semckd", width_cap=None)
    goals = [maps.shape[1] for maps in both(free)[1].stages[FIRST:]]
    assert [row.out_channels for row in _middles(free)] == [2 * goal for goal in goals] * 4


def _middles(task: nn.Module) -> list[nn.Conv2d]:
    return [project[3] for row in task.projectors for project in row]


def test_crd_draws_from_other_classes_evenly():
    task = make("crd", negatives=4000)
    wanted = torch.tensor([0, 1, 2, 3])
    drawn = task.draw(wanted)
    assert drawn.shape == (4, 4000)
    for label, row in zip(wanted, drawn, strict=True):
        others = (label != LABELS).nonzero().flatten()
        shares = torch.bincount(row, minlength=len(LABELS)) / 4000
        assert shares[label == LABELS].sum() == 0
        torch.testing.assert_close(
            shares[others], torch.full((len(others),), 1 / len(others)), rtol=0.5, atol=0
        )


def test_crd_keeps_memories_and_constants_in_its_state():
    task = make("crd").train()
    names = [f"{who}_{what}" for who in ("student", "teacher") for what in ("memory", "constant")]
    assert {key for key in task.state_dict() if not key.startswith("network.")} == {
        *names,
        *own(task),
    }
    before = {name: task.state_dict()[name].clone() for name in names}
    step(task)
    first = {name: task.state_dict()[name].clone() for name in names}
    step(task, start=BATCH)
    second = {name: task.state_dict()[name].clone() for name in names}
    for who in ("student", "teacher"):
        assert before[f"{who}_constant"] == 0 < first[f"{who}_constant"]
        assert first[f"{who}_constant"] == second[f"{who}_constant"]
        changed = (before[f"{who}_memory"] != first[f"{who}_memory"]).any(1)
        assert changed.nonzero().flatten().tolist() == list(range(BATCH))
        changed = (first[f"{who}_memory"] != second[f"{who}_memory"]).any(1)
        assert changed.nonzero().flatten().tolist() == list(range(BATCH, 2 * BATCH))


def test_crd_is_its_formula(monkeypatch):
    task = make("crd").eval()
    drawn = task.draw(LABELS[:BATCH])
    monkeypatch.setattr(task, "draw", lambda labels: drawn)
    seen, goal = both(task)
    memories = {who: getattr(task, f"{who}_memory").clone() for who in ("student", "teacher")}
    with torch.no_grad():
        views = {
            "student": functional.normalize(task.student_embedding(seen.pooled)),
            "teacher": functional.normalize(task.teacher_embedding(goal.pooled)),
        }
    rows = torch.cat([torch.arange(BATCH)[:, None], drawn], 1)
    density, total = 20 / len(LABELS), 0.0
    for who, other in (("student", "teacher"), ("teacher", "student")):
        output = torch.einsum("bd,bkd->bk", views[who], memories[other][rows]).div(0.07).exp()
        output = output / (output.mean() * len(LABELS))
        total -= (output[:, 0] / (output[:, 0] + density)).log().mean()
        total -= (density / (output[:, 1:] + density)).log().sum(1).mean()
    torch.testing.assert_close(step(task)["feature"], total)
    for who, memory in memories.items():
        moved = functional.normalize(0.5 * memory[:BATCH] + 0.5 * views[who])
        torch.testing.assert_close(getattr(task, f"{who}_memory")[:BATCH], moved)


@pytest.mark.parametrize("labels", [None, torch.zeros(8, dtype=torch.long)])
def test_crd_needs_labels_of_two_classes(labels):
    with pytest.raises(KdpruneError, match="two classes"):
        METHODS["crd"](tiny(), tiny("dense"), labels=labels)


def test_crd_takes_any_number_of_classes():
    labels = torch.arange(30) % 7 * 13  # with gaps in their numbers
    task = METHODS["crd"](tiny(classes=100), tiny("dense", classes=100), labels=labels)
    parts = task(images(BATCH), labels[:BATCH], torch.arange(BATCH))
    assert parts["loss"].isfinite()
    assert (labels[task.draw(labels[:BATCH])] != labels[:BATCH, None]).all()

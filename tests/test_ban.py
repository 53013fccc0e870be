"""Born-again networks: the losses, and pairs of equal networks in the grid."""

import math

import numpy as np
import pytest
import torch
from networks import dataset, images, tiny
from test_distillation_losses import agree, doubles, softmax

from kdprune import models
from kdprune.config.grid import expand
from kdprune.config.params import load, validate
from kdprune.distillation.ban import BAN, ban_loss, cwtm_loss, permuted
from kdprune.distillation.weighted import kd_loss
from kdprune.errors import KdpruneError
from kdprune.planning import trial

LABELS = torch.tensor([0, 3, 1, 6, 2])
STUDENT, TEACHER = doubles(5, 7), doubles(5, 7, seed=1) * 3


def expected(goals: np.ndarray, weights: np.ndarray) -> float:
    """Σ_b w_b Σ_k -p_bk log q_bk, q the student's softmax."""
    return sum(
        weight * -sum(p * math.log(q) for p, q in zip(goal, softmax(ours), strict=True))
        for weight, goal, ours in zip(weights, goals, STUDENT.numpy(), strict=True)
    )


def shares() -> torch.Tensor:
    return TEACHER.softmax(1)


def test_ban_is_the_cross_entropy_with_the_teachers_softmax():
    goals = np.array([softmax(row) for row in TEACHER.numpy()])
    agree(ban_loss(STUDENT, shares()), expected(goals, np.full(5, 1 / 5)))


def test_cwtm_weighs_labels_by_the_teachers_confidence():
    goals = np.eye(7)[LABELS]
    sure = np.array([softmax(row).max() for row in TEACHER.numpy()])
    agree(cwtm_loss(STUDENT, shares(), LABELS), expected(goals, sure / sure.sum()))
    even = torch.full((5, 7), 1 / 7).double()
    agree(cwtm_loss(STUDENT, even, LABELS), expected(goals, np.full(5, 1 / 5)))


def test_dkpp_permutes_all_but_the_largest():
    torch.manual_seed(0)
    drawn = [permuted(shares()) for _ in range(200)]
    for made in drawn:
        assert torch.equal(made.argmax(1), shares().argmax(1))
        assert torch.equal(made.amax(1), shares().amax(1))
        assert torch.equal(made.sort(1).values, shares().sort(1).values)
    others = shares().argmin(1, keepdim=True)
    mean = torch.stack(drawn).mean(0).gather(1, others).flatten()
    rest = (1 - shares().amax(1)) / 6  # each place has each of the others' shares equally often
    spread = shares().std(1) / math.sqrt(200)
    assert ((mean - rest).abs() < 5 * spread).all()
    assert not torch.equal(drawn[0], drawn[1])


def test_equal_shares_of_two_classes_lose_none():
    torch.manual_seed(0)
    tied = torch.tensor([[0.4, 0.4, 0.2], [0.5, 0.5, 0.0]])
    assert torch.equal(permuted(tied).sort(1).values, tied.sort(1).values)


def test_its_gradient_is_that_of_kd_at_temperature_one():
    gradients = []
    for loss in (
        lambda ours: ban_loss(ours, shares()),
        lambda ours: kd_loss(ours, TEACHER, temperature=1.0),
    ):
        ours = STUDENT.clone().requires_grad_()
        loss(ours).backward()
        gradients.append(ours.grad)
    torch.testing.assert_close(*gradients)
    by_hand = (STUDENT.softmax(1) - shares()) / 5
    torch.testing.assert_close(gradients[0], by_hand)


@pytest.mark.parametrize("variant", ["ban", "cwtm", "dkpp"])
def test_labels_are_added_and_the_teacher_stays(variant):
    teacher, data = tiny(seed=1), dataset(count=8)
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    totals = []
    for label in (False, True):
        task = BAN(tiny(seed=2), teacher, labels=data["train_labels"], variant=variant, label=label)
        torch.manual_seed(0)
        told = task(images(8), data["train_labels"], torch.arange(8))
        told["loss"].backward()
        totals.append(told)
        assert {name.partition(".")[0] for name, _ in task.named_parameters()} == {"network"}
    plain, both = totals
    assert set(plain) == {"loss", "ban"}
    assert both["loss"].item() == pytest.approx((both["ban"] + both["ce"]).item())
    assert both["ban"].item() == pytest.approx(plain["ban"].item())
    assert all(torch.equal(before[name], value) for name, value in teacher.state_dict().items())
    assert all(value.grad is None for value in teacher.parameters())


def test_without_labels_the_labels_change_nothing():
    task = BAN(tiny(seed=2), tiny(seed=1))
    one, other = (task(images(8), torch.full((8,), k), torch.arange(8))["loss"] for k in (0, 1))
    assert one.item() == pytest.approx(other.item())


def test_a_variant_that_is_unknown_is_told():
    with pytest.raises(
        KdpruneError, match=r"distill\.ban\.variant = 'born': must be 'ban', 'cwtm'"
    ):
        BAN(tiny(), tiny(), variant="born")


# Pairs of equal networks


def born_again(values: dict, **training) -> dict:
    values["pairs"] = ["resnet10_16/resnet10_16"]
    values["distill"]["method"] = "ban"
    values["distill"]["training"] |= training
    names = {"distill": "ban", "prune": "both", "roles": values["prune"]["roles"]}
    values["grid"] |= expand(datasets=["cifar10"], pairs=values["pairs"], **names)
    return values


def test_a_pair_of_equal_networks_has_two_names(values):
    grid = born_again(values)["grid"]
    assert [*grid["teachers"]] == ["cifar10-resnet10_16"]
    assert [*grid["students"]] == ["cifar10-resnet10_16-resnet10_16-ban"]
    assert len({item["checkpoint"] for item in grid["networks"].values()}) == 2
    assert len(grid["sweeps"]) == 4


def test_the_student_needs_a_seed_of_its_own(values):
    with pytest.raises(KdpruneError, match=r"-S distill\.training\.seed=2"):
        validate(born_again(values))
    params = validate(born_again(values, seed=2))
    architecture = params.architectures["resnet10_16"]
    first = [
        models.build(architecture.timm, classes=10, kwargs=architecture.kwargs, seed=seed).conv1
        for seed in (params.teach.seed, params.distill.training.seed)
    ]
    assert not torch.equal(first[0][0].weight, first[1][0].weight)


def test_the_pair_is_tried_as_others_are(values, tmp_path, capsys):
    trial.run(validate(born_again(values, seed=2)), tmp_path)
    assert "tried once" in capsys.readouterr().err


def test_the_committed_study_knows_it(root):
    assert load(root / "params.yaml").distill.hyperparameters["ban"] == {
        "variant": "ban",
        "label": False,
    }

"""Which networks `kdprune plan` measures, and what follows for the others."""

import time

import pytest
from conftest import ROOT

from kdprune.__main__ import main
from kdprune.planning import speeds
from kdprune.planning.cost import Network, Speed
from kdprune.planning.speeds import Load

SMALL, MIDDLE, LARGE = Load(10, 4, 4, 2), Load(30, 8, 8, 2), Load(1000, 40, 40, 8)
OTHER = Load(50, 20, 20, 2)
LOADS = {"large": LARGE, "small": SMALL, "middle": MIDDLE, "other": OTHER}
KINDS = {"large": "resnet", "small": "resnet", "middle": "resnet", "other": "densenet"}


def measured(seconds: float, slow: float = 0.0) -> tuple[dict[str, Speed], int, list[str]]:
    """Speeds of four networks by a measurement that is told from a table, and takes `slow` s."""
    asked = []

    def measure(who: str) -> Speed:
        asked.append(who)
        time.sleep(slow)
        load = LOADS[who]
        pace = 2.0 if KINDS[who] == "densenet" else 1.0
        return Speed(pace * load.step, pace * load.image, pace * load.tuning, pace * load.head)

    known, count = speeds.speeds(LOADS, KINDS, measure, seconds=seconds)
    return known, count, asked


def test_with_time_every_network_is_measured():
    known, count, asked = measured(10.0)
    assert count == len(LOADS)
    assert set(asked) == set(LOADS)
    assert known["large"] == Speed(1000, 40, 40, 8)


def test_without_time_one_of_each_family_is_measured_and_the_others_follow():
    known, count, asked = measured(0.0)
    assert asked == ["small", "other"]
    assert count == 2
    assert list(known) == list(LOADS)
    for name in ("large", "middle"):  # in proportion to each of its loads
        load = LOADS[name]
        assert known[name].step == pytest.approx(load.step)
        assert known[name].image == pytest.approx(load.image)
        assert known[name].head_step == pytest.approx(load.head)
    assert known["other"] == Speed(100, 40, 40, 4)


def test_a_network_that_would_take_too_long_is_left_out_before_it_is_begun():
    _, _, asked = measured(0.05, slow=0.04)  # 0.5 s in all; "large" needs 33 times 0.04 s
    assert "middle" in asked
    assert "large" not in asked


def test_a_step_with_a_teacher_counts_it_once_and_the_student_thrice():
    network = Network(5, 7, 11, 1, 4, 3)
    assert speeds.load(network, 2) == Load(2 * (3 * 7 + 11), 5, 5, 3)


def test_families_are_those_of_names():
    alike = {speeds.family(name) for name in ("efficientnet_b0", "efficientnet_b5")}
    assert alike == {"efficientnet"}
    assert speeds.family("slim_efficientnet") == "efficientnet"
    assert speeds.family("cifar_resnet20") == speeds.family("wide_resnet50_2") == "resnet"
    assert speeds.family("slim_mobilenetv1") != speeds.family("slim_efficientnet")
    assert speeds.family("tf_efficientnet_b0") == "efficientnet"
    assert speeds.family("resnet18") != speeds.family("resnext50")


@pytest.mark.slow
def test_the_papers_times_are_planned_in_twenty_seconds(capsys):
    start = time.process_time()
    arguments = ["plan", "--profile", "paper", "--project", str(ROOT)]
    assert main([*arguments, "--calibrate-seconds", "0.02"]) == 0
    assert time.process_time() - start < 20
    said = capsys.readouterr()
    assert "4 of 17 networks were measured" in said.out
    assert "half as long, or twice" in said.out
    assert len(said.err.splitlines()) == 4

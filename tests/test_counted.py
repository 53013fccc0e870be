"""The remembered counts of the paper's networks: all there, of one another's making, and true."""

import json
import subprocess
import sys
import time

import pytest
import yaml
from conftest import ROOT, some

from kdprune.__main__ import main
from kdprune.config.params import validate
from kdprune.planning import calibration, counted
from kdprune.planning.images import sizes
from kdprune.planning.subjects import Subject, counts_follow_from, subject

CHEAPEST = ["densenet169", "efficientnet_b1"]  # to count again


def asked(folder) -> list[tuple[Subject, dict, int]]:
    """What profile paper plans: who, what its counts follow from, and the training images."""
    file = folder / "paper.yaml"
    command = [sys.executable, "conf/compose.py", "profile=paper", "-o", str(file)]
    subprocess.run(command, cwd=ROOT, check=True)
    params = validate(yaml.safe_load(file.read_text()))
    items = [*params.grid["teachers"].values(), *params.grid["students"].values()]
    told = []
    for item in some(items):
        images, classes = sizes(params, item["dataset"], ROOT)
        one = subject(item)
        told.append((one, counts_follow_from(params, one, classes, images), images.train))
    return told


def count(description: dict, images: int):
    return calibration.look(*calibration.task(**description, images=images))


@pytest.fixture(scope="module")
def paper(tmp_path_factory):
    return asked(tmp_path_factory.mktemp("paper"))


def test_the_papers_plan_counts_no_network(paper, capsys):
    assert len(counted.read()) == len(paper) == 34
    start = time.process_time()
    arguments = ["plan", "--profile", "paper", "--no-calibration", "--project", str(ROOT), "--json"]
    assert main(arguments) == 0
    assert time.process_time() - start < 5
    said = capsys.readouterr()
    assert said.err == ""
    rows = {row["key"]: row for row in json.loads(said.out)["rows"]}
    for key, name in (("cifar10-resnet152", "resnet152"), ("cifar100-densenet161", "densenet161")):
        (mine,) = [
            item
            for one, item, _ in paper
            if one == (name, "", "")
            and key.startswith("cifar100" if item["student"]["classes"] == 100 else "cifar10-")
        ]
        assert rows[key]["params"] == counted.remembered(mine).params


def test_more_classes_change_the_head_alone(paper):
    pairs: dict = {}
    for one, description, _ in paper:
        pairs.setdefault(one, {})[description["student"]["classes"]] = counted.remembered(
            description
        )
    for few, many in ((by[10], by[100]) for by in some(pairs.values())):
        features = few.head // 10
        assert many.head == 100 * features
        assert many.macs - few.macs == 90 * features
        assert many.params - few.params == 90 * (features + 1)
        assert many.bytes - few.bytes == 4 * 90 * (features + 1)
        assert many.training_macs - few.training_macs in (0, 90 * features)  # of encoders alone


@pytest.mark.parametrize("name", CHEAPEST)
def test_what_is_remembered_is_what_is_counted(name, paper):
    (description, images) = next(rest for one, *rest in paper if one == (name, "", ""))
    assert count(description, images) == counted.remembered(description)


def test_another_description_is_not_remembered(paper):
    description = json.loads(json.dumps(paper[-1][1]))
    assert counted.remembered(description)
    description["student"]["size"] = 64
    assert counted.remembered(description) is None


if __name__ == "__main__":
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as name:
        described = asked(Path(name))
    counted.write([(item, count(item, images)) for _, item, images in described])

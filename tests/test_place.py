"""A stage in a long run says which instance of how many it is, and how long the rest may take."""

import pytest
import yaml

from kdprune.config.grid import expand
from kdprune.records import write_json
from stages.runner import place

GRID = expand(
    datasets=["cifar10", "cifar100"],
    pairs=["a/b", "c/b"],
    distill="simkd",
    prune="both",
    roles=["teacher", "student"],
)


def record(folder, name, *runs):
    rows = [{"ended": ended, "resumed": went_on, "seconds": s} for ended, went_on, s in runs]
    folder.mkdir(exist_ok=True)
    write_json(folder / f"{name}.json", rows)


@pytest.mark.parametrize(
    ("stage", "key", "said"),
    [
        ("download", "cifar100", "download 2 of 2: cifar100"),
        ("teach", "cifar10-a", "teach 1 of 4: cifar10-a"),
        ("teach", "cifar100-c", "teach 4 of 4: cifar100-c"),
        ("distill", "cifar10-c-b-simkd", "distill 2 of 4: cifar10-c-b-simkd"),
        ("prune", "cifar10-a-channel", "prune 2 of 16: cifar10-a-channel"),
    ],
)
def test_the_place_follows_from_the_grid(stage, key, said, tmp_path):
    assert place.told(stage, key, GRID, tmp_path) == said


def test_the_rest_takes_what_whole_runs_took(tmp_path):
    record(tmp_path, "teach-cifar10-a", ("ok", False, 100), ("ok", True, 5), ("Error: x", False, 7))
    record(tmp_path, "teach-cifar100-a", ("ok", False, 1), ("ok", False, 300))
    record(tmp_path, "teach-cifar100-c", ("not yet, or killed", False, None))
    (tmp_path / "teach-cifar10-c.json").write_text("damaged")
    # 200 is the mean, which stands for cifar10-c and for cifar100-c
    assert place.told("teach", "cifar10-c", GRID, tmp_path) == (
        "teach 2 of 4: cifar10-c (about 11 min 40 s for this and the 2 after it, "
        "as earlier runs took)"
    )
    assert "about 3 min 20 s for this one" in place.told("teach", "cifar100-c", GRID, tmp_path)


def test_announcing_never_stops_a_stage(tmp_path, monkeypatch, capsys, values):
    monkeypatch.chdir(tmp_path)
    place.announce("teach", "nobody")  # no parameters at all
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    for stage, key in (("teach", "nobody"), ("report", ""), ("measure", "")):
        place.announce(stage, key)
    assert capsys.readouterr().err == ""
    key = next(iter(values["grid"]["teachers"]))
    place.announce("teach", key)
    assert capsys.readouterr().err == f"teach 1 of {len(values['grid']['teachers'])}: {key}\n"

"""The profiles that need a GPU hold the paper's study: its pairs, its recipe, its grid."""

import itertools
import subprocess
import sys
from collections.abc import Iterator

import pytest
import timm
import yaml

from kdprune.config.grid import split_pair
from kdprune.config.params import load
from kdprune.reporting.paper import published

# What the paper prints ("Matching the Ideal Pruning Method with Knowledge Distillation for Optimal
# Compression", sections 2 and 4): one recipe of SGD, temperature 4, 0 to 90 % in tens, ten
# iterations, w1 = w2 = 0.5, and the last layer alone fine-tuned.
RECIPE = {
    "batch_size": 64,
    "lr": 0.001,
    "momentum": 0.9,
    "nesterov": True,
    "weight_decay": 5e-4,
}
RECIPES = ("teach", "distill.training", "prune.finetune")
PRINTED = {
    **{f"{section}.{key}": value for section in RECIPES for key, value in RECIPE.items()},
    "datasets": ["cifar10", "cifar100"],
    "distill.method": "simkd",
    "distill.simkd.temperature": 4,
    "prune.method": "both",
    "prune.levels": [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9],
    "prune.seeds": 10,
    "prune.finetune.scope": "head",
    "prune.roles": ["teacher", "student"],
    "efficiency.w1": 0.5,
    "efficiency.w2": 0.5,
}
# Where profile strong departs from it, and nowhere else
STRONG = {
    "profile",
    "model.stem",
    *("prune.finetune." + key for key in ("epochs", "lr", "scope")),
    *(
        f"{section}.{key}"
        for section in ("teach", "distill.training")
        for key in ("epochs", "lr", "precision", "schedule", "warmup")
    ),
    *("prune.scratch." + key for key in ("epochs", "lr")),  # the teachers'
}
# Not the paper's to print: the grid follows from the rest, and 95 % is the custom
OURS = {"grid", "significance.confidence"}


@pytest.fixture(scope="module")
def composed(root, tmp_path_factory) -> dict[str, dict]:
    """Both profiles, each as it composes and is valid."""
    found = {}
    for profile in ("paper", "strong"):
        output = tmp_path_factory.mktemp(profile) / "params.yaml"
        script = root / "conf" / "compose.py"
        subprocess.run([sys.executable, script, f"profile={profile}", "-o", output], check=True)
        assert load(output).profile == profile
        found[profile] = yaml.safe_load(output.read_text())
    return found


def leaves(values: dict, path: str = "") -> Iterator[tuple[str, object]]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


@pytest.mark.parametrize("profile", ["paper", "strong"])
def test_the_grid_is_the_papers(composed, profile):
    values = composed[profile]
    grid = values["grid"]
    counts = {name: len(grid[name]) for name in ("teachers", "students", "sweeps")}
    assert counts == {"teachers": 14, "students": 20, "sweeps": 68}
    pairs = {split_pair(pair) for pair in values["pairs"]}
    printed = published.breakpoints()
    assert len(values["pairs"]) == 10
    assert pairs == set(zip(printed.teacher, printed.student, strict=True))
    for name in set(itertools.chain(*pairs)):
        assert values["architectures"][name]["timm"] in timm.list_models()
    trained = {item["teacher"] for item in grid["teachers"].values()}
    assert trained == {teacher for teacher, _ in pairs}
    made = {f"models/teachers/{key}.safetensors" for key in grid["teachers"]}
    made |= {f"models/students/{key}.safetensors" for key in grid["students"]}
    assert {item["checkpoint"] for item in grid["sweeps"].values()} == made


@pytest.mark.parametrize("key", PRINTED)
def test_what_the_paper_prints_is_what_profile_paper_holds(composed, key):
    assert dict(leaves(composed["paper"]))[key] == PRINTED[key]


def test_every_temperature_is_the_papers(composed):
    found = {
        key: value
        for key, value in leaves(composed["paper"]["distill"])
        if key.endswith(".temperature")
    }
    assert len(found) > 5
    assert set(found.values()) == {4}


def test_profile_strong_departs_where_it_says(composed):
    paper_values, strong = (dict(leaves(composed[name])) for name in ("paper", "strong"))
    assert paper_values.keys() == strong.keys()
    assert {key for key, value in strong.items() if paper_values[key] != value} == STRONG
    assert strong["model.stem"] == "cifar"


def test_what_the_paper_leaves_open_has_a_comment(root):
    """A key's comment stands on its line, on its section's, or in a block of comments above it."""
    text = (root / "conf" / "config.yaml").read_text()
    unexplained = set(uncommented(text)) - set(PRINTED) - OURS
    assert not unexplained


def uncommented(text: str) -> Iterator[str]:
    """Yield the dotted keys with a value that no comment explains."""
    sections: list[tuple[int, str, bool]] = []  # indentation, name, whether explained
    block = None  # indentation of the comments above, until a blank line or an outer key
    for line in text.splitlines():
        words, depth = line.strip(), len(line) - len(line.lstrip())
        if not words or words.startswith(("#", "- ")):
            block = depth if words.startswith("#") else block if words else None
            continue
        while sections and depth <= sections[-1][0]:
            sections.pop()
        block = block if block is not None and block <= depth else None
        name, _, rest = words.partition(":")
        value, mark, _ = rest.partition(" #")
        explained = block is not None or bool(mark) or any(known for *_, known in sections)
        if not value.strip():
            sections.append((depth, name, explained))
        elif not explained and "${" not in value:
            yield ".".join([*(part for _, part, _ in sections), name])


def test_a_key_without_a_comment_is_seen():
    text = """
        a:
          # both of these
          b: 1
          c: 2

          d: 3
        e: 4 # so
        f: # all
          g: 5
          # more
          h: 6
        i: ${e}
        j: 7
    """
    assert list(uncommented(text)) == ["a.d", "j"]

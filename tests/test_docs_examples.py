"""What the documentation's pages add to the study as examples: it composes, and it works."""

import importlib.util
import json
import re
import shutil
from pathlib import Path

import pytest
import yaml
from conftest import ROOT
from docs_pages import EXAMPLES, PAGES, blocks
from networks import tiny
from workspace import python


def apply(page: Path, folder: Path) -> list[Path]:
    """Put a page's titled blocks where their titles say; return the new files."""
    made = []
    for language in ("python", "yaml"):
        for title, text in blocks(page, language):
            path = folder / title
            if not title:
                continue
            if title.endswith("architectures.yaml"):
                path.write_text(path.read_text() + text)
            elif title.endswith("__init__.py"):
                line, entry = (part for part in text.strip().splitlines() if part)
                before = path.read_text()
                opened = re.search(r"^METHODS\b.*\{\n", before, re.MULTILINE)[0]
                changed = before.replace(opened, f"{line}\n\n{opened}{entry}\n")
                path.write_text(changed)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
                made.append(path)
    return made


@pytest.fixture(scope="module")
def extended(tmp_path_factory):
    """A copy of the tree to which every page's example was added."""
    folder = tmp_path_factory.mktemp("examples")
    for name in ("conf", "kdprune"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for page in PAGES:
        apply(page, folder)
    return folder


@pytest.mark.slow
def test_examples_compose(extended, tmp_path):
    values = ["pairs=[my_net/resnet10_16]", "distill.method=[simkd,cosine]"]
    values.append("prune.method=[weight,channel,random_weight]")
    shown = "\n".join(page.read_text() for page in PAGES)
    assert all(value in shown for value in values)
    output = tmp_path / "params.yaml"
    python(extended, "conf/compose.py", *values, "-o", str(output), PYTHONPATH=str(extended))
    grid = json.dumps(yaml.safe_load(output.read_text())["grid"])
    assert all(name in grid for name in EXAMPLES)


def loaded(path: Path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_example_of_a_distillation_method_learns(extended):
    import torch

    module = loaded(extended / "kdprune/distillation/cosine.py")
    ours, theirs = torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([[2.0, 0.0], [3.0, 0.0]])
    assert module.cosine_loss(ours, theirs).item() == pytest.approx(0.5)
    task = module.Cosine(tiny("basic"), tiny("dense"))
    parts = task(torch.randn(4, 3, 32, 32), torch.arange(4), torch.arange(4))
    terms = parts["ce"] + parts["kd"] + parts["feature"]
    assert parts["loss"].item() == pytest.approx(terms.item())
    parts["loss"].backward()
    assert task.connector.weight.grad.abs().sum() > 0
    assert not any(value.grad is not None for value in task._teacher[0].parameters())


def test_the_example_of_a_pruning_method_prunes(extended):
    module = loaded(extended / "kdprune/pruning/random_weight.py")
    before, half, most = module.prune(tiny("basic"), [0.0, 0.5, 0.9], draw=1)
    assert not before.masks
    assert half.sparsity == pytest.approx(0.5, abs=0.01)
    for name, mask in half.masks.items():
        assert (half.model.get_parameter(name)[~mask] == 0).all()
        assert (mask | ~most.masks[name]).all()  # nested

"""What a method takes is read from its source; what cannot be checked by is refused at once."""

import shutil

import pytest
from conftest import ROOT

from kdprune.config import signatures
from kdprune.errors import KdpruneError


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A copy of the methods, which signatures are read from."""
    for package in signatures.PACKAGES.values():
        copy = tmp_path / "kdprune" / package
        shutil.copytree(ROOT / "kdprune" / package, copy, ignore=shutil.ignore_patterns("__py*"))
    monkeypatch.setattr(signatures, "ROOT", tmp_path)
    forget()
    yield tmp_path / "kdprune"
    forget()


def forget() -> None:
    for read in vars(signatures).values():
        if hasattr(read, "cache_clear"):
            read.cache_clear()


def change(file, old: str, new: str) -> None:
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))


FACTOR = "factor: Annotated[float, Field(ge=0.1, le=1000)] = 2"


def test_types_and_ranges_are_those_of_the_signature_and_its_bases(tree):
    model = signatures.takes("distill", "simkd")
    assert set(model.model_fields) == {"ce", "kd", "feature", "temperature", "factor"}
    assert set(signatures.takes("distill", "kd").model_fields) == {"ce", "kd", "temperature"}
    assert set(signatures.takes("distill", "fn").model_fields) == {"ce", "feature", "cap"}
    assert not signatures.takes("distill", "none").model_fields
    for wrong in ({"factor": 0}, {"temperature": 0}, {"ce": "1"}, {"other": 1}):
        with pytest.raises(ValueError, match="1 validation error"):
            model.model_validate(wrong)
    change(tree / "distillation/weighted.py", "temperature: Annotated[float, Field(gt=0)]",
           "temperature: Annotated[float, Field(gt=3)]")  # fmt: skip
    forget()
    with pytest.raises(ValueError, match="greater than 3"):
        signatures.takes("distill", "simkd").model_validate({"temperature": 2})


@pytest.mark.parametrize(
    ("alias", "annotation"),
    [
        ("Share = Annotated[float, Field(ge=0.1)]\n", "Share"),
        ("Share = float\n", "Share | None"),
        ("", "Any"),
        ("", "object"),
        ("", "torch.Tensor"),
        ("", "tuple[int, int]"),
        ("", "list[Any]"),
        ("Share = 'a word'\n", "Share"),
    ],
)
def test_an_annotation_that_cannot_be_checked_by_is_refused(tree, alias, annotation):
    file = tree / "distillation/simkd.py"
    change(file, FACTOR, f"factor: {annotation} = 2")
    change(file, "\n\n@full_precision", f"\n{alias}\n@full_precision")
    said = r"^kdprune/distillation/simkd\.py: SimKD: factor is annotated .*no alias is followed$"
    with pytest.raises(KdpruneError, match=said) as caught:
        signatures.registered("distill")
    assert f" annotated {annotation}, by which" in str(caught.value)


def test_an_argument_without_annotation_is_refused(tree):
    change(tree / "distillation/simkd.py", FACTOR, "factor=2")
    with pytest.raises(KdpruneError, match="factor is annotated none, by which"):
        signatures.registered("distill")


def test_arguments_that_nothing_declares_are_refused(tree):
    change(tree / "pruning/weight.py", "= 1024,\n) ->", "= 1024,\n    **others: float,\n) ->")
    with pytest.raises(KdpruneError, match=r"pruning/weight\.py: prune: its hyperparam"):
        signatures.registered("prune")


def test_a_method_that_its_file_does_not_define_is_refused(tree):
    change(tree / "distillation/at.py", "class AT(", "class Attention(")
    with pytest.raises(KdpruneError, match=r"distillation/at\.py: AT: .* define it there"):
        signatures.registered("distill")


def test_all_that_the_tree_registers_is_read(tree):
    assert "simkd" in signatures.registered("distill")
    assert signatures.registered("prune")[:2] == ["weight", "channel"]

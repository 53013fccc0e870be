"""What DVC and we would read differently, and what git left half merged, is refused in one line."""

import pytest

from kdprune.config.params import load
from kdprune.errors import KdpruneError
from kdprune.study import code


@pytest.mark.parametrize("value", ["010", "1:00", "1_000", "0b11", "0o17", "yes", "off", "08"])
@pytest.mark.parametrize("form", ["epochs: {}", "epochs: [1, {}]"])
def test_what_two_yamls_read_differently_is_refused(tmp_path, value, form):
    file = tmp_path / "params.yaml"
    file.write_text(form.format(value))
    with pytest.raises(KdpruneError, match=rf"epochs = {value} .*differently.*'{value}'"):
        load(file)


@pytest.mark.parametrize("value", ["10", "0", "0.5", "1.0e-3", "true", "'010'", "0x1f", "-3"])
def test_what_both_read_alike_is_not(tmp_path, value):
    file = tmp_path / "params.yaml"
    file.write_text(f"epochs: {value}\n")
    with pytest.raises(KdpruneError) as told:  # for what is missing
        load(file)
    assert "differently" not in str(told.value)


def test_a_merge_conflict_is_told(tmp_path):
    file = tmp_path / "params.yaml"
    file.write_text("a: 1\n<<<<<<< HEAD\nb: 1\n=======\nb: 2\n>>>>>>> other\n")
    with pytest.raises(KdpruneError, match=r"merge conflict \(line 2\)"):
        load(file)


def test_another_tree_is_refused(tmp_path, monkeypatch):
    (tmp_path / "kdprune").mkdir()
    (tmp_path / "kdprune/__init__.py").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KdpruneError, match="is imported from"):
        code.check_tree()
    monkeypatch.chdir(code.ROOT)
    code.check_tree()

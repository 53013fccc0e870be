"""One version everywhere; unexpected faults end with what an issue needs."""

import platform
import subprocess
import sys
import tomllib
import traceback

import pytest
import torch
import yaml

import kdprune
from kdprune import __main__, cli, versions
from kdprune.errors import KdpruneError


def test_one_version_everywhere(root):
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((root / "CITATION.cff").read_text())
    changes = (root / "CHANGELOG.md").read_text()
    assert project["version"] == citation["version"] == kdprune.__version__
    assert f"## [{kdprune.__version__}]" in changes or f"## {kdprune.__version__}" in changes


def test_the_line_names_what_computes():
    told = versions.line()
    assert f"kdprune {kdprune.__version__}, Python {platform.python_version()}" in told
    assert f"torch {torch.__version__.partition('+')[0]}" in told
    assert "dvc 3." in told
    assert "\n" not in told


def test_nothing_is_imported_for_it():
    code = "from kdprune import versions; versions.line(); import sys; print(*sys.modules)"
    output = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert not {"torch", "timm", "dvc"} & set(output.split())


def test_a_fault_passes_and_ends_with_the_line():
    with pytest.raises(ZeroDivisionError) as caught, versions.noted():
        raise ZeroDivisionError("division by zero")
    lines = "".join(traceback.format_exception(caught.value)).splitlines()
    assert lines[-2:] == ["ZeroDivisionError: division by zero", versions.line()]


@pytest.mark.parametrize("fault", [ValueError("broken"), KdpruneError("a: wrong; mend it")])
def test_the_command_line_tells_versions_of_the_unexpected_only(monkeypatch, capsys, fault):
    def fail(given):
        raise fault

    parsed = type("Given", (), {"run": staticmethod(fail)})
    monkeypatch.setattr(cli, "parser", lambda: type("P", (), {"parse_args": lambda *_: parsed})())
    if isinstance(fault, KdpruneError):
        assert __main__.main([]) == 2
        assert capsys.readouterr().err == "kdprune: a: wrong; mend it\n"
    else:
        with pytest.raises(ValueError, match="broken") as caught:
            __main__.main([])
        assert caught.value.__notes__ == [versions.line()]

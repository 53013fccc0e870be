"""The script for Slurm: bash parses it, and a scheduler that only notes sees its dependencies."""

import os
import subprocess
from pathlib import Path

import pytest

from kdprune.errors import KdpruneError
from kdprune.running import here, slurm

NAMES = [
    "download@cifar10",
    "teach@cifar10-a",
    "distill@cifar10-a-b-simkd",
    "prune@cifar10-a-weight",
    "prune@cifar10-a-channel",
]
SBATCH = """#!/bin/bash
at=$(ls "$NOTES" | grep -c args)
printf '%s\\n' "$@" > "$NOTES/$at.args"
cat > "$NOTES/$at.script"
echo "10$at"
"""


def submitted(tmp_path, names, gpu=""):
    """Write the script, run it under an sbatch that notes; return (arguments, script) of each."""
    study, notes = tmp_path / "a study", tmp_path / "notes"
    (study / ".run").mkdir(parents=True)
    notes.mkdir()
    for name, text in (("sbatch", SBATCH), ("git", "#!/bin/bash\n")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    options = {"gpu": gpu, "name": "study.sh"}
    text = slurm.script(
        names,
        study=study,
        cache=Path("/shared/ca che"),
        python=Path("/env/bin/python"),
        options=options,
    )
    file = tmp_path / "study.sh"
    file.write_text(text)
    subprocess.run(["bash", "-n", file], check=True)
    path = f"{tmp_path}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "NOTES": str(notes)}
    subprocess.run(["bash", file], env=environment, check=True, capture_output=True)
    jobs = []
    for at in range(len(list(notes.glob("*.args")))):
        subprocess.run(["bash", "-n", notes / f"{at}.script"], check=True)
        arguments = (notes / f"{at}.args").read_text().splitlines()
        jobs.append((arguments, (notes / f"{at}.script").read_text()))
    return jobs


def test_arrays_wait_for_those_before_them_and_collecting_for_all(tmp_path):
    jobs = submitted(tmp_path, NAMES, "--gpus=1")
    assert len(jobs) == 5
    for at, (arguments, _) in enumerate(jobs):
        waits = [item for item in arguments if item.startswith("--dependency")]
        assert waits == ([f"--dependency=afterok:10{at - 1}"] if at else [])
        assert ("--gpus=1" in arguments) == (at in (1, 2, 3))
        assert "--requeue" in arguments
    assert "--array=0-1" in jobs[3][0]
    assert "names=(prune@cifar10-a-weight prune@cifar10-a-channel)" in jobs[3][1]
    assert 'repro "${names[$SLURM_ARRAY_TASK_ID]}"' in jobs[3][1]
    assert 'cache.dir "/shared/ca che"' in jobs[3][1]
    assert jobs[4][1].rstrip().endswith("dvc --wait-for-lock repro")


def test_a_kind_that_is_up_to_date_has_no_array(tmp_path):
    jobs = submitted(tmp_path, ["prune@cifar10-a-weight"])
    assert len(jobs) == 2
    assert not [item for item in jobs[0][0] if item.startswith("--dependency")]
    assert "--dependency=afterok:100" in jobs[1][0]


def test_only_a_script_of_its_own_is_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(here, "cache", lambda: tmp_path)
    script, params = Path("study.sh"), Path("params.yaml")
    script.touch()  # as mktemp leaves it
    for names in (NAMES[:1], NAMES):
        slurm.write(script, names, gpu=False)
    assert NAMES[-1] in script.read_text()
    params.write_text("teach: {}\n")
    Path("folder").mkdir()
    os.mkfifo("pipe")
    for taken in (params, Path("folder"), Path("pipe")):
        with pytest.raises(KdpruneError, match=rf"^--slurm {taken}: .* name another file$"):
            slurm.write(taken, NAMES, gpu=False)
    assert params.read_text() == "teach: {}\n"

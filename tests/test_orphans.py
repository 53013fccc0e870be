"""A stage whose DVC was killed while the stage began ends at once: nobody else would end it."""

import os
import subprocess
import sys
import time

import pytest
from conftest import ROOT

BEGUN = "import sys, time; from stages.runner.run import end_with_parent; end_with_parent(); "
WAITS = f"{BEGUN}print('goes on', flush=True); time.sleep(3)"


def begun(*, dvc: bool, orphan: bool) -> str:
    """What a process prints that begins once its parent is gone, or while it is there."""
    env = os.environ | ({"DVC_STAGE": "teach@x"} if dvc else {})
    late = f"import time; time.sleep(0.5); {WAITS}" if orphan else WAITS
    shell = '"$0" -c "$1" &' if orphan else '"$0" -c "$1"; :'
    done = subprocess.run(
        ["sh", "-c", shell, sys.executable, late],
        cwd=ROOT,
        env=env,
        capture_output=True,  # waits for all who hold the pipe
        text=True,
        start_new_session=True,
    )
    return done.stdout


@pytest.mark.skipif(not hasattr(os, "getsid"), reason="sessions are POSIX")
def test_a_stage_whose_dvc_is_gone_before_it_begins_ends():
    since = time.monotonic()
    assert begun(dvc=True, orphan=True) == ""
    assert time.monotonic() - since < 3


@pytest.mark.parametrize(("dvc", "orphan"), [(True, False), (False, False), (False, True)])
def test_others_go_on(dvc, orphan):
    assert begun(dvc=dvc, orphan=orphan) == "goes on\n"

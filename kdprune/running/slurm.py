"""Writes a script that submits the study to Slurm: dependent job arrays, then `dvc repro`.

Each task runs one instance in a clone of its own in the node's scratch (SLURM_TMPDIR or TMPDIR),
which shares the cache of the user's clone. A requeued task goes on from its checkpoint.
"""

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from kdprune.errors import KdpruneError
from kdprune.files import replacing
from kdprune.running import here

ORDER = ("download", "teach", "distill", "sparsify", "prune", "compress", "attribute")

OURS = b"#!/bin/bash\n# Written by `kdprune run --slurm`."
HEAD = """\
#!/bin/bash
# Written by `kdprune run --slurm`. Run it on a login node: bash {name}
# Options for all jobs, such as a partition, an account or a time limit: SBATCH_OPTIONS="…"
set -euo pipefail
study={study}
cache={cache}
python={python}
cd "$study"
if ! git diff --quiet HEAD; then
  echo 'commit your changes first: clones have what is committed' >&2; exit 2
fi
options=(--parsable --requeue --signal=B:TERM@90 --chdir="$study" ${{SBATCH_OPTIONS:-}})
export study cache python KDPRUNE_UNFINISHED="${{KDPRUNE_UNFINISHED:-$study/.run/unfinished}}"
mkdir -p "$study/.run/slurm"
"""
ARRAY = """
names_{kind}=({names})
{kind}=$(sbatch "${{options[@]}}"{after} --job-name={kind} --array=0-{last} {gpu} \\
  --output="$study/.run/slurm/{kind}-%a.txt" <<EOF
#!/bin/bash
set -euo pipefail
names=(${{names_{kind}[@]}})
folder="\\${{SLURM_TMPDIR:-\\${{TMPDIR:-/tmp}}}}/kdprune-\\$SLURM_JOB_ID"
trap 'rm -rf "\\$folder"' EXIT
rm -rf "\\$folder"
git clone -q "$study" "\\$folder"
cd "\\$folder"
export PATH="$(dirname "$python"):\\$PATH" PYTHONPATH="\\$folder"
"$python" -m dvc config --local cache.dir "$cache"
"$python" -m dvc config --local core.hardlink_lock true
"$python" -m dvc --wait-for-lock repro "\\${{names[\\$SLURM_ARRAY_TASK_ID]}}" &
child=\\$!
trap 'kill -TERM \\$child; wait \\$child; exit 143' TERM
wait \\$child
EOF
)
"""
LAST = """
sbatch "${{options[@]}}"{after} --job-name=collect --output="$study/.run/slurm/collect.txt" <<EOF
#!/bin/bash
set -euo pipefail
cd "$study"
export PATH="$(dirname "$python"):\\$PATH"
"$python" -m dvc --wait-for-lock repro
EOF
"""


def script(
    names: Sequence[str], *, study: Path, cache: Path, python: Path, options: Mapping[str, str]
) -> str:
    """Return the script for the instances `names`, of which those of a kind are one array.

    `options`: "name", the file's own; "gpu", what a task asks for, such as --gpus=1.
    """
    text = HEAD.format(
        name=shlex.quote(options["name"]),
        study=shlex.quote(str(study)),
        cache=shlex.quote(str(cache)),
        python=shlex.quote(str(python)),
    )
    after = ""
    for kind in ORDER:
        of = [name for name in names if name.startswith(f"{kind}@")]
        if not of:
            continue
        gpu = "" if kind == "download" else options["gpu"]
        listed = " ".join(map(shlex.quote, of))
        text += ARRAY.format(kind=kind, names=listed, last=len(of) - 1, after=after, gpu=gpu)
        after = f" --dependency=afterok:${kind} --kill-on-invalid-dep=yes"
    return text + LAST.format(after=after)


def require_own(file: Path) -> None:
    """Raise KdpruneError where the script would take away what no earlier one was."""
    if not file.exists():
        return
    if file.is_file():  # a pipe would be waited for without end
        with file.open("rb") as held:
            if held.read(len(OURS)) in (OURS, b""):
                return
    raise KdpruneError(
        f"--slurm {file}: is there and is no script that --slurm wrote; name another file"
    )


def write(file: Path, names: Sequence[str], *, gpu: bool) -> None:
    """Write the script for the study in the folder at hand; `gpu`: each task asks for one.

    Raises KdpruneError where `file` is anything but such a script.
    """
    require_own(file)
    options = {"gpu": "--gpus=1" if gpu else "", "name": file.name}
    python, cache = Path(sys.executable), here.cache()
    with replacing(file) as temporary:
        text = script(names, study=Path.cwd(), cache=cache, python=python, options=options)
        temporary.write_text(text, encoding="utf-8")

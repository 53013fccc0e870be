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
HEAD = (
    OURS.decode()
    + """ Run it on a login node: bash {name}
# Options for all jobs, such as a partition, an account or a time limit: SBATCH_OPTIONS="…"
set -euo pipefail
study={study}
cache={cache}
python={python}
gpu={gpu}
"""
)
# USR1 says that the time limit is near, and nothing else says so: TERM also comes of scancel, and
# a task that was taken back must not queue itself again. All that a task must know stands in its
# own text, for --export=NONE leaves nothing of the environment. Arrays wait for those before them
# by afterany: with afterok, one failed task would take away all that come after it.
SUBMIT = r"""
own=$(realpath -- "${BASH_SOURCE[0]:-}" || true)
cd "$study"
but=(. ':(exclude)dvc.lock' ':(exclude)metrics' ':(exclude)plots')  # what `dvc repro` writes
[[ "$own" != "$study"/* ]] || but+=(":(exclude,literal)${own#"$study"/}")
left=$(git status --porcelain --untracked-files=all -- "${but[@]}")
if [ -n "$left" ]; then
  echo 'commit these first, or let git ignore them: jobs run what is committed' >&2
  echo "$left" >&2; exit 2
fi
commit=$(git rev-parse HEAD)  # later commits change nothing for jobs that still wait
mkdir -p .run/slurm
KDPRUNE_UNFINISHED=$(realpath -m -- "${KDPRUNE_UNFINISHED:-.run/unfinished}")
export KDPRUNE_UNFINISHED
read -ra more <<< "${SBATCH_OPTIONS:-}" || true
options=(--parsable --requeue --signal=B:USR1@90 --open-mode=append --chdir="$study")
options+=(${more[@]+"${more[@]}"})
jobs='' after=''

values() {
  echo '#!/bin/bash'
  printf '%s=%q\n' study "$study" cache "$cache" python "$python" commit "$commit"
  printf 'names=(%s)\n' "$(printf '%q ' ${names[@]+"${names[@]}"})"
  for name in $(compgen -e KDPRUNE_) ${OMP_NUM_THREADS+OMP_NUM_THREADS}; do
    printf 'export %s=%q\n' "$name" "${!name}"
  done
  cat <<'EOF'
set -meuo pipefail  # m: what runs in the background is a group, and a signal reaches all of it
export PATH="$(dirname "$python"):$PATH"
task=$SLURM_JOB_ID child=''
[ -z "${SLURM_ARRAY_JOB_ID:-}" ] || task=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID
stop() {
  [ -z "$child" ] || { kill -TERM -- "-$child"; wait "$child"; } || true
}
again() {
  stop
  if [ "${SLURM_RESTART_COUNT:-0}" -ge 50 ]; then  # else one that gets nowhere goes on for ever
    echo 'the time limit is near, and this task has begun 51 times: it gives up' >&2; exit 1
  fi
  echo 'the time limit is near: queued again, to go on from the checkpoint' >&2
  scontrol requeue "$task"
  exit 143
}
trap again USR1
trap 'stop; exit 143' TERM
repro() {
  "$python" -m dvc --wait-for-lock repro "$@" &
  child=$!
  wait "$child"
}
EOF
}

array() {
  values
  cat <<'EOF'
name=${names[$SLURM_ARRAY_TASK_ID]}
echo "$name: commit $commit, job $task, on $(uname -n), after ${SLURM_RESTART_COUNT:-0} restarts"
folder=${SLURM_TMPDIR:-${TMPDIR:-/tmp}}/kdprune-$SLURM_JOB_ID
trap 'rm -rf "$folder" || true' EXIT
rm -rf "$folder"
git clone -q --no-checkout "$study" "$folder"
cd "$folder"
git checkout -q --detach "$commit"
export PYTHONPATH=$folder KDPRUNE_ONLY=$name
[ ! -f "$study/.dvc/config.local" ] || cp "$study/.dvc/config.local" .dvc/config.local
"$python" - "$cache" <<'END'
import sys, configobj
settings = configobj.ConfigObj(".dvc/config.local", encoding="utf-8")
settings.setdefault("cache", {})["dir"] = sys.argv[1]
settings.setdefault("core", {})["hardlink_lock"] = "true"
settings.write()
END
repro "$name"
EOF
}

collect() {
  values
  cat <<'EOF'
cd "$study"
git diff --quiet "$commit" -- dvc.yaml params.yaml kdprune stages ||
  echo "the study is no longer what was submitted, $commit: collected is what it is now" >&2
export KDPRUNE_ONLY=collect
repro --keep-going
EOF
}

submit() {
  local kind=$1 told
  shift
  if ! told=$(sbatch "${options[@]}" $after --job-name="$kind" "$@"); then
    echo "sbatch refused $kind; nothing after it is submitted" >&2
    [ -z "$jobs" ] || echo "what was submitted runs; take it back by: scancel$jobs" >&2
    exit 2
  fi
  told=${told%%;*}  # a federation's tell their cluster too
  jobs+=" $told" after=--dependency=afterany:$told
  echo "$kind: job $told, ${#names[@]} task(s), log .run/slurm/$kind-$told*.txt"
}
"""
ARRAY = """
names=({names})
submit {kind} --array=0-{last}{gpu} --output='.run/slurm/{kind}-%A_%a.txt' < <(array)
"""
LAST = """
names=(collect)
submit collect $gpu --output='.run/slurm/collect-%j.txt' < <(collect)
echo "take all back by: scancel$jobs"
"""


def script(
    names: Sequence[str], *, study: Path, cache: Path, python: Path, options: Mapping[str, str]
) -> str:
    """Return the script for the instances `names`, of which those of a kind are one array.

    `options`: "name", the file's own; "gpu", what a task asks for, such as --gpus=1. Raises
    KdpruneError where a path has a line break, which no line of a script can hold.
    """
    told = {"name": options["name"], "study": study, "cache": cache, "python": python}
    quoted = {what: shlex.quote(str(path)) for what, path in told.items()}
    for what, path in quoted.items():
        if "\n" in path:
            shown = path.encode("unicode_escape").decode()
            raise KdpruneError(f"--slurm: {what} {shown}: has a line break; rename it")
    text = HEAD.format(**quoted, gpu=shlex.quote(options["gpu"])) + SUBMIT
    for kind in ORDER:
        of = [name for name in names if name.startswith(f"{kind}@")]
        if of:
            gpu, listed = "" if kind == "download" else " $gpu", " ".join(map(shlex.quote, of))
            text += ARRAY.format(kind=kind, names=listed, last=len(of) - 1, gpu=gpu)
    return text + LAST


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

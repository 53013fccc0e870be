"""Why a stage runs: which of its inputs are not what dvc.lock recorded."""

from pathlib import Path

from stages.runner import lockfile


def only(stage: str, key: str, inputs: set[str]) -> bool:
    """Say whether instance `stage`@`key` is stale by some of `inputs`, and by nothing else.

    `inputs` are paths and parameters. False where nothing is stale, as under `dvc repro --force`,
    and where dvc.lock does not know the instance.
    """
    lock = Path("dvc.lock")
    values, name = lockfile.read("params.yaml"), f"{stage}@{key}"
    entry = lockfile.entries(str(lock)).get(name) if lock.is_file() else None
    if not entry:
        return False
    described = lockfile.stages(values)[name]
    recorded = {item["path"]: item["md5"] for item in entry.get("deps", [])}
    present = {path: lockfile.md5(Path(path)) for path in described["deps"]}
    known = entry.get("params", {}).get("params.yaml", {})
    now = {parameter: lockfile.at(values, parameter) for parameter in described["params"]}
    changed = {
        item for item in present.keys() | recorded if present.get(item) != recorded.get(item)
    }
    changed |= {item for item in now.keys() | known if now.get(item) != known.get(item)}
    return bool(changed) and changed <= inputs

"""Which timm networks can be pruned and exported: works, or the line that refuses.

    python benchmarks/compatibility.py --write docs/reference/networks.md
    python benchmarks/compatibility.py resnext50_32x4d ghostnet_100

Each network is tried in a process of its own, with random weights, ten classes and images of 32 x
32, and given up after `SECONDS` of a CPU's time, so that a busy machine tells the same as an idle
one. Anything but "works" and a line of kdprune's is a fault, and ends in exit status 1.

What was told is kept in `KEPT` as long as the pruning code and the libraries are the same: a run
that is stopped goes on where it was, and the page holds all that is known, in the order below.
"""

import argparse
import hashlib
import importlib.metadata
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
KEPT = ROOT / ".run" / "compatibility.json"
LIBRARIES = ("torch", "timm", "torch-pruning")
SECONDS = 180  # of one CPU, for all columns of a network: most take 30
PATIENCE = 10 * SECONDS  # by the clock
FORMS = ("torch",)  # ONNX takes minutes a network, and follows from the torch program
LEVELS = (0.7, 0.5, 0.3, 0.1)  # the highest that is reached is told
SMALL = {"img_size": 32, "patch_size": 4}
PLAIN = """ghostnet_100 mixnet_s mixnet_m res2net50_26w_4s skresnet18 resnetblur18 nf_resnet26
cspresnet50 rexnet_100 resnext50_32x4d regnetx_002 regnety_002 convnext_atto resnet18
densenet121 mobilenetv1_100 efficientnet_b0 vgg11_bn seresnet50 ecaresnet26t resnet10t
resnet26d resnetv2_50 resnetv2_50d_gn resnest14d dla34 repvgg_a0 mobileone_s0
mobilenetv2_100 mobilenetv3_small_100 mobilenetv3_large_100 mobilenetv4_conv_small
mnasnet_100 fbnetc_100 spnasnet_100 lcnet_050 tinynet_e hardcorenas_a
efficientnet_lite0 tf_efficientnet_b0 tf_efficientnetv2_b0 ghostnetv2_100
repghostnet_050 hgnetv2_b0 starnet_s1 convnextv2_atto ese_vovnet19b_dw vovnet39a
selecsls42b seresnext26t_32x4d regnetz_005 res2next50 cspdarknet53 darknet53 dpn48b
nf_regnet_b0 dm_nfnet_f0 inception_v3 xception41 fastvit_t8 edgenext_xx_small
efficientformerv2_s0 levit_128s resnet50"""
NETWORKS: dict[str, dict[str, Any]] = {name: {} for name in PLAIN.split()} | {
    "vit_tiny_patch16_224": SMALL,
    "deit_tiny_patch16_224": SMALL,
    "mixer_s32_224": SMALL,
}
COLUMNS = ("weight", "channel, remove", "channel, mask", "export")
WAYS = ("weight pruning", "channel pruning (remove)", "channel pruning (mask)", "export")


def attempts(name: str) -> dict[str, str]:
    """Try one network in this process; return a word or a line per column."""
    import torch

    from kdprune import models
    from kdprune.deployment import forms
    from kdprune.errors import KdpruneError
    from kdprune.models import counts
    from kdprune.pruning import METHODS, groups

    torch.set_num_threads(1)
    kwargs = NETWORKS.get(name, {})
    told: dict[str, str] = {}

    def attempt(column: str, act: Callable[[], str]) -> None:
        try:
            told[column] = act()
        except KdpruneError as error:
            told[column] = str(error)
        except Exception as error:  # what the table is there to show
            told[column] = f"FAULT {type(error).__name__}: {error}".splitlines()[0]
        print(json.dumps(told), flush=True)

    try:
        model = models.build(name, classes=10, kwargs=kwargs, seed=0)
        counts.macs(model)  # as the stages ask first: does it take such images?
    except KdpruneError as error:
        print(json.dumps(dict.fromkeys(COLUMNS, str(error))))
        return told
    images = torch.randn(2, 3, 32, 32)
    best = {"model": model}

    def pruned(method: str, levels: tuple[float, ...], **how: Any) -> str:
        for level in levels:
            try:
                found = next(METHODS[method](model, [level], **how))
            except KdpruneError as error:
                if "at most" not in str(error) or level == levels[-1]:
                    raise
                continue
            with torch.inference_mode():
                if found.model.eval()(images).isnan().any():
                    return "FAULT NaN"
            if how.get("mode") == "remove":
                best["model"] = found.model
            return "works" if method == "weight" else f"works to {level:.0%}"
        return "FAULT no level"

    def export() -> str:
        metadata = {"input": {"shape": [3, 32, 32]}}
        with tempfile.TemporaryDirectory() as folder:
            for form in FORMS:
                path = Path(folder) / forms.FILES[form]
                forms.WRITERS[form](path, best["model"].eval(), metadata)
                with torch.inference_mode():
                    expected, given = best["model"](images), forms.READERS[form](path)(images)
                if (expected - given).abs().max() > 1e-3 * expected.abs().max():
                    return f"FAULT {form} gives other outputs"
        return "works"

    attempt("weight", lambda: pruned("weight", (0.5,)))
    traced: list[Any] = []
    find = groups.find

    def once(*arguments: Any) -> Any:  # the levels and modes share what takes the time
        if not traced:
            traced.append(find(*arguments))
        return traced[0]

    groups.find = once
    attempt("channel, remove", lambda: pruned("channel", LEVELS, mode="remove"))
    if traced:
        attempt("channel, mask", lambda: pruned("channel", LEVELS, mode="mask"))
    else:
        told["channel, mask"] = told["channel, remove"]
    attempt("export", export)
    return told


def apart(name: str) -> dict[str, str]:
    """Try one network in a process of its own, and give it up after its time."""
    command = [sys.executable, str(Path(__file__)), "--one", name]
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        output, _ = process.communicate(timeout=PATIENCE)
        missing = f"FAULT exit status {process.returncode}"
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
    if process.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        missing = f"not within {SECONDS} s"
    lines = [line for line in output.splitlines() if line.startswith("{")]
    told = json.loads(lines[-1]) if lines else {}
    print(name, {column: told.get(column, missing) for column in COLUMNS}, flush=True)
    return {column: told.get(column, missing) for column in COLUMNS}


def known() -> dict[str, dict[str, str]]:
    """Return what earlier runs told of each network, if they ran what would run now."""
    try:
        kept = json.loads(KEPT.read_text())
        return kept["networks"] if kept["of"] == digest() else {}
    except (OSError, ValueError, LookupError):
        return {}


def digest() -> str:
    """Return a hash of what the table follows from, in the main."""
    told = hashlib.sha256(" ".join(map(importlib.metadata.version, LIBRARIES)).encode())
    for file in sorted((ROOT / "kdprune" / "pruning").glob("*.py")):
        told.update(file.read_bytes())
    return told.hexdigest()


def page(rows: dict[str, dict[str, str]]) -> str:
    """Return the table as Markdown; lines that refuse stand below it, numbered."""
    notes: dict[str, int] = {}
    table = [f"| network | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 1) + "|"]
    for name, told in rows.items():
        cells = [
            cell if cell.startswith("works") else f"[{notes.setdefault(cell, len(notes) + 1)}]"
            for cell in (told[column] for column in COLUMNS)
        ]
        kwargs = ", ".join(f"{key} {value}" for key, value in NETWORKS.get(name, {}).items())
        table.append(f"| {name}{f' ({kwargs})' if kwargs else ''} | {' | '.join(cells)} |")
    counted = [
        f"{sum(told[column].startswith('works') for told in rows.values())} work with {way}"
        for column, way in zip(COLUMNS, WAYS, strict=True)
    ]
    versions = ", ".join(
        f"{package} {importlib.metadata.version(package)}" for package in LIBRARIES
    )
    lines = [f"{number}. `{line.replace('`', '')}`" for line, number in notes.items()]
    return "\n".join(
        [
            "# Networks tried",
            "",
            "<!-- Written by `python benchmarks/compatibility.py --write "
            "docs/reference/networks.md` -->",
            "",
            f"We tried {len(rows)} of timm's networks, with ten classes and images of 32 x 32 "
            f"({versions}). Of these, {'; '.join(counted)}.",
            "",
            '"Works to 50%" names the highest level that the network reaches, of '
            f"{', '.join(f'{level:.0%}' for level in LEVELS)}. Some channels cannot be cut as if "
            "they were zero; these stay. Export writes a torch program, reads it back, and "
            "compares it. It takes the network with channels removed if that works, or else the "
            "whole one. A number in brackets leads to the line below that kdprune refuses with.",
            "",
            *table,
            "",
            *lines,
            "",
        ]
    )


def main() -> int:
    """Try the networks named, or all; write the page where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", default=[])
    parser.add_argument("--write", type=Path, help="the page to write")
    parser.add_argument("--known", action="store_true", help="write what is known, try nothing")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 5))
        attempts(given.one)
        return 0
    rows, before = known(), digest()
    names = [name for name in given.networks or NETWORKS if given.networks or name not in rows]
    names = [] if given.known else names
    with ThreadPoolExecutor(given.workers) as pool:
        for name, told in zip(names, pool.map(apart, names), strict=True):
            rows[name] = told
            keep(before, rows)
    order = [*NETWORKS, *(name for name in rows if name not in NETWORKS)]
    rows = {name: rows[name] for name in order if name in rows}
    if given.write:
        given.write.write_text(page(rows), encoding="utf-8")
    return int(any("FAULT" in cell for told in rows.values() for cell in told.values()))


def keep(of: str, rows: dict[str, dict[str, str]]) -> None:
    """Keep what is known so far."""
    KEPT.parent.mkdir(exist_ok=True)
    KEPT.with_suffix(".new").write_text(json.dumps({"of": of, "networks": rows}, indent=1))
    KEPT.with_suffix(".new").replace(KEPT)


if __name__ == "__main__":
    sys.exit(main())

"""What is asked for before a study is run: plan; to run it: run; and after it: the rest.

A command is one file here with `add`, which describes it, and `run`, which does it and returns the
exit status. No file here imports torch or timm before a command that needs them runs, so that
help, --version and recommend answer at once.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from kdprune import __version__
from kdprune.cli import (
    compare,
    compress,
    evaluate,
    export,
    init,
    inspect,
    plan,
    predict,
    recommend,
    report,
    run,
)
from kdprune.errors import KdpruneError

# As help lists them
COMMANDS = [compress, init, plan, run, report, recommend, compare, export, evaluate]
COMMANDS += [inspect, predict]
EPILOG = """\
DVC runs the study: `dvc repro`, or `kdprune run` for several stages at once. `kdprune plan` tells
beforehand what it costs. The other commands read its results in the folder that --project names
(default: here): params.yaml, metrics/, models/ and data/.

examples:
  kdprune compress flowers.pth photos/ --max-drop 1 --out small
  kdprune report --open
  kdprune plan --profile paper
  kdprune recommend --max-params 200k --max-drop 10
  kdprune export cifar10-resnet10_24-channel --breakpoint --format safetensors,onnx
  kdprune inspect models/teachers/cifar10-resnet10_24.safetensors
  kdprune predict models/teachers/cifar10-resnet10_24.safetensors cat.jpg

`kdprune COMMAND --help` explains each. Exit status: 0 done, 1 no network meets the limits,
2 a fault that you can mend, told in one line.
"""


class Parser(argparse.ArgumentParser):
    """A parser that says where its help could not be written: argparse keeps that to itself."""

    def _print_message(self, message: str, file: Any = None) -> None:
        if message:
            (file or sys.stderr).write(message)


def refuse_empty(arguments: Sequence[str]) -> None:
    """Raise KdpruneError for an argument without a character: "$OUT", where no one has set OUT.

    As a path it would be the folder where one is, and that be written to.
    """
    for before, text in zip(["", *arguments], arguments, strict=False):
        option, equals, value = text.partition("=")
        if not text or (option.startswith("--") and equals and not value and option != "--set"):
            named = option or (before if before.startswith("-") else "an argument")
            raise KdpruneError(f"{named}: is empty; give it a value, or leave it out")


def parser() -> argparse.ArgumentParser:
    """Return the whole command line's parser; its result has the command's function as `run`."""
    whole = Parser(
        prog="kdprune",
        description="Take networks out of a study of pruning after distillation, and use them.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whole.add_argument("--version", action="version", version=f"kdprune {__version__}")
    commands = whole.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add(commands)
    return whole

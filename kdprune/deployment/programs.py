"""What a torch.export program may hold before torch is let at it: tensors and plain operators.

torch.export.load takes a file for its own. Where a pickle in it is more than data, it is unpickled
all the same; operators are looked up by name, os.system as well; sizes and guards are evaluated as
Python. So a file is held to what `forms.write_torch` writes, read as torch reads it.
"""

import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from kdprune.models import vetting

PICKLED = "data/sample_inputs/model.pt"
PROGRAM = "models/model.json"
CONFIGS = ("data/weights/model_weights_config.json", "data/constants/model_constants_config.json")
PARTS = re.compile(
    r"data/weights/(weight_\d+|model_weights_config\.json)|extra/[\w.]+|models/model\.json|"
    r"data/constants/(tensor_\d+|model_constants_config\.json)|data/sample_inputs/model\.pt|"
    r"archive_format|archive_version|byteorder|version|\.data/(version|serialization_id)",
    re.ASCII,
)
LIMIT = 64 << 20  # bytes of the part that describes the network
OPERATORS = re.compile(
    r"torch\.ops\.aten\.(?!from_file)\w+\.\w+|torch\.sym_\w+|"
    r"_operator\.(add|sub|mul|floordiv|truediv|mod|neg|pow|eq|ne|lt|le|gt|ge|and_|or_|getitem)",
    re.ASCII,
)
REFERENCE = re.compile(r"(torch|_operator|math|#)\w*[.:]")  # torch looks such a text up
NAME = re.compile(r"[\w.]*", re.ASCII)  # it may become a name in generated code
NOTE = re.compile(r"[^\n\r\\]*")  # read, and evaluated nowhere
NOTES = ("nn_module_stack", "torch_fn", "source_fn_stack", "from_node", "torch_version", "custom")
LENGTH = 2000  # characters of an expression
WORDS = {
    "expr_str": "Symbol Integer Add Mul Max Min Mod PythonMod FloorDiv CleanDiv CeilDiv positive "
    "integer nonnegative True False",
    "guards_code": "L size stride storage_offset and or not True False Mod PythonMod FloorDiv "
    "Max Min args kwargs flat_args x input images",
    "in_spec": "type context null children_spec builtins tuple list dict",
}
WORDS["out_spec"] = WORDS["in_spec"]
SYMBOL = re.compile(r"[su]\d+|\d+")


def check(path: Path) -> None:
    """Raise ValueError, or what torch and zipfile do of damage, for a file that is no such."""
    vetting.check(path)
    reader = torch._C.PyTorchFileReader(str(path))
    names = reader.get_all_records()
    with zipfile.ZipFile(path) as held:  # torch falls back to it
        listed = [name.partition("/")[2] for name in held.namelist()]
    if sorted(names) != sorted(listed) or len({name.casefold() for name in names}) < len(names):
        raise ValueError("its parts are named twice")
    for name in names:
        if not PARTS.fullmatch(name):
            raise ValueError(f"holds more than data: a part {name[:100]!r}")
    for name in {PICKLED, PROGRAM, *CONFIGS} - set(names):
        raise ValueError(f"lacks {name}")
    _check_pickled(reader.get_record(PICKLED))
    for name in CONFIGS:
        for key, value in _values(_json(reader, name)):
            if (key == "use_pickle" and value) or (key == "path_name" and not _stored(value)):
                raise ValueError(f"holds more than data: {name} names a pickle")
    for key, value in _values(_json(reader, PROGRAM)):
        if isinstance(value, str) and not _plain(key, value):
            raise ValueError(f"holds more than data: {key} {value[:60]!r} in its program")


def _check_pickled(content: bytes) -> None:
    """Raise ValueError for sample inputs that torch would unpickle as if they were trusted."""
    try:
        if not isinstance(torch.load(io.BytesIO(content), weights_only=True), tuple | dict):
            raise ValueError
    except Exception:  # of many classes; with any of them torch unpickles
        raise ValueError(f"holds more than data in {PICKLED}") from None


def _json(reader: Any, name: str) -> Any:
    content = reader.get_record(name)
    if len(content) > LIMIT:
        raise ValueError(f"{name} has more than {LIMIT >> 20} MiB")
    try:
        return json.loads(content)
    except RecursionError:
        raise ValueError(f"{name} nests too deep") from None


def _stored(value: Any) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"(weight|tensor)_\d+", value, re.ASCII))


def _values(told: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value that is no container, with the name before it, and every name itself."""
    left = [(key, told)]
    while left:
        key, value = left.pop()
        if isinstance(value, dict):
            left += value.items()
            yield from (("name", name) for name in value)
        elif isinstance(value, list):
            left += [(key, one) for one in value]
        else:
            yield key, value


def _plain(key: str, value: str) -> bool:
    """Whether a text can do nothing but name, calculate with sizes, or be a note."""
    if key in WORDS:
        words = re.findall(r"\w+", value)
        known = WORDS[key].split()
        safe = re.fullmatch(r"[\w\s+*/%()\[\]{},:=<>!.'\"-]*", value, re.ASCII)
        fits = len(value) <= LENGTH or key.endswith("_spec")
        return bool(
            safe
            and fits
            and "**" not in value
            and all(word in known or SYMBOL.fullmatch(word) for word in words)
        )
    if key == "target" or REFERENCE.match(value):
        return key in NOTES or bool(OPERATORS.fullmatch(value))
    return bool((NOTE if key in NOTES else NAME).fullmatch(value))

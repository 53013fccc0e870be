"""Files of weights that cost far more than they hold are refused before a reader is let at them."""

import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from networks import TINY, tiny
from safetensors.torch import save_file

from kdprune.errors import KdpruneError
from kdprune.models import vetting
from kdprune.models.own_weights import read
from kdprune.models.recognition import recognise

NAME, KWARGS = TINY["basic"]
KEY = b"\x80\x02})"  # a dictionary, and the empty tuple that its key begins as


def saved(path: Path, state: object = None, **how: bool) -> Path:
    torch.save(tiny("basic").state_dict() if state is None else state, path, **how)
    return path


def with_names(path: Path, content: bytes) -> Path:
    """Return a file of torch's whose pickle is `content`."""
    whole = saved(path.with_suffix(".whole"))
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for one in old.infolist():
            held = content if one.filename.endswith("data.pkl") else old.read(one)
            new.writestr(one.filename, held)
    return path


def unfolds(path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as held:
        held.writestr("archive/data/0", bytes(100_000))
    return path


def long_to_hash(path: Path) -> Path:
    return with_names(path, KEY + b"q\x02h\x02\x86" * 60 + b"K\x01s.")


def deep(path: Path) -> Path:
    return with_names(path, KEY + b"\x85" * 5000 + b"K\x01s.")


def many_steps(path: Path) -> Path:
    return with_names(path, b"\x80\x02" + b"N" * 5000 + b".")


def cut(path: Path) -> Path:
    path.write_bytes(saved(path).read_bytes()[:-100])
    return path


def text(path: Path) -> Path:
    path.write_text("<html>404</html>")
    return path


def pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def lists(path: Path) -> tuple[bytes, bytes]:
    """Return the parts of a zip of torch's, and the list of them."""
    content = path.read_bytes()
    size, place = struct.unpack_from("<QQ", content, len(content) - 98 + 40)
    return content[:place], content[place : place + size]


def behind(listed: bytes, by: int) -> bytes:
    """Return a list of parts that lie `by` bytes further on."""
    moved, at = bytearray(listed), 0
    while at < len(moved):
        (place,) = struct.unpack_from("<I", moved, at + 42)
        struct.pack_into("<I", moved, at + 42, place + by)
        at += 46 + sum(struct.unpack_from("<3H", moved, at + 28))
    return bytes(moved)


def two_networks(path: Path) -> tuple[bytes, bytes, bytes]:
    """Return the parts of two networks, of ones and of zeros, and the list of each."""
    ones, zeros = (lists(saved(path, {"w": torch.full((2,), at)})) for at in (1.0, 0.0))
    return ones[0] + zeros[0], ones[1], behind(zeros[1], len(ones[0]))


def end(listed: bytes, place: int) -> bytes:
    count = listed.count(b"PK\1\2")
    return b"PK\5\6" + struct.pack("<4H2IH", 0, 0, count, count, len(listed), place, 0)


def wide_end(listed: bytes, place: int) -> bytes:
    count = listed.count(b"PK\1\2")
    return b"PK\6\6" + struct.pack("<Q2H2I4Q", 44, 45, 45, 0, 0, count, count, len(listed), place)


def two_lists(path: Path) -> Path:
    parts, ones, zeros = two_networks(path)
    zeros = behind(zeros, -len(ones))  # zipfile takes what lies before it for another file's
    path.write_bytes(parts + ones + zeros + end(zeros, len(parts)))
    return path


def two_lists_in_64_bits(path: Path) -> Path:
    parts, ones, zeros = two_networks(path)
    content = parts + ones + wide_end(ones, len(parts))
    locator = b"PK\6\7" + struct.pack("<IQI", 0, len(parts) + len(ones), 1)
    whole = content + zeros + wide_end(zeros, len(content)) + locator
    path.write_bytes(whole + end(zeros, len(content)))
    return path


@pytest.mark.parametrize("make", [two_lists, two_lists_in_64_bits])
def test_readers_of_zips_would_see_other_networks(make, tmp_path):
    path = make(tmp_path / "mine.pth")
    with zipfile.ZipFile(path) as held:
        (values,) = (held.read(one) for one in held.namelist() if one.endswith("data/0"))
    assert values == torch.zeros(2).numpy().tobytes()
    assert torch.load(path, weights_only=True)["w"].tolist() == [1, 1]


def no_pickle(path: Path) -> Path:
    return with_names(path, b"\x80\x020.")


def many_tensors(path: Path) -> Path:
    path = path.with_suffix(".safetensors")
    one = b'"%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'
    header = b"{" + b",".join(one % at for at in range(vetting.TENSORS + 1)) + b"}"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    return path


def zip_behind(path: Path) -> Path:
    """A pickle that torch reads as one, and zipfile, which looks at the end, does not."""
    path.write_bytes(KEY + b"q\x02h\x02\x86" * 60 + b"K\x01s.")
    with zipfile.ZipFile(path, "a") as held:
        held.writestr("archive/version", "3")
    return path


def capitals(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as held:
        held.writestr("archive/DATA.PKL", KEY + b"q\x02h\x02\x86" * 60 + b"K\x01s.")
    return path


def greedy(path: Path) -> Path:
    return with_names(path, b"\x80\x02cbuiltins\nbytearray\n\x8a\x05" + b"\0\0\0\xc0\0" + b"\x85R.")


def escaped_tensors(path: Path) -> Path:
    path = many_tensors(path)
    header = path.read_bytes()[8:].replace(b"data_offsets", b"data\\u005foffsets")
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    return path


def long_name(path: Path) -> Path:
    return saved(path, {"module." * 200 + "w": torch.zeros(1)})


def long_name_in_a_header(path: Path) -> Path:
    path = path.with_suffix(".safetensors")
    save_file({"module." * 200 + "w": torch.zeros(1)}, path)
    return path


BAD = {
    two_lists: "lists its parts twice",
    two_lists_in_64_bits: "lists its parts twice",
    zip_behind: "tuples within tuples",
    capitals: "tuples within tuples",
    greedy: "bytearray",
    escaped_tensors: "more than 2000 tensors",
    long_name: "name of 1,401 characters",
    long_name_in_a_header: "name of 1,401 characters",
    unfolds: "unfolds to many times",
    long_to_hash: "tuples within tuples",
    deep: "tuples within tuples",
    many_steps: "instructions",
    cut: "cut short",
    text: "neither a zip nor",
    pipe: "no regular file",
    no_pickle: "damaged or no checkpoint",
    many_tensors: "tensors",
}


@pytest.mark.parametrize("make", BAD, ids=lambda make: make.__name__)
def test_a_file_that_would_exhaust_its_reader_is_one_line(
    make: Callable[[Path], Path], tmp_path, monkeypatch
):
    monkeypatch.setattr(vetting, "SMALL", 50_000)
    monkeypatch.setattr(vetting, "STEPS", 4000)
    monkeypatch.setattr(vetting, "TENSORS", 2000)
    path = make(tmp_path / "mine.pth")
    with pytest.raises(KdpruneError, match=BAD[make]) as caught:
        read(path, "NETWORK")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("how", [{}, {"_use_new_zipfile_serialization": False}])
def test_files_of_torch_new_and_old_are_read(how, tmp_path):
    whole = tiny("basic")
    optimiser = torch.optim.Adam(whole.parameters())
    whole(torch.zeros(2, 3, 32, 32)).sum().backward()
    optimiser.step()
    held = {"state_dict": whole.state_dict(), "optimiser": optimiser.state_dict()}
    state = read(saved(tmp_path / "mine.pth", held, **how), "NETWORK")
    assert all(torch.equal(value, state[name]) for name, value in whole.state_dict().items())


@pytest.mark.parametrize("shape", [(), (10,), (10, 1, 1)])
def test_a_last_layer_that_is_no_matrix_is_of_no_network(shape, tmp_path):
    state = {**tiny("basic").state_dict(), "fc.weight": torch.zeros(shape)}
    with pytest.raises(KdpruneError, match="is of no network"):
        recognise(saved(tmp_path / "a.pth", state), {"ours": (NAME, KWARGS)}, name=None, where="N")

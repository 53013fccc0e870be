"""Archives, true, damaged and hostile: read in memory, or refused in one line."""

import gzip
import tarfile

import pytest
from data_files import archive, files, official_archive, small

from kdprune.errors import KdpruneError
from kdprune.sources import archives, layouts

FORMS = [
    (dataset, layout) for dataset in ("cifar10", "cifar100") for layout in ("binary", "python")
]


def info(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    return made


@pytest.mark.parametrize(("dataset", "layout"), FORMS)
def test_an_archive_gives_its_members(dataset, layout, tmp_path):
    _, splits = small(dataset)
    file = tmp_path / "a.tar.gz"
    file.write_bytes(official_archive(dataset, layout, splits))
    contents = files(dataset, layout, splits)
    folder = layouts.FOLDERS[dataset, layout]
    assert archives.members(file, folder, list(contents)) == contents


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        (info("../out"), "unsafe path"),
        (info("a/../../out"), "unsafe path"),
        (info("a\\..\\out"), "unsafe path"),
        (info("/etc/out"), "unsafe path"),
        (info("f/link", tarfile.SYMTYPE, "/etc/passwd"), "link, device"),
        (info("f/link", tarfile.LNKTYPE, "f/a"), "link, device"),
        (info("f/pipe", tarfile.FIFOTYPE), "link, device"),
        (info("f/device", tarfile.CHRTYPE), "link, device"),
    ],
)
def test_a_strange_member_is_refused(member, reason, tmp_path):
    file = tmp_path / "a.tar.gz"
    file.write_bytes(archive("f", {"a": b"1"}, (member, b"")))
    with pytest.raises(KdpruneError, match=reason):
        archives.members(file, "f", ["a"])
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar.gz"]


@pytest.mark.parametrize("member", [info("f/zeros"), info("f/pax", tarfile.XHDTYPE)])
def test_a_bomb_is_refused(member, tmp_path):
    """Content that expands, and a header that does, of which tarfile itself knows no bound."""
    file = tmp_path / "a.tar.gz"
    file.write_bytes(archive("f", {"a": b"1"}, (member, bytes(8 * 2**20))))
    assert file.stat().st_size < 2**17
    with pytest.raises(KdpruneError, match="expands beyond 2 MiB"):
        archives.members(file, "f", ["a"], largest=2 * 2**20)


def test_a_member_that_only_says_to_be_huge_is_refused(tmp_path):
    huge = info("f/a")
    huge.size = 2**40
    file = tmp_path / "a.tar.gz"
    file.write_bytes(gzip.compress(huge.tobuf() + bytes(1024)))
    with pytest.raises(KdpruneError, match=r"a\.tar\.gz"):
        archives.members(file, "f", ["a"])


def test_countless_members_are_refused(tmp_path):
    file = tmp_path / "a.tar.gz"
    extra = [(info(f"f/{number}"), b"") for number in range(archives.MOST)]
    file.write_bytes(archive("f", {"a": b"1"}, *extra))
    with pytest.raises(KdpruneError, match="more than 1000 members"):
        archives.members(file, "f", ["a"])


@pytest.mark.parametrize("keep", [0, 5, 0.5, -8])
def test_a_damaged_archive_is_one_line(keep, tmp_path):
    _, splits = small("cifar10")
    whole = official_archive("cifar10", "binary", splits)
    file = tmp_path / "a.tar.gz"
    file.write_bytes(whole[: int(keep * len(whole)) if isinstance(keep, float) else keep])
    names = list(files("cifar10", "binary", splits))
    with pytest.raises(KdpruneError, match=r"is no readable|lacks") as caught:
        archives.members(file, "cifar-10-batches-bin", names)
    assert "\n" not in str(caught.value)


def test_flipped_bits_in_an_archive_are_one_line(tmp_path):
    whole = bytearray(official_archive("cifar10", "binary", small("cifar10")[1]))
    whole[len(whole) // 2] ^= 255
    file = tmp_path / "a.tar.gz"
    file.write_bytes(whole)
    with pytest.raises(KdpruneError):
        archives.members(file, "cifar-10-batches-bin", ["test_batch.bin"])


def test_an_incomplete_archive_names_what_it_lacks(tmp_path):
    file = tmp_path / "a.tar.gz"
    file.write_bytes(archive("f", {"a": b"1"}))
    with pytest.raises(KdpruneError, match="lacks f/b"):
        archives.members(file, "f", ["a", "b"])

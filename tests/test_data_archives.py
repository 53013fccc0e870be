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


@pytest.mark.parametrize(
    ("member", "said"),
    [
        (info("f/zeros"), "expands beyond 2 MiB"),
        (info("f/pax", tarfile.XHDTYPE), "a header of 8,388,608 bytes"),
        (info("f/long", tarfile.GNUTYPE_LONGNAME), "a header of 8,388,608 bytes"),
    ],
)
def test_a_bomb_is_refused(member, said, tmp_path):
    """Content that expands, and a header that does, of which tarfile itself knows no bound."""
    file = tmp_path / "a.tar.gz"
    file.write_bytes(archive("f", {"a": b"1"}, (member, bytes(8 * 2**20))))
    assert file.stat().st_size < 2**17
    with pytest.raises(KdpruneError, match=said):
        archives.members(file, "f", ["a"], largest=2 * 2**20)


@pytest.mark.parametrize(
    ("kind", "size", "said"),
    [
        (tarfile.REGTYPE, 2**40, "'f/a' is said to have 1,099,511,627,776 bytes"),
        (tarfile.REGTYPE, -1, "'f/a' is said to have -1 bytes"),
        (tarfile.REGTYPE, 2**27, "is cut short"),
        (tarfile.XHDTYPE, 2**40, "a header of 1,099,511,627,776 bytes"),
        (tarfile.XHDTYPE, -1, "a header of -1 bytes"),
    ],
)
def test_a_member_that_only_says_to_be_huge_is_refused(kind, size, said, tmp_path):
    huge = info("f/a", kind)
    huge.size = size
    file = tmp_path / "a.tar.gz"
    file.write_bytes(gzip.compress(huge.tobuf(tarfile.GNU_FORMAT) + bytes(1024)))
    with pytest.raises(KdpruneError, match=said):
        archives.members(file, "f", ["a"])


def pax(records: bytes) -> bytes:
    """A header about the next member, that holds `records`."""
    noted = info("p", tarfile.XHDTYPE)
    noted.size = len(records)
    return noted.tobuf() + records + bytes(-len(records) % 512)


def held() -> bytes:
    member = info("f/a")
    member.size = 1
    return member.tobuf() + b"1" + bytes(511 + 1024)


def test_a_header_about_the_next_member_is_passed_over(tmp_path):
    """As npm's older packages have them; the member's own header has what is needed."""
    file = tmp_path / "a.tar.gz"
    file.write_bytes(gzip.compress(pax(b"18 NODETAR.depth=1\n") + held()))
    assert archives.members(file, "f", ["a"]) == {"a": b"1"}


@pytest.mark.parametrize("times", [2, 10_000])
def test_headers_about_headers_are_refused(times, tmp_path):
    """Of which tarfile makes as deep a recursion."""
    file = tmp_path / "a.tar.gz"
    file.write_bytes(gzip.compress(pax(b"9 a=bcde\n") * times + held()))
    with pytest.raises(KdpruneError, match="headers about headers"):
        archives.members(file, "f", ["a"])


@pytest.mark.parametrize(
    "records", [b"1099511627776 size=99\n", b"9" * 5000, b"25 size=1099511627776\n"]
)
def test_what_a_pax_header_says_of_sizes_is_not_followed(records, tmp_path):
    file = tmp_path / "a.tar.gz"
    file.write_bytes(gzip.compress(pax(records) + held()))
    assert archives.members(file, "f", ["a"]) == {"a": b"1"}


def test_a_file_that_is_there_twice_is_refused(tmp_path):
    file = tmp_path / "a.tar.gz"
    file.write_bytes(archive("f", {"a": b"1"}, (info("f/a"), b"2")))
    with pytest.raises(KdpruneError, match="'f/a' twice"):
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

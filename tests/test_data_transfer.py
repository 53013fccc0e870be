"""Downloads against a server that cuts, hangs, fails and lies."""

import contextlib
import hashlib
import socket
import threading
import time

import numpy as np
import pytest
from data_server import running

from kdprune.sources.addresses import require_safe
from kdprune.sources.transfer import CHUNK, Unreachable, download, shown

CONTENT = np.random.default_rng(0).bytes(300_000)
CHECKSUM = "md5:" + hashlib.md5(CONTENT).hexdigest()
QUICK = {"timeout": (2, 2), "pause": 0.01, "show": False}


@pytest.fixture
def server():
    with running() as server:
        server.files["/file"] = CONTENT
        yield server


def test_a_file_arrives_and_is_not_fetched_twice(server, tmp_path):
    target = tmp_path / "cache" / "file"
    for _ in range(2):
        assert download(f"{server.url}/file", target, checksum=CHECKSUM, **QUICK) == target
        assert target.read_bytes() == CONTENT
    assert server.ranges("/file") == [None]
    assert [path.name for path in target.parent.iterdir()] == ["file"]


def test_cut_connections_are_resumed_where_they_were_cut(server, tmp_path):
    server.troubles["/file"] = [("cut", 6 * CHUNK + 5), ("cut", 3 * CHUNK)]
    download(f"{server.url}/file", tmp_path / "file", checksum=CHECKSUM, **QUICK)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.ranges("/file") == [None, f"bytes={6 * CHUNK}-", f"bytes={9 * CHUNK}-"]


def test_a_later_call_goes_on_from_the_partial_file(server, tmp_path):
    server.troubles["/file"] = [("cut", 2 * CHUNK), 404]
    with pytest.raises(Unreachable, match="HTTP status 404"):
        download(f"{server.url}/file", tmp_path / "file", **QUICK)
    assert not (tmp_path / "file").exists()
    download(f"{server.url}/file", tmp_path / "file", **QUICK)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.ranges("/file")[-1] == f"bytes={2 * CHUNK}-"


def test_a_server_that_cannot_resume_begins_anew(tmp_path):
    with running(resumes=False) as server:
        server.files["/file"] = CONTENT
        server.troubles["/file"] = [("cut", 100_000)]
        download(f"{server.url}/file", tmp_path / "file", **QUICK)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_server_that_cannot_resume_and_always_cuts_is_given_up(tmp_path):
    with running(resumes=False) as server:
        server.files["/file"] = CONTENT
        server.troubles["/file"] = [
            ("cut", size * CHUNK) for size in (9, 5, 8, 4, 7, 3, 6, 2, 5, 1, 4)
        ]
        with pytest.raises(Unreachable, match=r"cut off|broken"):
            download(f"{server.url}/file", tmp_path / "file", **QUICK)


def test_progress_renews_the_attempts(server, tmp_path):
    server.troubles["/file"] = [("cut", CHUNK)] * 12
    download(f"{server.url}/file", tmp_path / "file", checksum=CHECKSUM, **QUICK)
    assert len(server.requests) == 13


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again(server, tmp_path, status):
    server.troubles["/file"] = [status, status]
    download(f"{server.url}/file", tmp_path / "file", **QUICK)
    assert len(server.requests) == 3


def test_pauses_grow(server, tmp_path):
    server.troubles["/file"] = [503, 503, 503]
    start = time.monotonic()
    download(f"{server.url}/file", tmp_path / "file", **QUICK | {"pause": 0.05})
    assert time.monotonic() - start > 0.75 * 0.05 * (1 + 2 + 4)


def test_a_server_busy_for_ever_is_given_up(server, tmp_path):
    server.troubles["/file"] = [503] * 99
    with pytest.raises(Unreachable, match=r"/file: cannot be fetched \(HTTP status 503\)"):
        download(f"{server.url}/file", tmp_path / "file", **QUICK)
    assert len(server.requests) == 5


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_refusal_is_taken_at_once(server, tmp_path, status):
    server.troubles["/file"] = [status]
    with pytest.raises(Unreachable, match=f"HTTP status {status}"):
        download(f"{server.url}/file", tmp_path / "file", **QUICK)
    assert len(server.requests) == 1


def test_a_server_that_hangs_runs_into_the_time_out(server, tmp_path):
    server.troubles["/file"] = ["hang"]
    download(f"{server.url}/file", tmp_path / "file", **QUICK | {"timeout": (0.3, 0.3)})
    assert len(server.requests) == 2
    server.troubles["/file"] = ["hang"] * 9
    (tmp_path / "file").unlink()
    with pytest.raises(Unreachable, match="time-out"):
        download(f"{server.url}/file", tmp_path / "file", **QUICK | {"timeout": (0.2, 0.2)})


def test_nobody_listening_is_one_line(tmp_path):
    with running() as gone:
        pass
    with pytest.raises(Unreachable, match="cannot be fetched") as caught:
        download(f"{gone.url}/file", tmp_path / "file", **QUICK)
    assert "\n" not in str(caught.value)


def test_wrong_bytes_never_become_the_file(server, tmp_path):
    server.troubles["/file"] = [("bytes", b"x" * len(CONTENT))] * 99
    with pytest.raises(Unreachable, match=r"its md5 is .*, not"):
        download(f"{server.url}/file", tmp_path / "file", checksum=CHECKSUM, **QUICK)
    assert list(tmp_path.iterdir()) == []


def test_wrong_bytes_once_are_fetched_anew(server, tmp_path):
    (tmp_path / "file.partial").write_bytes(b"of another file")
    download(f"{server.url}/file", tmp_path / "file", checksum=CHECKSUM, **QUICK)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.ranges("/file") == ["bytes=15-", None]


def test_a_damaged_file_in_the_cache_is_replaced(server, tmp_path):
    (tmp_path / "file").write_bytes(CONTENT[:-1])
    download(f"{server.url}/file", tmp_path / "file", checksum=CHECKSUM, **QUICK)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_partial_file_longer_than_the_whole_is_dropped(server, tmp_path):
    (tmp_path / "file.partial").write_bytes(CONTENT + b"more")
    download(f"{server.url}/file", tmp_path / "file", **QUICK)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_another_range_than_asked_for_is_not_appended(server, tmp_path):
    server.troubles["/file"] = [("cut", CHUNK), "shifted"]
    download(f"{server.url}/file", tmp_path / "file", **QUICK)
    assert (tmp_path / "file").read_bytes() == CONTENT


@pytest.mark.parametrize("trouble", [[], ["nolength"]])
def test_too_large_a_file_is_refused(server, tmp_path, trouble):
    server.troubles["/file"] = trouble
    with pytest.raises(Unreachable, match="299,999"):
        download(f"{server.url}/file", tmp_path / "file", limit=299_999, **QUICK)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) == 0


@pytest.mark.parametrize("url", ["http://example.org/a", "file:///etc/passwd", "ftp://example.org"])
def test_only_https_is_fetched(tmp_path, url):
    with pytest.raises(Unreachable, match="only https"):
        download(url, tmp_path / "file", **QUICK)


def test_a_redirection_may_not_leave_https(server, tmp_path):
    server.files["/moved"] = b""
    server.troubles["/moved"] = [("to", f"{server.url}/file")]
    download(f"{server.url}/moved", tmp_path / "file", **QUICK)
    assert (tmp_path / "file").read_bytes() == CONTENT
    # 0.0.0.0 reaches this machine, but is no loopback address
    server.troubles["/moved"] = [("to", f"{server.url}/file".replace("127.0.0.1", "0.0.0.0"))]
    with pytest.raises(Unreachable, match="only https"):
        download(f"{server.url}/moved", tmp_path / "other", **QUICK)


def test_a_password_in_an_address_is_not_shown():
    assert shown("https://me:secret@host:8/a?b=1") == "https://host:8/a?b=1"


def test_a_folder_that_cannot_be_written_is_one_line(server, tmp_path):
    (tmp_path / "blocked").write_text("a file")
    with pytest.raises(Unreachable, match="cannot be written"):
        download(f"{server.url}/file", tmp_path / "blocked" / "file", **QUICK)


def dripping(chunk: bytes, pause: float):
    """A server that sends `chunk` for ever, `pause` seconds apart: as a header, or after one."""
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def serve():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\n")
                if chunk == b"x":
                    connection.sendall(b"Content-Length: 99999\r\n\r\n")
                while not stop.wait(pause):
                    connection.sendall(chunk)

    threading.Thread(target=serve, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}/file", lambda: (
        stop.set(),
        listener.close(),
    )


@pytest.mark.parametrize("chunk", [b"x", b"A"], ids=["body", "header"])
@pytest.mark.parametrize(
    ("patience", "said"),
    [
        ((0.8, 0.0, 60.0), "took more than 1 s and was"),
        ((60.0, 1000.0, 0.5), "less than 1,000 bytes"),
    ],
)
def test_a_server_that_drips_is_given_up(tmp_path, chunk, patience, said):
    url, close = dripping(chunk, 0.05)
    begin = time.monotonic()
    try:
        with pytest.raises(Unreachable, match=said) as caught:
            download(url, tmp_path / "file", patience=patience, **QUICK)
    finally:
        close()
    assert time.monotonic() - begin < 4
    assert "\n" not in str(caught.value)


def test_pauses_do_not_count_as_slow(server, tmp_path):
    server.troubles["/file"] = [503, 503, 503]
    quick = QUICK | {"pause": 0.2, "patience": (60.0, 1000.0, 0.15)}
    download(f"{server.url}/file", tmp_path / "file", **quick)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_an_unsafe_redirection_is_not_asked(server, tmp_path):
    """Its server would learn of the request, and might answer to something else."""
    server.troubles["/file"] = [("to", f"{server.url}/other".replace("127.0.0.1", "0.0.0.0"))]
    with pytest.raises(Unreachable, match="only https"):
        download(f"{server.url}/file", tmp_path / "file", **QUICK)
    assert [path for path, _ in server.requests] == ["/file"]


def answering(*lines: bytes) -> tuple[str, socket.socket]:
    """Answer one question with these header lines and two bytes; return where."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve():
        with contextlib.suppress(OSError):
            connection, _ = listening.accept()
            with connection:
                connection.recv(2**16)
                connection.sendall(b"\r\n".join([*lines, b"Connection: close", b"", b"ab"]))

    threading.Thread(target=serve, daemon=True).start()
    return f"http://127.0.0.1:{listening.getsockname()[1]}/file", listening


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            (b"HTTP/1.1 302 Found", b"Location: https://[bad/"),
            "or redirects to none \\(Invalid IPv6",
        ),
        (
            (b"HTTP/1.1 200 OK", b"Content-Length: " + b"1" * 5000),
            "announces more than 419,430,400",
        ),
    ],
    ids=["location", "length"],
)
def test_an_answer_of_nonsense_is_one_line(lines, said, tmp_path):
    url, listening = answering(*lines)
    with listening, pytest.raises(Unreachable, match=said):
        download(url, tmp_path / "file", **QUICK)


def test_a_length_that_is_no_number_counts_as_none(tmp_path):
    url, listening = answering(b"HTTP/1.1 200 OK", b"Content-Length: \xb2")
    with listening:
        assert download(url, tmp_path / "file", **QUICK).read_bytes() == b"ab"


def test_a_host_that_no_name_server_could_know_is_one_line(tmp_path):
    with pytest.raises(Unreachable, match="is no address that can be asked"):
        download(f"https://{'a' * 70}.com/file", tmp_path / "file", **QUICK)


def test_redirections_without_end_are_one_line(server, tmp_path):
    server.troubles["/file"] = [("to", "/file")] * 99
    with pytest.raises(Unreachable, match="redirects more than 10 times"):
        download(f"{server.url}/file", tmp_path / "file", **QUICK)


def test_from_elsewhere_nothing_leads_to_this_machine():
    require_safe("http://localhost:8/a", "http://127.0.0.1/b")
    for onward in ("http://localhost:8/a", "http://127.0.0.1/", "file://localhost/etc/passwd"):
        with pytest.raises(Unreachable, match="only https"):
            require_safe(onward, "https://example.org/b")


@pytest.mark.parametrize("url", ["http://[bad", "https://me:secret@[bad", "https://host:port/a"])
def test_what_is_no_address_is_one_line(url, tmp_path):
    with pytest.raises(Unreachable, match="is no address") as caught:
        download(url, tmp_path / "file", **QUICK)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)

"""A small HTTP server on loopback that misbehaves as told, for the tests of downloads."""

import contextlib
import threading
from collections import defaultdict
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server:
    """Files by path, what to do wrong first, and the requests that came.

    `troubles[path]` is a list that answers use up, one each, before all goes well: a status such
    as 503; ("cut", N), which breaks off after N bytes; "hang"; ("bytes", CONTENT), other content;
    ("to", URL), a redirection; "nolength", which ends with the connection; "shifted", which
    answers a range with another.
    """

    def __init__(self, resumes: bool = True):
        self.files: dict[str, bytes] = {}
        self.troubles: defaultdict[str, list] = defaultdict(list)
        self.requests: list[tuple[str, str | None]] = []  # path and Range
        self.resumes = resumes
        self.released = threading.Event()
        self.url = ""

    def ranges(self, path: str) -> list[str | None]:
        return [given for asked, given in self.requests if asked == path]


@contextlib.contextmanager
def running(**options) -> Iterator[Server]:
    server = Server(**options)
    handler = type("Handler", (_Handler,), {"state": server})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as listener:
        listener.daemon_threads = True
        listener.block_on_close = False
        server.url = f"http://127.0.0.1:{listener.server_address[1]}"
        thread = threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.released.set()
            listener.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    state: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        state, asked = self.state, self.headers.get("Range")
        state.requests.append((self.path, asked))
        trouble = state.troubles[self.path].pop(0) if state.troubles[self.path] else None
        content = state.files.get(self.path)
        self.close_connection = True
        if isinstance(trouble, int) or content is None:
            return self.head(trouble or 404, 0)
        if trouble == "hang":
            state.released.wait(20)
            return None
        kind, value = trouble if isinstance(trouble, tuple) else (trouble, None)
        if kind == "to":
            return self.head(302, 0, Location=value)
        content = value if kind == "bytes" else content
        begin = int(asked.removeprefix("bytes=").rstrip("-")) if asked and state.resumes else 0
        if begin and begin >= len(content):
            return self.head(416, 0)
        status, begin = (206 if begin else 200), (1 if kind == "shifted" else begin)
        told = {"Content-Range": f"bytes {begin}-{len(content) - 1}/{len(content)}"}
        length = None if kind == "nolength" else len(content) - begin
        self.head(status, length, **(told if status == 206 else {}))
        end = begin + value if kind == "cut" else len(content)
        self.wfile.write(content[begin:end])
        return None

    def head(self, status: int, length: int | None, **headers: str):
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, *_):
        pass

"""A server on loopback that is as slow as CIFAR's own."""

import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

RATE = 800_000  # bytes per second


class SlowServer:
    """Serves one archive at RATE, from any byte on."""

    def __init__(self, content: bytes):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
                begin = int(asked[1]) if asked else 0
                self.send_response(206 if asked else 200)
                self.send_header("Content-Length", str(len(content) - begin))
                if asked:
                    told = f"bytes {begin}-{len(content) - 1}/{len(content)}"
                    self.send_header("Content-Range", told)
                self.end_headers()
                part = RATE // 20
                for at in range(begin, len(content), part):
                    try:
                        self.wfile.write(content[at : at + part])
                    except OSError:  # the client has gone
                        return
                    time.sleep(part / RATE)

            def log_message(self, *_):
                pass

        self.listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.listener.server_address[1]}"
        threading.Thread(target=self.listener.serve_forever, daemon=True).start()

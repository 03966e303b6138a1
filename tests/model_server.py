"""A model server in a thread, for tests: it plays the parts that it is told to, in turn."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DEADLINE_S = 5

Part = Callable[["Handler", dict[str, Any]], None]
"""What a server does with a request."""


class Handler(BaseHTTPRequestHandler):
    """Notes a request and plays the part that is due."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "FakeServer"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.asked.append((self.path, body, dict(self.headers), time.monotonic()))
            part = next(self.server.parts, writes)
            self.server.running.add(self)
            self.server.most = max(self.server.most, len(self.server.running))
        try:
            part(self, body)
        except OSError:
            self.close_connection = True
        finally:
            self.done()

    def done(self) -> None:
        with self.server.lock:
            self.server.running.discard(self)

    def answer(self, status: int, content: bytes, **headers: str) -> None:
        self.done()  # Before the client can have it: its next request comes at once.
        self.send_response(status)
        for name, value in {"Content_Type": "application/json", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


class FakeServer(ThreadingHTTPServer):
    """Plays `parts` in turn, and then writes."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, *parts: Part) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.parts: Iterator[Part] = iter(parts)
        self.asked: list[tuple[str, dict[str, Any], dict[str, str], float]] = []
        self.lock = threading.Lock()
        self.running: set[Handler] = set()
        self.most = 0
        self.ended = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}/v1"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def end(self) -> None:
        self.ended.set()
        self.shutdown()
        self.server_close()


def completion(content: str | None, finish: str = "stop", **more: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": content}}
    return json.dumps({"choices": [{**choice, "finish_reason": finish}], **more}).encode()


def writes(handler: Handler, body: dict[str, Any]) -> None:
    """The part of a server that does what it should."""
    usage = {"completion_tokens": 7}
    handler.answer(200, completion(f"Subject: {body['seed']}\nPreview: fine", usage=usage))


def gives(status: int, content: bytes = b"{}", **headers: str) -> Part:
    return lambda handler, _: handler.answer(status, content, **headers)


def hangs(handler: Handler, _: dict[str, Any]) -> None:
    handler.server.ended.wait(DEADLINE_S)


def breaks_off(handler: Handler, _: dict[str, Any]) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')
    handler.close_connection = True


def floods(handler: Handler, _: dict[str, Any]) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(1 << 40))
    handler.end_headers()
    while not handler.server.ended.is_set():
        handler.wfile.write(b" " * (1 << 16))


def meets(barrier: threading.Barrier) -> Part:
    """Writes once as many requests as the barrier wants are there together."""

    def part(handler: Handler, body: dict[str, Any]) -> None:
        barrier.wait(DEADLINE_S)
        writes(handler, body)

    return part


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)

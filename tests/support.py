"""What several folders of tests share."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 10


@contextmanager
def running_server(app: FastAPI) -> Iterator[str]:
    """Serve `app` over HTTP on a free port, in a thread; its base URL. Stops at the end."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="warning", ws="none", timeout_graceful_shutdown=2)
    server = _Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        if not server.has_started.wait(START_TIMEOUT_S):
            raise RuntimeError(f"The server did not start within {START_TIMEOUT_S} seconds.")
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(STOP_TIMEOUT_S)
        listener.close()
    if thread.is_alive():
        raise RuntimeError(f"The server did not stop within {STOP_TIMEOUT_S} seconds.")


class _Server(uvicorn.Server):
    """A server that tells when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.has_started = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.has_started.set()

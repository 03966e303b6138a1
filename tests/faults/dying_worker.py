"""A worker over a script that kills itself where it is told: `HOME SERVICE COUNT before|after`.

It dies at that call of the service, before it or after it, which is before the transaction ends.
With HOME alone it works until it is ended.
"""

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from copygen.database import Database
from copygen.services import batches
from copygen.settings import Settings
from copygen.worker import Worker
from tests.copygen.conftest import make_writer


def die_at(service: str, count: int, when: str) -> None:
    """Let the `count`th call of a service be the last thing that this process does."""
    real = getattr(batches, service)
    calls = 0

    def dying(*arguments: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls < count:
            return real(*arguments, **more)
        if when == "after":
            real(*arguments, **more)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    setattr(batches, service, dying)


def main(home: str, service: str = "", count: str = "0", when: str = "") -> None:
    """Work until stopped or dead."""
    if service:
        die_at(service, int(count), when)
    settings = Settings(home=Path(home), cache=Path(home))
    with Worker(Database(settings.store_url), settings, make_writer):
        threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])

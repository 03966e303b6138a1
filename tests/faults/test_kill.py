"""A worker that is killed in the middle loses nothing and stores nothing twice."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from copygen import schemas
from copygen.database import Database
from copygen.models import BatchState
from copygen.services import accounts, audit, batches

DEADLINE_S = 240


def start_worker(home: Path) -> "subprocess.Popen[bytes]":
    """A worker of its own process, as `copygen worker` starts it."""
    return subprocess.Popen(
        [sys.executable, "-m", "copygen", "worker"],
        env={**os.environ, "COPYGEN_HOME": str(home)},
        stderr=subprocess.DEVNULL,
    )


def wait_for(database: Database, batch_id: str, stored: int) -> batches.Progress:
    """Wait until `stored` segments are done."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        with database.read() as session:
            status = batches.progress(session, batch_id)
        assert status.state != BatchState.FAILED, status.error
        if sum(each.state == BatchState.DONE for each in status.segments) >= stored:
            return status
        time.sleep(0.05)
    pytest.fail(f"{stored} segments were not done in {DEADLINE_S} s")


def texts(database: Database, batch_id: str) -> dict[tuple[str, int], str]:
    """The stored variants by segment and slot."""
    with database.read() as session:
        rows = batches.results(session, batch_id)
    found = {(row["segment"], row["slot"]): row["subject"] + row["preview"] for row in rows}
    assert len(found) == len(rows), "a slot was stored twice"
    return found


def test_a_batch_goes_on_after_kill_9(brief_file: Path, brand_file: Path, tmp_path: Path) -> None:
    brief = schemas.load(schemas.Brief, brief_file).model_copy(update={"variants": 2})
    brand = schemas.load(schemas.Brand, brand_file)
    database = Database(f"sqlite:///{tmp_path / 'copygen.sqlite'}")
    with database.write() as session:
        user = accounts.command_line_user(session)
        batch_id = batches.request(session, user, brief, brand, seed=3).id
    worker = start_worker(tmp_path)
    try:
        wait_for(database, batch_id, 1)
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    before = texts(database, batch_id)
    assert before
    assert {segment for segment, _ in before} != {segment.name for segment in brief.segments}
    worker = start_worker(tmp_path)
    try:
        wait_for(database, batch_id, 3)
    finally:
        worker.terminate()
        worker.wait()
    after = texts(database, batch_id)
    assert len(after) == 6
    assert before.items() <= after.items()
    with database.read() as session:
        assert batches.get(session, batch_id).state in (BatchState.RUNNING, BatchState.DONE)
        _, problem = audit.verify(session)
    assert problem is None

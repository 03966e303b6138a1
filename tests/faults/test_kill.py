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

ROOT = Path(__file__).parents[2]
DEADLINE_S = 240

DEATHS = [
    ("work", "1", "before"),
    ("begin_segment", "1", "after"),
    ("store", "1", "before"),
    ("store", "1", "after"),
    ("begin_segment", "2", "before"),
    ("store", "2", "after"),
    ("finish", "1", "after"),
]
"""Where a worker dies, one after the other: each gets as far as its death or further than the last
one."""


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
    # Enough that the segments are not written all at once.
    brief = schemas.load(schemas.Brief, brief_file).model_copy(update={"variants": 6})
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
    assert len(after) == 18
    assert before.items() <= after.items()
    with database.read() as session:
        assert batches.get(session, batch_id).state in (BatchState.RUNNING, BatchState.DONE)
        _, problem = audit.verify(session)
    assert problem is None


def scripted_worker(home: Path, *death: str) -> list[str]:
    """The command of a worker over a script, which dies where it is told."""
    return [sys.executable, "-m", "tests.faults.dying_worker", str(home), *death]


def test_wherever_a_worker_dies_the_next_one_goes_on(
    brief_file: Path, brand_file: Path, tmp_path: Path
) -> None:
    brief = schemas.load(schemas.Brief, brief_file).model_copy(update={"variants": 2})
    brand = schemas.load(schemas.Brand, brand_file)
    database = Database(f"sqlite:///{tmp_path / 'copygen.sqlite'}")
    with database.write() as session:
        user = accounts.command_line_user(session)
        batch_id, undisturbed = (
            batches.request(session, user, brief, brand, seed=3).id for _ in range(2)
        )
    stored: dict[tuple[str, int], str] = {}
    counts = []
    for death in DEATHS:
        command = scripted_worker(tmp_path, *death)
        ended = subprocess.run(command, cwd=ROOT, timeout=DEADLINE_S, check=False)
        assert ended.returncode == -signal.SIGKILL
        before, stored = stored, texts(database, batch_id)
        assert before.items() <= stored.items()
        counts.append(len(stored))
    assert counts == [0, 0, 0, 0, 2, 4, 6]
    worker = subprocess.Popen(scripted_worker(tmp_path), cwd=ROOT)
    try:
        wait_for(database, undisturbed, 3)
    finally:
        worker.terminate()
        worker.wait()
    assert texts(database, batch_id) == stored == texts(database, undisturbed)
    with database.read() as session:
        assert batches.get(session, batch_id).state == BatchState.DONE
        _, problem = audit.verify(session)
    assert problem is None

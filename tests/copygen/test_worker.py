"""The worker: nothing that was accepted is lost, and nothing is written twice."""

import threading
import time
from typing import Any

import pytest
import sqlalchemy as sa

from copygen import worker
from copygen.errors import CopygenError, GenerationFailed, OutOfSpace, StoreBusy
from copygen.models import BatchState
from copygen.services import batches
from copygen.services.writing import ROUND
from copygen.settings import Settings
from copygen.worker import Worker, WorkerBusy

DEADLINE_S = 30
POLL_S = 0.05


def until_finished(desk: Any, batch_id: str) -> batches.Progress:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        with desk.database.read() as session:
            found = batches.progress(session, batch_id)
        if found.state not in (BatchState.QUEUED, BatchState.RUNNING):
            return found
        time.sleep(POLL_S)
    raise AssertionError(f"the batch is still {found.state}")


def workflow_state(settings: Settings, batch_id: str) -> str:
    """What the workflow engine's own tables say of a batch."""
    engine = sa.create_engine(settings.workflows_url)
    query = sa.text("SELECT status FROM workflow_status WHERE workflow_uuid = :id")
    with engine.connect() as connection:
        state = connection.execute(query, {"id": batch_id}).scalar()
    engine.dispose()
    return str(state)


def test_what_was_accepted_before_the_start_is_written(
    desk: Any, settings: Settings, writer_of: Any
) -> None:
    first, second = desk.request(), desk.request()
    with Worker(desk.database, settings, writer_of):
        assert until_finished(desk, first).state == BatchState.DONE
        assert until_finished(desk, second).state == BatchState.DONE
    assert desk.count("variant") == 4


def test_a_batch_that_was_cut_off_keeps_what_it_has_and_goes_on(
    desk: Any, settings: Settings, writer_of: Any
) -> None:
    segments = [desk.segment("first"), desk.segment("second"), desk.segment("third")]
    batch_id = desk.request(desk.brief(segments=segments))
    with desk.database.write() as session:
        segment_ids = batches.begin(session, batch_id)
    desk.write_segment(segment_ids[0], writer_of())
    with desk.database.write() as session:
        assert batches.begin_segment(session, segment_ids[1]) is not None
    before = {each.id for each in desk.variants()}
    with Worker(desk.database, settings, writer_of):
        status = until_finished(desk, batch_id)
    assert status.state == BatchState.DONE
    assert [each.stored for each in status.segments] == [2, 2, 2]
    assert before < {each.id for each in desk.variants()}


def test_a_segment_that_fails_ends_its_batch_and_no_other(
    desk: Any, settings: Settings, writer_of: Any
) -> None:
    class Failing:
        """Fails at the second segment of each batch that has one."""

        def __init__(self) -> None:
            self.writer = writer_of()

        def write(self, brand: Any, brief: Any, segment: Any, *more: Any) -> Any:
            if segment.name == "second":
                raise GenerationFailed("The model broke off.")
            return self.writer.write(brand, brief, segment, *more)

    segments = [desk.segment("first"), desk.segment("second"), desk.segment("third")]
    bad, good = desk.request(desk.brief(segments=segments)), desk.request()
    with Worker(desk.database, settings, Failing):
        status = until_finished(desk, bad)
        assert until_finished(desk, good).state == BatchState.DONE
    assert (status.state, status.error) == (BatchState.FAILED, "The model broke off.")
    assert [each.stored for each in status.segments] == [2, 0, 0]


def test_a_failure_that_nobody_foresaw_quotes_no_copy(
    desk: Any, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        def write(self, brand: Any, brief: Any, *more: Any) -> Any:
            raise RuntimeError(f"can't write {brief.summary}")

    batch_id = desk.request()
    with Worker(desk.database, settings, Broken):
        status = until_finished(desk, batch_id)
    assert status.state == BatchState.FAILED
    assert status.error == "Writing broke off (RuntimeError)."
    assert desk.brief().summary not in caplog.text


def test_progress_is_told_while_it_writes(desk: Any, settings: Settings, writer_of: Any) -> None:
    told: list[tuple[str, str, int, int]] = []
    batch_id = desk.request()
    with Worker(desk.database, settings, writer_of, lambda *each: told.append(each)):
        until_finished(desk, batch_id)
    assert told == [(batch_id, "new-subscribers", ROUND, ROUND)]


def test_a_home_has_one_worker(desk: Any, settings: Settings, writer_of: Any) -> None:
    with Worker(desk.database, settings, writer_of) as worker:
        assert worker.alive
        with pytest.raises(WorkerBusy), Worker(desk.database, settings, writer_of):
            pass
        assert worker.alive
    assert not worker.alive
    with Worker(desk.database, settings, writer_of) as again:
        assert again.alive


def test_a_full_disk_only_delays_a_batch(
    desk: Any, settings: Settings, writer_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "RETRY_S", 0.05)
    failures = iter([OutOfSpace("The disk is full."), StoreBusy("Held by another process.")] * 3)
    for name in ("begin", "store", "finish"):
        real = getattr(batches, name)

        def failing(*arguments: Any, real: Any = real, tries: Any = None, **more: Any) -> Any:
            if (error := next(failures, None)) is not None:
                raise error
            return real(*arguments, **more)

        monkeypatch.setattr(batches, name, failing)
    batch_id = desk.request()
    with Worker(desk.database, settings, writer_of):
        status = until_finished(desk, batch_id)
    assert status.state == BatchState.DONE
    assert next(failures, None) is None
    assert [each.stored for each in status.segments] == [2]


def test_a_workflow_that_broke_off_is_tried_again(
    desk: Any, settings: Settings, writer_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = batches.begin
    monkeypatch.setattr(batches, "begin", lambda *_: 1 / 0)
    batch_id = desk.request()
    with Worker(desk.database, settings, writer_of):
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            if workflow_state(settings, batch_id) == "ERROR":
                break
            time.sleep(POLL_S)
        else:
            pytest.fail("the workflow did not break off")
    monkeypatch.setattr(batches, "begin", real)
    with Worker(desk.database, settings, writer_of):
        assert until_finished(desk, batch_id).state == BatchState.DONE


def test_a_stop_leaves_the_segment_for_the_next_start(
    desk: Any, settings: Settings, writer_of: Any
) -> None:
    batch_id = desk.request()
    told = threading.Event()
    go_on = threading.Event()

    def progress(*_: Any) -> None:
        told.set()
        go_on.wait(DEADLINE_S)

    stopping = Worker(desk.database, settings, writer_of, progress)
    with stopping:
        assert told.wait(DEADLINE_S)
        threading.Timer(0.2, go_on.set).start()
        stopping._stop.set()
    with desk.database.read() as session:
        assert batches.progress(session, batch_id).state == BatchState.RUNNING
    with Worker(desk.database, settings, writer_of):
        assert until_finished(desk, batch_id).state == BatchState.DONE
    assert desk.count("variant") == 2


def test_a_damaged_workflow_store_is_named(desk: Any, settings: Settings, writer_of: Any) -> None:
    (settings.home / "workflows.sqlite").write_bytes(b"no database " * 1000)
    with (
        pytest.raises(CopygenError, match=r"workflows\.sqlite.*damaged"),
        Worker(desk.database, settings, writer_of),
    ):
        pass


def test_a_worker_in_wait_takes_over(desk: Any, settings: Settings, writer_of: Any) -> None:
    first = Worker(desk.database, settings, writer_of)
    with first:
        second = Worker(desk.database, settings, writer_of, wait=True)
        second.__enter__()
    try:
        assert until_finished(desk, desk.request()).state == BatchState.DONE
    finally:
        second.__exit__(None, None, None)

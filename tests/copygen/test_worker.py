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
from copygen.services.writing import CANDIDATES_PER_VARIANT
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
    second = desk.work(batch_id).jobs[1]
    desk.write_segments(batch_id, writer_of(), "first")
    with desk.database.write() as session:
        assert batches.begin_segment(session, second.id)
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

        def write(self, *arguments: Any) -> Any:
            for job, written in self.writer.write(*arguments):
                if job.segment.name == "second":
                    raise GenerationFailed("The model broke off.")
                yield job, written

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
    planned = 2 * CANDIDATES_PER_VARIANT
    assert told == [(batch_id, "new-subscribers", done, planned) for done in range(1, planned + 1)]


def test_a_segment_is_queued_until_its_first_candidate(
    desk: Any, settings: Settings, writer_of: Any
) -> None:
    segments = [desk.segment("first"), desk.segment("second"), desk.segment("third")]
    batch_id = desk.request(desk.brief(segments=segments))
    states: dict[str, list[str]] = {}

    def progress(_: str, name: str, done: int, planned: int) -> None:
        if done == 1:
            with desk.database.read() as session:
                found = batches.progress(session, batch_id).segments
            states[name] = [each.state.value for each in found]

    with Worker(desk.database, settings, writer_of, progress):
        assert until_finished(desk, batch_id).state == BatchState.DONE
    assert states == {
        "first": ["running", "queued", "queued"],
        "second": ["done", "running", "queued"],
        "third": ["done", "done", "running"],
    }


def test_a_cancelled_batch_is_not_written_on(desk: Any, settings: Settings, writer_of: Any) -> None:
    segments = [desk.segment("first"), desk.segment("second"), desk.segment("third")]
    batch_id, next_one = desk.request(desk.brief(segments=segments)), desk.request()
    told: list[str] = []

    def progress(batch: str, name: str, done: int, planned: int) -> None:
        if batch == batch_id:
            told.append(name)
        if (batch, name, done) == (batch_id, "second", 1):
            desk.sql("UPDATE batch SET state = 'cancelled' WHERE id = :id", id=batch_id)

    with Worker(desk.database, settings, writer_of, progress):
        assert until_finished(desk, next_one).state == BatchState.DONE
    status = until_finished(desk, batch_id)
    assert status.state == BatchState.CANCELLED
    assert [each.stored for each in status.segments] == [2, 0, 0]
    assert set(told) == {"first", "second"}


def test_what_can_not_be_stored_ends_the_stream_at_once(
    desk: Any, settings: Settings, writer_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = threading.Event()

    class Streaming:
        def write(self, *arguments: Any) -> Any:
            try:
                yield from writer_of().write(*arguments)
            finally:
                closed.set()

    errors: list[BaseException] = []

    def store(*_: Any, **__: Any) -> None:
        # Held, and with it its traceback and the stream: only closing it ends it.
        errors.append(ZeroDivisionError())
        raise errors[0]

    monkeypatch.setattr(batches, "store", store)
    batch_id = desk.request()
    with Worker(desk.database, settings, Streaming):
        status = until_finished(desk, batch_id)
    assert status.error == "Writing broke off (ZeroDivisionError)."
    assert closed.is_set()


def test_a_batch_that_an_earlier_version_began_is_finished(
    desk: Any, settings: Settings, writer_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_ids = [desk.request(), desk.request()]
    told = threading.Event()

    def progress(*_: Any) -> None:
        told.set()
        time.sleep(POLL_S)

    with monkeypatch.context() as patch:
        patch.setattr(worker, "APPLICATION_VERSION", "1")
        with Worker(desk.database, settings, writer_of, progress):
            assert told.wait(DEADLINE_S)
    assert [workflow_state(settings, each) for each in batch_ids] == ["PENDING", "ENQUEUED"]
    with Worker(desk.database, settings, writer_of):
        for batch_id in batch_ids:
            assert until_finished(desk, batch_id).state == BatchState.DONE
    assert [workflow_state(settings, each) for each in batch_ids] == ["CANCELLED"] * 2
    assert desk.count("variant") == 4


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
    left: list[CopygenError] = []

    def spoil(name: str) -> None:
        """Let the first calls of a service fail."""
        real = getattr(batches, name)
        failures = [OutOfSpace("The disk is full."), StoreBusy("Held by another process.")]
        left.extend(failures)

        def failing(*arguments: Any, **more: Any) -> Any:
            if failures:
                left.remove(failures[-1])
                raise failures.pop()
            return real(*arguments, **more)

        monkeypatch.setattr(batches, name, failing)

    for name in ("begin", "work", "begin_segment", "store", "finish"):
        spoil(name)
    batch_id = desk.request()
    with Worker(desk.database, settings, writer_of):
        status = until_finished(desk, batch_id)
    assert status.state == BatchState.DONE
    assert not left
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

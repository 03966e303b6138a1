"""The worker: takes accepted batches in turn and writes them as durable workflows.

The store is the truth of which batches there are; the workflow engine (DBOS, tables of its own)
remembers which batches it was handed. A workflow has its batch's id, so handing a batch over twice
does nothing, and one that was cut off goes on at the next start with the segments that are left.
"""

import fcntl
import logging
import platform
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO, TypeVar

import sqlalchemy as sa
from dbos import DBOS, DBOSConfig, SetWorkflowID
from sqlmodel import Session

from copygen.database import Database, make_folder, translated
from copygen.errors import CopygenError, StoreFailed
from copygen.services import batches, review
from copygen.services.writing import Job, Writer
from copygen.settings import Settings

logger = logging.getLogger(__name__)
Result = TypeVar("Result")

QUEUE = "batches"
POLL_S = 0.1
"""How often the store is asked for new batches."""

UPKEEP_POLLS = 300
"""Every so many polls, variants whose offer has ended are marked expired, and batches whose
workflow broke off are handed over again."""

RETRY_S = 2.0
"""Wait before the store is tried again."""

ENDED = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
"""States of workflows that do nothing more."""

STOP_S = 60
"""Longest wait, at the end, for the next candidate."""

APPLICATION_VERSION = "2"
"""Of the workflow below: raised when its steps change, so that old runs aren't taken up wrongly."""

Progress = Callable[[str, str, int, int], None]
"""Called with batch id, segment name, candidates written and candidates planned."""


class WorkerBusy(CopygenError):
    """Another process is the worker of this home."""


class Stopped(BaseException):
    """The worker ends while a batch is written. No Exception: the engine would take that for the
    step's result, and not go on with the batch at the next start."""


class _Cancelled(Exception):
    """The batch was cancelled while it was written."""


class Worker:
    """The one worker of a home. A context manager: it works in threads of its own until it ends."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        make_writer: Callable[[], Writer],
        progress: Progress | None = None,
        *,
        wait: bool = False,
    ) -> None:
        """`make_writer` is called once, when the first batch is to be written.

        With `wait`, it waits in the background for another worker of this home to end.
        """
        self._database = database
        self._settings = settings
        self._make_writer = make_writer
        self._writer: Writer | None = None
        self._writer_lock = threading.Lock()
        self._progress = progress
        self._wait = wait
        self._stop = threading.Event()
        self._started: Future[None] = Future()
        self._writing = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="worker", daemon=True)
        self._lock: IO[bytes] | None = None

    def __enter__(self) -> "Worker":
        """Start.

        Raises:
            WorkerBusy: another process is the worker of this home.
        """
        self._thread.start()
        if not self._wait:
            self._started.result()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop. Segments that are being written are written again at the next start."""
        self._stop.set()
        self._thread.join()
        if self._lock is not None:
            if self._writing.acquire(timeout=STOP_S):
                self._writing.release()
            DBOS.destroy(destroy_registry=True)
            self._lock.close()

    def _become(self) -> None:
        """Take the lock and start, or leave all as it was."""
        lock = _take_lock(self._settings.home / "worker.lock")
        try:
            self._launch()
        except BaseException:
            lock.close()
            raise
        self._lock = lock

    def _launch(self) -> None:
        """Start the workflow engine, which takes up what an earlier worker left."""
        for name in ("dbos", "alembic"):
            logging.getLogger(name).setLevel(logging.ERROR)
        url = self._settings.workflows_url
        config: DBOSConfig = {
            "name": "copygen",
            "system_database_url": url,
            "application_version": APPLICATION_VERSION,
            # A SQLite home has one worker; on a shared database each machine takes up its own work.
            "executor_id": "local" if self._database.sqlite else platform.node(),
            "log_level": "ERROR",
            "enable_otlp": False,
        }
        DBOS.destroy(destroy_registry=True)  # What a launch that failed left.
        DBOS(config=config)

        @DBOS.workflow(name="write_batch", max_recovery_attempts=None)
        def write_batch(batch_id: str) -> None:
            self._run(batch_id)

        self._workflow = write_batch
        with translated(f"The workflow store {sa.make_url(url).render_as_string()}"):
            DBOS.launch()
            DBOS.register_queue(QUEUE, concurrency=1, polling_interval_sec=POLL_S)

    @property
    def alive(self) -> bool:
        """Whether new batches are seen to, here or by the worker that is waited for."""
        return self._thread.is_alive()

    def load(self) -> Writer:
        """The writer, made at the first call.

        Raises:
            CopygenError: it can't be made: weights are missing, the policy is broken.
        """
        with self._writer_lock:
            if self._writer is None:
                self._writer = self._make_writer()
            return self._writer

    def _work(self) -> None:
        """Become the worker and hand over batches until stopped."""
        while self._lock is None and not self._stop.is_set():
            try:
                self._become()
                self._started.set_result(None)
            except Exception as error:
                if not self._wait:
                    self._started.set_exception(error)
                    return
                if not isinstance(error, WorkerBusy):
                    logger.error("the worker can't start: %s", _told(error))
                self._stop.wait(RETRY_S)
        handed: set[str] = set()
        polls = 0
        while not self._stop.is_set():
            try:
                self._dispatch(handed)
                if polls % UPKEEP_POLLS == 0:
                    with self._database.write() as session:
                        review.expired(session)
                    handed.clear()  # A workflow may have broken off: then it is handed over again.
                polls += 1
            except Exception as error:
                # A full disk or a lost connection may pass: what was accepted must not wait for a
                # restart.
                logger.error("handing over batches failed: %s", _told(error))
                self._stop.wait(RETRY_S)
            self._stop.wait(POLL_S)

    def _dispatch(self, handed: set[str]) -> None:
        """Hand every open batch of the store to the workflow engine, but those in `handed`."""
        with self._database.read() as session:
            opened = batches.open_batches(session)
        for batch_id in opened:
            if batch_id not in handed:
                with SetWorkflowID(_free_id(batch_id)):
                    DBOS.enqueue_workflow(QUEUE, self._workflow, batch_id)
                handed.add(batch_id)

    def _run(self, batch_id: str) -> None:
        """The workflow of a batch. All segments are one step, since they are written side by side;
        the store knows which of them are done."""
        DBOS.run_step({"name": "begin"}, self._begin, batch_id)
        error = DBOS.run_step({"name": "write"}, self._write, batch_id)
        DBOS.run_step({"name": "finish"}, self._finish, batch_id, error)

    def _begin(self, batch_id: str) -> None:
        self._stored(lambda session: batches.begin(session, batch_id))

    def _stored(self, change: Callable[[Session], Result]) -> Result:
        """The result of a transaction, tried again while the store can't be used: what the model
        wrote, and that a batch goes on, is not given up for a full disk."""
        while True:
            try:
                with self._database.write() as session:
                    return change(session)
            except StoreFailed as error:
                logger.error("%s", error)
            if self._stop.wait(RETRY_S):
                raise Stopped

    def _write(self, batch_id: str) -> str | None:
        """Write what is left of a batch; what went wrong, in words that may be shown."""
        with self._writing:
            try:
                self._write_segments(batch_id)
            except CopygenError as error:
                return str(error)
            except Exception as error:
                # Where, and what kind: the text of the error may quote copy.
                frame = traceback.extract_tb(error.__traceback__)[-1]
                kind = type(error).__name__
                logger.error("writing a batch failed: %s in %s:%s", kind, frame.name, frame.lineno)
                return f"Writing broke off ({kind})."
            return None

    def _write_segments(self, batch_id: str) -> None:
        """Write the segments that are left, and store each as it ends, until the batch is."""
        if self._stop.is_set():
            raise Stopped
        work = self._stored(lambda session: batches.work(session, batch_id))
        if not work.jobs:
            return

        def progress(job: Job, done: int, planned: int) -> None:
            if self._stop.is_set():
                raise Stopped
            if done == 1 and not self._stored(partial(batches.begin_segment, segment_id=job.id)):
                raise _Cancelled
            if self._progress is not None:
                self._progress(batch_id, job.segment.name, done, planned)

        stream = self.load().write(
            work.brand, work.brief, work.jobs, work.seed, progress, work.waivers
        )
        # Closed at once, however this ends: the model must not go on beside the next batch.
        with closing(stream), suppress(_Cancelled):
            for job, written in stream:
                self._stored(partial(batches.store, brief=work.brief, job=job, written=written))

    def _finish(self, batch_id: str, error: str | None) -> None:
        self._stored(lambda session: batches.finish(session, batch_id, error))


def _told(error: Exception) -> str:
    """What may be logged of an error: ours are written for it, others' texts may quote copy."""
    return str(error) if isinstance(error, CopygenError) else type(error).__name__


def _free_id(batch_id: str) -> str:
    """The batch's id, or, where a workflow of that id broke off or is one of an earlier version,
    which no worker takes up, the id of a further attempt."""
    attempt, identifier = 1, batch_id
    while status := DBOS.get_workflow_status(identifier):
        if status.status not in ENDED:
            if status.app_version == APPLICATION_VERSION:
                break
            DBOS.cancel_workflow(identifier)  # It would keep its place in the queue.
        attempt += 1
        identifier = f"{batch_id}.{attempt}"
    return identifier


def _take_lock(path: Path) -> IO[bytes]:
    """A lock that ends with this process, however it ends."""
    make_folder(path.parent)
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise WorkerBusy(f"Another copygen works in {path.parent} already.") from error
    return file

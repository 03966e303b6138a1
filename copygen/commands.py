"""What the commands do; `cli` holds their names and options."""

import json
import logging
import shlex
import socket
import sys
import threading
import time
import traceback
import warnings
import webbrowser
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from copygen import schemas
from copygen.composition import make_guardrails, make_writer
from copygen.database import Database
from copygen.errors import CopygenError, GenerationFailed, InvalidInput, NotFound
from copygen.generation import weights
from copygen.model_commands import pull_models
from copygen.models import BatchState, Role, now, text_sha256
from copygen.resources import data_folder
from copygen.services import accounts, batches, brands
from copygen.services.writing import rewrite
from copygen.settings import Settings
from copygen.worker import Worker, WorkerBusy
from guardrails.__main__ import check as filter_lines

DEMO_BRIEF = Path("briefs") / "autumn-knitwear.yaml"
DEMO_REVIEWER = "reviewer@example.com"
POLL_S = 0.1
FINISHED = (BatchState.DONE, BatchState.FAILED, BatchState.CANCELLED)


def generate(
    settings: Settings,
    path: Path,
    brand_path: Path | None,
    seed: int | None,
    email: str | None,
    *,
    as_json: bool,
) -> None:
    """Write copy for the brief at `path`; print it as tables, or as JSON."""
    _quiet()
    began = time.monotonic()
    brief = schemas.load(schemas.Brief, path)
    if brief.offer and brief.offer.ends and brief.offer.ends <= now():
        print(
            f"{path}: offer.ends is past, so nothing of this can be approved or sent. "
            "Give a later end, or leave it out.",
            file=sys.stderr,
        )
    database = Database(settings.store_url)
    brand = _find_brand(database, brief, path, brand_path)
    batch_id = _write(settings, database, brief, brand, seed, email)
    with database.read() as session:
        batch = batches.get(session, batch_id)
        variants = batches.results(session, batch_id)
        candidates = batches.candidates(session, batch_id)
    if as_json:
        keys = [
            "segment",
            "slot",
            "subject",
            "preview",
            "verdict",
            "findings",
            "state",
            "provenance",
        ]
        output = {
            "batch": batch_id,
            "variants": [{key: each[key] for key in ("id", *keys)} for each in variants],
            "candidates": candidates,
            "seconds": round(time.monotonic() - began, 3),
        }
        print(json.dumps(output, ensure_ascii=False, indent=2))
    else:
        _print_tables(brief, variants)
    if batch.state == BatchState.FAILED:
        raise GenerationFailed(f"The batch {batch_id} failed: {batch.error}")
    missing = len(brief.segments) * brief.variants - len(variants)
    if missing:
        print(f"{missing} slots stay empty: the model gave no more.", file=sys.stderr)


def demo(settings: Settings, seed: int | None) -> None:
    """Write the packaged example, and make a login to review it with."""
    local = settings.generator == "transformer"
    if local and not settings.model and weights.installed() is None:
        pull_models(settings)
    path = data_folder("examples") / DEMO_BRIEF
    generate(
        settings,
        path,
        path.parents[1] / "brands" / "harrow-and-pine.yaml",
        seed,
        None,
        as_json=False,
    )
    database = Database(settings.store_url)
    with database.write() as session:
        user = accounts.find_user(session, DEMO_REVIEWER)
        if user is None:
            _, password = accounts.add_user(session, DEMO_REVIEWER, Role.REVIEWER)
        else:
            password = accounts.reset_password(session, user)
    database.close()
    command = shlex.quote(sys.argv[0]) if Path(sys.argv[0]).name == "copygen" else "copygen"
    print(
        "\nAll of it waits in the review queue. Open it with\n"
        f"    {command} serve --open\n"
        "and log in as\n"
        f"    {DEMO_REVIEWER}   {password}"
    )


def _find_brand(
    database: Database, brief: schemas.Brief, path: Path, brand_path: Path | None
) -> schemas.Brand:
    """The brief's brand: the given file, the store, beside the brief, or in ../brands."""
    if brand_path is not None:
        brand = schemas.load(schemas.Brand, brand_path)
        schemas.check_brand(brief, brand)
        return brand
    with database.read() as session:
        stored = brands.find(session, brief.brand)
    if stored is not None:
        print(f"The brand {brief.brand} is the store's; --brand FILE replaces it.", file=sys.stderr)
        return stored
    folders = [path.parent, path.parent.parent / "brands"]
    for folder in folders:
        candidate = folder / f"{brief.brand}.yaml"
        if candidate.is_file():
            brand = schemas.load(schemas.Brand, candidate)
            schemas.check_brand(brief, brand)
            return brand
    raise NotFound(
        f"{path}: the brand {brief.brand!r} is not in the store, and there is no "
        f"{brief.brand}.yaml in {folders[0]} or {folders[1]}. Name its file with --brand."
    )


def _write(
    settings: Settings,
    database: Database,
    brief: schemas.Brief,
    brand: schemas.Brand,
    seed: int | None,
    email: str | None,
) -> str:
    """Request a batch and see it through; its id.

    Where another process is the worker of this home, that one writes it; should it end first, this
    one takes over.
    """
    shown = _Bars(brief)
    with ExitStack() as stack:
        stack.enter_context(shown.bars)
        worker = _try_to_work(stack, settings, database, shown.written)
        if worker is not None:
            loading = shown.bars.add_task("loading the model", total=None)
            # Missing weights and the like should be told before anything is accepted.
            worker.load().accept(brand, brief)
            shown.bars.remove_task(loading)
        with database.write() as session:
            user = (
                accounts.get_user(session, email) if email else accounts.command_line_user(session)
            )
            batch = batches.request(session, user, brief, brand, seed=seed)
            batch_id = shown.batch_id = batch.id
        while True:
            with database.read() as session:
                status = batches.progress(session, batch_id)
            shown.update(status)
            if status.state in FINISHED:
                return batch_id
            worker = worker or _try_to_work(stack, settings, database, shown.written)
            time.sleep(POLL_S)


def _try_to_work(
    stack: ExitStack, settings: Settings, database: Database, progress: Any
) -> Worker | None:
    try:
        return stack.enter_context(
            Worker(database, settings, lambda: make_writer(settings), progress)
        )
    except WorkerBusy:
        return None


class _Bars:
    """Progress on standard error: one bar a segment."""

    def __init__(self, brief: schemas.Brief) -> None:
        self.batch_id = ""
        self.bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("candidates"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
        )
        self._tasks = {
            segment.name: self.bars.add_task(segment.name, total=None, start=False)
            for segment in brief.segments
        }

    def written(self, batch_id: str, segment: str, done: int, planned: int) -> None:
        """Called by the worker while it writes."""
        if batch_id == self.batch_id:
            self.bars.update(self._tasks[segment], completed=done, total=planned)

    def update(self, status: batches.Progress) -> None:
        """Take over what the store says."""
        for segment in status.segments:
            task = self._tasks[segment.name]
            if segment.state == BatchState.RUNNING:
                self.bars.start_task(task)
            elif segment.state == BatchState.DONE:
                self.bars.update(task, total=segment.candidates, completed=segment.candidates)
                self.bars.stop_task(task)


def _print_tables(brief: schemas.Brief, variants: list[dict[str, Any]]) -> None:
    console = Console()
    colours = {"pass": "green", "review": "yellow", "block": "red"}
    for segment in brief.segments:
        table = Table(title=f"{segment.name}: {segment.description}", title_justify="left")
        for heading in ("Subject", "Preview", "Verdict", "Findings"):
            table.add_column(heading, overflow="fold")
        for each in variants:
            if each["segment"] == segment.name:
                findings = "\n".join(
                    f"{found['check']}/{found['rule']}: {found['message']}"
                    for found in each["findings"]
                )
                # Text, not str: a text in square brackets would read as a style.
                table.add_row(
                    Text(each["subject"]),
                    Text(each["preview"]),
                    Text(each["verdict"], style=colours[each["verdict"]]),
                    Text(findings or "none"),
                )
        console.print(table)


def check(settings: Settings, path: Path | None, policy: Path | None) -> None:
    """Filter JSON Lines through the guardrails."""
    guardrails = make_guardrails(policy or settings.policy)
    if path is None:
        sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")  # type: ignore[union-attr]
        status = filter_lines(sys.stdin, sys.stdout, guardrails)
    else:
        try:
            source = path.open(encoding="utf-8", errors="surrogateescape")
        except OSError as error:
            raise InvalidInput(f"{path}: can't be read ({error.strerror}).") from error
        with source:
            status = filter_lines(source, sys.stdout, guardrails)
    if status:
        sys.exit(status)


def serve(settings: Settings, *, open_page: bool) -> None:
    """Start the web UI, the API and the worker in one process."""
    # Imported here since the other commands would wait for it in vain.
    import uvicorn

    from copygen.main import create_app

    # What is wrong with these should stop the start, and not each batch.
    make_guardrails(settings.policy)
    if settings.generator == "transformer":
        weights.resolve(settings.model, settings.cache, settings.model_sha256)
    try:
        listening = socket.create_server((settings.host, settings.port))
    except OSError as error:
        raise InvalidInput(
            f"COPYGEN_PORT: {settings.host}:{settings.port} can't be listened on "
            f"({error.strerror}). Take another port or host.",
            field="COPYGEN_PORT",
        ) from error
    with listening:
        url = f"http://{settings.host}:{listening.getsockname()[1]}/"
        database = Database(settings.store_url)
        app = create_app(settings, database)
        print(f"copygen serves {url}  (stop with Ctrl-C)", file=sys.stderr, flush=True)
        with database.read() as session:
            if accounts.find_any(session) is None:
                print(
                    "There is no account yet. Make one: copygen user add EMAIL --role reviewer",
                    file=sys.stderr,
                )
        if open_page:
            threading.Timer(1.0, webbrowser.open, [url]).start()
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,  # Its lines would hold queries and addresses of people.
            server_header=False,
        )
        logging.getLogger("uvicorn.error").addFilter(_without_text)
        uvicorn.Server(config).run(sockets=[listening])


def _without_text(record: logging.LogRecord) -> bool:
    """Keep an error's type and place in the log, and not its text, which may quote copy."""
    if record.exc_info and record.exc_info[1] is not None:
        error = record.exc_info[1]
        frame = traceback.extract_tb(error.__traceback__)[-1]
        record.msg = f"{type(error).__name__} in {frame.name}, {frame.filename}:{frame.lineno}"
        record.args = record.exc_info = record.exc_text = None
    return True


def work(settings: Settings) -> None:
    """Write batches until stopped."""
    _quiet()
    database = Database(settings.store_url)
    with Worker(database, settings, lambda: make_writer(settings)) as worker:
        worker.load()
        print("copygen works (stop with Ctrl-C)", file=sys.stderr)
        threading.Event().wait()


def reproduce(settings: Settings, variant_id: str, *, as_json: bool) -> None:
    """Write a stored variant again, and compare."""
    _quiet()
    with Database(settings.store_url).read() as session:
        source = batches.source(session, variant_id)
    made_by = source.provenance["generator"]
    if settings.number_format == "auto" and made_by["generator"] == "transformer":
        # What is fastest here may have been measured anew meanwhile.
        settings = settings.model_copy(update={"number_format": made_by["number_format"]})
    writer = make_writer(settings)
    parsed = rewrite(writer.generator, source)
    same = parsed is not None and text_sha256(*parsed) == source.sha256
    if as_json:
        subject, preview = parsed or (None, None)
        print(json.dumps({"same": same, "subject": subject, "preview": preview}))
    else:
        print("\n".join(parsed or ("(not well-formed)",)))
        print("the same, byte for byte" if same else "NOT the same", file=sys.stderr)
    if not same:
        why = (
            " A server may write another text for the same seed."
            if settings.generator == "openai"
            else ""
        )
        raise CopygenError(f"The variant could not be written again as it was.{why}")


def _quiet() -> None:
    """Libraries' notices would cut through the progress bars."""
    logging.basicConfig(level=logging.ERROR, format="%(message)s")
    logging.getLogger("copygen").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore")

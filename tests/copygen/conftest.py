"""A desk in code: a store in a file, people of each role, and copy written by a script."""

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import SQLModel, col, select

from copygen import schemas
from copygen.database import Database
from copygen.generation.scripted import ScriptedGenerator
from copygen.models import Batch, DecisionKind, Role, Segment, Slot, User, Variant
from copygen.resources import data_folder
from copygen.services import batches, review
from copygen.services.writing import Writer
from copygen.settings import Settings
from guardrails import Guardrails, Policy
from guardrails.policy import PolicyFile
from guardrails.types import Finding, Item, Result

TEXTS = [
    "Lambswool is back from Hawick\nSix undyed colours, and sizes from XS to XXL.",
    "A jumper for the first cold morning\nSpun in Scotland. Ribbed at both cuffs.",
    "New knitwear has arrived\nChoose your colour before everybody else does.",
    "Your crew-neck is ready when you are\nPlain wool, made slowly, worn for years.",
    "Warm without the fuss\nSoft yarn that keeps its shape after washing.",
    "Something good for October\nWe think you will like how light it feels.",
    "Made at an old mill\nThe same yarn our grandparents knitted with.",
    "Undyed and better for it\nThe sheep did all of the hard work here.",
]
"""Candidates as a model would write them, no two alike."""


class WordCheck:
    """A check that finds one word, so that tests choose what is found."""

    def __init__(self, word: str, severity: str) -> None:
        self.name = f"word_{severity}"
        self._word, self._severity = word, severity

    def run(self, items: Sequence[Item]) -> list[Result]:
        results = []
        for item in items:
            findings = []
            for field, text in item.fields():
                start = text.find(self._word)
                if start >= 0:
                    end = start + len(self._word)
                    findings.append(
                        Finding(self.name, "word", self._severity, field, start, end, "A word.")
                    )
            results.append(Result(findings))
        return results


@dataclass
class People:
    """One account of each role, and a second reviewer."""

    marketer: User
    reviewer: User
    other_reviewer: User
    admin: User
    auditor: User


@dataclass
class Desk:
    """The store of a test, and the ways that its tests use it."""

    database: Database
    people: People

    def brand(self, **changes: Any) -> schemas.Brand:
        """A brand, with `changes` to its keys."""
        document = {
            "slug": "harrow-and-pine",
            "name": "Harrow & Pine",
            "voice": "Warm and plain-spoken. Short sentences. No hype.",
            "on_voice": ["A good coat for a wet Tuesday.", "We fixed the zip.", "Here's a hat."],
            "sector": "clothing",
            "jurisdictions": ["UK"],
        }
        return schemas.Brand.model_validate(document | changes)

    def brief(self, **changes: Any) -> schemas.Brief:
        """A brief of one segment and two variants, with `changes` to its keys."""
        document = {
            "campaign": "autumn-knitwear",
            "brand": "harrow-and-pine",
            "intent": "promotional",
            "product": "lambswool crew-neck jumpers",
            "summary": "The first lambswool of the season is in.",
            "facts": ["Spun in a mill in Hawick", "Six undyed colours"],
            "cta": "Choose your colour",
            "segments": [self.segment("new-subscribers")],
            "variants": 2,
        }
        return schemas.Brief.model_validate(document | changes)

    def segment(self, name: str, **changes: Any) -> dict[str, Any]:
        """A segment of a brief."""
        return {"name": name, "description": f"people of {name}"} | changes

    def offer(self, ends_in: timedelta) -> dict[str, Any]:
        """An offer that ends so far from now."""
        return {"text": "free gift wrapping", "ends": datetime.now(UTC) + ends_in}

    def request(
        self, brief: schemas.Brief | None = None, by: User | None = None, seed: int = 0
    ) -> str:
        """Request a batch (by default as the marketer); its id."""
        with self.database.write() as session:
            by = by or self.people.marketer
            return batches.request(session, by, brief or self.brief(), self.brand(), seed=seed).id

    def write(self, batch_id: str, writer: Writer, error: str | None = None) -> None:
        """Do the worker's part: write all segments and finish the batch, with `error` if any."""
        self.write_segments(batch_id, writer)
        with self.database.write() as session:
            batches.finish(session, batch_id, error)

    def write_segments(self, batch_id: str, writer: Writer, *names: str) -> list[int]:
        """Write and store what is left of a batch, or the segments named; how many variants each
        got."""
        work = self.work(batch_id)
        jobs = [job for job in work.jobs if not names or job.segment.name in names]
        stored = []
        stream = writer.write(work.brand, work.brief, jobs, work.seed, waivers=work.waivers)
        for job, written in stream:
            with self.database.write() as session:
                assert batches.begin_segment(session, job.id)
                stored.append(batches.store(session, work.brief, job, written))
        return stored

    def work(self, batch_id: str) -> batches.Work:
        """Begin a batch; what is left to write of it."""
        with self.database.write() as session:
            batches.begin(session, batch_id)
            return batches.work(session, batch_id)

    def fill(
        self,
        brief: schemas.Brief | None = None,
        by: User | None = None,
        writer: Writer | None = None,
    ) -> list[Variant]:
        """Request a batch and write it; its variants."""
        batch_id = self.request(brief, by)
        self.write(batch_id, writer or make_writer())
        return self.variants(batch_id)

    def variants(self, batch_id: str | None = None) -> list[Variant]:
        """Variants of a batch, or all, by batch, segment and slot."""
        query = (
            select(Variant)
            .join(Slot, col(Slot.id) == Variant.slot_id)
            .join(Segment, col(Segment.id) == Slot.segment_id)
            .join(Batch, col(Batch.id) == Segment.batch_id)
            .order_by(col(Batch.created_at), col(Segment.position), col(Slot.number))
        )
        if batch_id is not None:
            query = query.where(Batch.id == batch_id)
        with self.database.read() as session:
            return list(session.exec(query))

    def decide(
        self, variant: Variant, kind: str = "approve", reason: str = "", by: User | None = None
    ) -> Variant:
        """Decide on a variant, by default as the reviewer."""
        if kind != "approve":
            reason = reason or "It is not how we talk."
        with self.database.write() as session:
            return review.decide(
                session,
                by or self.people.reviewer,
                variant.id,
                DecisionKind(kind),
                variant.sha256,
                reason,
            )

    def sql(self, statement: str, **values: Any) -> list[Any]:
        """Run one statement past all services; its rows."""
        with self.database.write() as session:
            result = session.execute(sa.text(statement), values)
            return list(result) if result.returns_rows else []

    def count(self, table: str) -> int:
        """How many rows a table has."""
        counted = sa.select(sa.func.count()).select_from(SQLModel.metadata.tables[table])
        with self.database.read() as session:
            return session.execute(counted).scalar_one()

    def tamper(self, statement: str, **values: Any) -> None:
        """Run one statement with every trigger gone, as whoever has the file could."""
        with self.database.write() as session:
            names = session.execute(sa.text("SELECT name FROM sqlite_master WHERE type='trigger'"))
            for name in names.scalars().all():
                session.execute(sa.text(f"DROP TRIGGER {name}"))
            session.execute(sa.text(statement), values)


def make_writer(
    texts: Sequence[str | Exception] = TEXTS, checks: Sequence[Any] = (), prompt: str = "brief"
) -> Writer:
    """A writer whose model is a script, and whose guardrails are `checks` alone."""
    policy = Policy(PolicyFile(name="test", version=1, checks={}), "0" * 64)
    return Writer(
        ScriptedGenerator(texts, prompt),
        Guardrails(policy, checks=checks),
        data_folder("prompts"),
    )


@pytest.fixture(scope="session")
def new_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty store at its newest version, to copy: migrating one takes longer than most tests."""
    path = tmp_path_factory.mktemp("store") / "copygen.sqlite"
    Database(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def settings(tmp_path: Path, new_store: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a home of this test's own, with its store."""
    for name in [name for name in os.environ if name.startswith("COPYGEN_")]:
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(new_store, home / "copygen.sqlite")
    return Settings(home=home, cache=tmp_path / "cache")


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """The store in a file."""
    database = Database(settings.store_url)
    # No test pulls the plug, and waiting for the disk is most of the time that it would take.
    sa.event.listen(
        database.engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous = OFF")
    )
    database.engine.dispose()
    yield database
    database.close()


@pytest.fixture
def desk(database: Database) -> Desk:
    """The store, with people who work on it."""
    people = People(
        User(email="marketer@example.com", role=Role.MARKETER),
        User(email="reviewer@example.com", role=Role.REVIEWER),
        User(email="other@example.com", role=Role.REVIEWER),
        User(email="admin@example.com", role=Role.ADMIN),
        User(email="auditor@example.com", role=Role.AUDITOR),
    )
    with database.write() as session:
        session.add_all(vars(people).values())
    return Desk(database, people)


@pytest.fixture
def writer_of() -> Any:
    """The function that makes a writer over a script."""
    return make_writer


@pytest.fixture
def word_check() -> type[WordCheck]:
    """A check that finds the word it is told to."""
    return WordCheck


@pytest.fixture
def texts() -> list[str]:
    """Candidates, no two alike."""
    return list(TEXTS)

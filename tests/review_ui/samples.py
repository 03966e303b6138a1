"""A store filled by hand: accounts of every role, and batches with any findings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlmodel import select

from copygen.database import Database
from copygen.generation.selection import Scored
from copygen.models import DecisionKind, Role, User, Variant
from copygen.schemas import Brand, Brief
from copygen.services import accounts, batches, review
from copygen.services.writing import Written
from copygen.settings import Settings
from guardrails.types import FieldName, Finding, Outcome, Report, Severity
from review_ui.routes import add_pages

BRAND = {
    "slug": "harrow-and-pine",
    "name": "Harrow & Pine",
    "voice": "Warm and plain-spoken. Short sentences. No hype.",
    "sector": "clothing",
    "jurisdictions": ["UK"],
}
BRIEF = {
    "campaign": "autumn-knitwear",
    "brand": "harrow-and-pine",
    "intent": "promotional",
    "product": "lambswool crew-neck jumpers",
    "summary": "The first lambswool jumpers of the season are in.",
    "offer": {
        "text": "15% off the first jumper",
        "code": "FIRSTLAYER",
        "ends": "2099-10-03T23:59:00+01:00",
        "terms": "New customers only",
    },
    "facts": ["Spun in a mill in Hawick", "Six undyed colours", "Sizes XS to XXL"],
    "cta": "Choose your colour",
    "segments": [
        {
            "name": "new-subscribers",
            "description": "joined this month",
            "merge_tags": {"first_name": {"fallback": "there", "longest": "Maximiliana"}},
        },
        {
            "name": "winter-shoppers",
            "description": "first bought a coat or boots from us last winter",
            "sensitivity": "high",
        },
    ],
    "variants": 8,
}
SCORES = {"brand_voice": 0.71, "intent": {"promotional": 0.93, "false_urgency": 0.04}}
OUTCOMES: dict[str, Outcome] = {
    "text": "passed",
    "grounding": "passed",
    "intent": "passed",
    "brand_voice": "passed",
}


def found(
    text: str,
    words: str,
    message: str,
    *,
    where: FieldName = "subject",
    severity: Severity = "review",
) -> Finding:
    """A finding at `words` in `text`; at no words where `words` is empty."""
    start = text.index(words)
    return Finding(
        "phrases", "made-up", severity, where, start, start + len(words), message, f"Not “{words}”."
    )


@dataclass(frozen=True)
class Text:
    """A variant to be stored."""

    subject: str
    preview: str = "Spun in a mill in Hawick. Six undyed colours to choose from."
    findings: Sequence[Finding] = ()
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)

    def scored(self, seed: int) -> Scored:
        """As the writing service hands it over."""
        outcomes = {**OUTCOMES, **self.outcomes}
        if self.findings:
            outcomes["phrases"] = "found"
        report = Report(tuple(self.findings), SCORES, outcomes, "0" * 64)
        return Scored(seed, self.subject, self.preview, report, -1.0)


@dataclass
class Shop:
    """An application with pages over a real store."""

    database: Database
    app: FastAPI
    users: dict[str, tuple[User, str]]

    def client(self, role: str | None = None) -> TestClient:
        """A browser, logged in as `role`; redirects are not followed."""
        client = TestClient(self.app, follow_redirects=False)
        if role is not None:
            user, password = self.users[role]
            answer = client.post("/login", data={"email": user.email, "password": password})
            assert answer.status_code == 303, answer.text
        return client

    def csrf(self, client: TestClient) -> str:
        """The token that a page of `client` would send."""
        with self.database.read() as session:
            login = accounts.find_login(session, client.cookies["copygen_session"])
        assert login is not None
        return login[0].csrf_token

    def add_batch(
        self,
        texts: Mapping[str, Sequence[Text]],
        *,
        by: str = "marketer",
        brief: Mapping[str, Any] | None = None,
        finish: bool = True,
    ) -> str:
        """Request a batch and store `texts` by segment; segments left out stay queued."""
        document = {**BRIEF, **(brief or {})}
        with self.database.write() as session:
            batch = batches.request(
                session,
                self.users[by][0],
                Brief.model_validate(document),
                Brand.model_validate(BRAND),
                seed=7,
            )
            batches.begin(session, batch.id)
            work = batches.work(session, batch.id)
            for job in work.jobs:
                if job.segment.name not in texts:
                    continue
                batches.begin_segment(session, job.id)
                scored = [text.scored(seed) for seed, text in enumerate(texts[job.segment.name])]
                provenance = [
                    {"generator": {"model": "by hand"}, "seed": each.seed} for each in scored
                ]
                written = Written(scored, provenance, "A prompt.", 16, 0.1)
                batches.store(session, work.brief, job, written)
            if finish:
                batches.finish(session, batch.id)
        return batch.id

    def variant(self, subject: str) -> review.Detail:
        """The variant with this subject."""
        with self.database.read() as session:
            identifier = session.exec(select(Variant.id).where(Variant.subject == subject)).one()
            return review.detail(session, identifier)

    def decide(self, subject: str, kind: DecisionKind, reason: str = "") -> None:
        """Decide as the admin, past the pages."""
        variant = self.variant(subject).variant
        with self.database.write() as session:
            admin = self.users["admin"][0]
            review.decide(session, admin, variant.id, kind, variant.sha256, reason)

    def post_decision(
        self, client: TestClient, subject: str, kind: str, reason: str = "", query: str = ""
    ) -> Any:
        """Send the decision form of a variant's page."""
        variant = self.variant(subject).variant
        form = {"kind": kind, "sha256": variant.sha256, "reason": reason, "csrf": self.csrf(client)}
        return client.post(f"/variants/{variant.id}/decision{query}", data=form)


def open_shop(
    home: Path, users: dict[str, tuple[User, str]] | None = None, **settings: Any
) -> Shop:
    """A shop with one account of each role, or with the `users` that its store has already."""
    configured = Settings(home=home, **settings)
    database = Database(configured.store_url)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    add_pages(app, database, configured)
    if users is None:
        with database.write() as session:
            users = {
                role.value: accounts.add_user(session, f"{role.value}@example.com", role)
                for role in Role
            }
    return Shop(database, app, users)

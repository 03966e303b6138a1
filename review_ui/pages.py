"""What each page is given, and nothing else: one dataclass a page, named after its template.

`visitor` is whoever is logged in, or None.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlencode

from sqlmodel import Session

from copygen.models import DecisionKind, Variant, VariantState, now
from copygen.services import overview, review
from copygen.services.batches import SegmentProgress
from copygen.services.overview import BatchRow
from copygen.services.review import Filters
from review_ui.inbox import InboxLine, inbox
from review_ui.marks import Note, Piece, marked, notes_of
from review_ui.security import Visitor

TOP_LABELS = 3
"""Labels shown of a check that gives a probability to each of many."""


@dataclass(frozen=True, slots=True)
class LoginPage:
    """The login form, at first or after a refusal. `next`: the local path to go to."""

    template: ClassVar[str] = "login.html"
    visitor: Visitor | None
    next: str
    email: str
    error: str


@dataclass(frozen=True, slots=True)
class ErrorPage:
    """What went wrong, in one sentence that names the fix."""

    template: ClassVar[str] = "error.html"
    visitor: Visitor | None
    status: int
    title: str
    message: str


@dataclass(frozen=True, slots=True)
class Done:
    """The decision just made, to be told on the page that follows it."""

    id: str
    subject: str
    state: VariantState


@dataclass(frozen=True, slots=True)
class Pager:
    """Where a list stands. `previous` and `next`: links, empty at its ends; pages count from 1."""

    number: int
    count: int
    previous: str
    next: str


@dataclass(frozen=True, slots=True)
class QueuePage:
    """A page of the queue. `query`: the filters as a query string, with its question mark."""

    template: ClassVar[str] = "queue.html"
    visitor: Visitor
    rows: Sequence[review.Row]
    total: int
    filters: Filters
    campaigns: Sequence[str]
    segments: Sequence[str]
    query: str
    pager: Pager
    done: Done | None
    now: datetime


@dataclass(frozen=True, slots=True)
class CheckLine:
    """A check's outcome, with its scores as (name, value): text, or a number from 0 to 1."""

    name: str
    outcome: str
    scores: Sequence[tuple[str, float | str]]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a decision was not taken, with what was typed for it. `field` is its form field."""

    message: str
    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class VariantPage:
    """A variant with all that a decision takes.

    `can_approve`, `can_reject`, `can_revoke`: which buttons there are; `hint`: why one is missing.
    `skip`: the link to the one after it. `provenance`: (name, value) in dotted names.
    """

    template: ClassVar[str] = "variant.html"
    visitor: Visitor
    detail: review.Detail
    subject: Sequence[Piece]
    preview: Sequence[Piece]
    notes: Sequence[Note]
    inbox: Sequence[InboxLine]
    checks: Sequence[CheckLine]
    provenance: Sequence[tuple[str, str]]
    can_approve: bool
    can_reject: bool
    can_revoke: bool
    hint: str
    refusal: Refusal | None
    query: str
    skip: str
    done: Done | None
    now: datetime


@dataclass(frozen=True, slots=True)
class BatchesPage:
    """A page of batches, newest first."""

    template: ClassVar[str] = "batches.html"
    visitor: Visitor
    rows: Sequence[BatchRow]
    total: int
    pager: Pager
    now: datetime


@dataclass(frozen=True, slots=True)
class VariantCard:
    """A variant in its batch."""

    id: str
    slot: int
    state: VariantState
    verdict: str
    subject: Sequence[Piece]
    preview: Sequence[Piece]
    notes: Sequence[Note]


@dataclass(frozen=True, slots=True)
class BatchPage:
    """A batch: progress of its segments, each with the variants written by now."""

    template: ClassVar[str] = "batch.html"
    visitor: Visitor
    batch: BatchRow
    segments: Sequence[tuple[SegmentProgress, Sequence[VariantCard]]]
    running: bool
    now: datetime


Page = LoginPage | ErrorPage | QueuePage | VariantPage | BatchesPage | BatchPage


def query_of(filters: Filters, **more: str | int) -> str:
    """Filters and `more` as a query string with its question mark; empty values are left out."""
    values = {
        "campaign": filters.campaign,
        "segment": filters.segment,
        "verdict": filters.verdict,
        **more,
    }
    kept = {name: value for name, value in values.items() if value}
    return f"?{urlencode(kept)}" if kept else ""


def pager(path: str, number: int, total: int, size: int, filters: Filters | None = None) -> Pager:
    """The pager of a list of `total` rows at `path`, `size` rows a page."""
    filters = filters or Filters()
    count = max(1, -(-total // size))
    return Pager(
        number,
        count,
        f"{path}{query_of(filters, page=number - 1)}" if number > 1 else "",
        f"{path}{query_of(filters, page=number + 1)}" if number < count else "",
    )


def done_of(session: Session, visitor: Visitor, variant_id: str) -> Done | None:
    """What `visitor` decided last on `variant_id`, if anything."""
    variant = session.get(Variant, variant_id) if variant_id else None
    if variant is None:
        return None
    decisions = review.detail(session, variant_id).decisions
    if not decisions or decisions[-1][1].id != visitor.user.id:
        return None
    return Done(variant.id, variant.subject, variant.state)


def variant_page(
    session: Session,
    visitor: Visitor,
    variant_id: str,
    filters: Filters,
    *,
    done: str = "",
    refusal: Refusal | None = None,
) -> VariantPage:
    """The page of a variant.

    Raises:
        NotFound: there is no such variant.
    """
    detail = review.detail(session, variant_id)
    variant = detail.variant
    notes = notes_of(detail.findings, variant.subject, variant.preview)
    pending = variant.state == VariantState.PENDING
    own = detail.batch.requested_by == visitor.user.id
    over = variant.expires_at is not None and variant.expires_at <= now()
    following = review.following(session, filters, variant_id)
    query = query_of(filters)
    return VariantPage(
        visitor,
        detail,
        marked(variant.subject, notes, "subject"),
        marked(variant.preview, notes, "preview"),
        notes,
        inbox(detail.brand.name, variant.subject, variant.preview, detail.segment.merge_tags),
        _checks(variant.report),
        list(_flat(variant.provenance)),
        pending and visitor.decides and not own and not over,
        pending and visitor.decides,
        variant.state == VariantState.APPROVED and visitor.decides,
        _hint(visitor, variant, own=own, over=over),
        refusal,
        query,
        f"/variants/{following}{query}" if following and following != variant_id else "",
        done_of(session, visitor, done),
        now(),
    )


def _hint(visitor: Visitor, variant: Variant, *, own: bool, over: bool) -> str:
    if variant.state == VariantState.BLOCKED:
        return "The checks blocked this text, so it can't be approved. It is kept to show why."
    if variant.state == VariantState.PENDING and not visitor.decides:
        return f"You are logged in as {_article(visitor.role)}. A reviewer decides on this text."
    if variant.state == VariantState.PENDING and over:
        return f"The offer ended on {variant.expires_at:%-d %B %Y}, so this can't be approved."
    if variant.state == VariantState.PENDING and own:
        return "You requested this batch, so somebody else must approve it. You can reject it."
    return ""


def _article(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


def _checks(report: Mapping[str, Any]) -> list[CheckLine]:
    """Checks with their scores; those that did not run come first."""
    scores = dict(report.get("scores", {}))
    lines = [
        CheckLine(name, outcome, _values(scores.pop(name, None)))
        for name, outcome in report.get("outcomes", {}).items()
    ]
    lines += [CheckLine(name, "", _values(value)) for name, value in scores.items()]
    return sorted(lines, key=lambda line: line.outcome != "not_run")


def _values(value: Any) -> list[tuple[str, float | str]]:
    """Scores to show: one, or the highest few of many."""
    if value is None:
        return []
    if not isinstance(value, Mapping):
        return [("", _value(value))]
    items = [(str(name), _value(each)) for name, each in value.items()]
    if all(isinstance(each, float) for _, each in items):
        items.sort(key=lambda item: -float(item[1]))
        return items[:TOP_LABELS]
    return items


def _value(value: Any) -> float | str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(str(each) for each in value) or "none"
    return float(value) if isinstance(value, int | float) and 0 <= value <= 1 else str(value)


def _flat(value: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    lines: list[tuple[str, str]] = []
    for name, each in value.items():
        if isinstance(each, Mapping):
            lines += _flat(each, f"{prefix}{name}.")
        elif each not in ("", None):
            lines.append((f"{prefix}{name}", str(each)))
    return lines


def batch_page(
    session: Session, visitor: Visitor, row: BatchRow, progress: Sequence[SegmentProgress]
) -> BatchPage:
    """The page of a batch."""
    cards: dict[str, list[VariantCard]] = {segment.name: [] for segment in progress}
    for written in overview.written(session, row.id):
        variant = written.variant
        notes = notes_of(written.findings, variant.subject, variant.preview)
        cards[written.segment].append(
            VariantCard(
                variant.id,
                written.slot,
                variant.state,
                variant.verdict,
                marked(variant.subject, notes, "subject"),
                marked(variant.preview, notes, "preview"),
                notes,
            )
        )
    return BatchPage(
        visitor,
        row,
        [(segment, cards[segment.name]) for segment in progress],
        row.state in ("queued", "running"),
        now(),
    )


def kind_of(value: str) -> DecisionKind | None:
    """The decision that a form names, or None."""
    return next((kind for kind in review.NEXT_STATE if kind.value == value), None)

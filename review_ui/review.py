"""The queue, a variant, and decisions on it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from copygen.database import Database
from copygen.errors import InvalidInput, NotFound, UserError
from copygen.models import User, now
from copygen.services import review
from copygen.services.review import Filters
from review_ui.pages import (
    QueuePage,
    Refusal,
    done_of,
    kind_of,
    pager,
    query_of,
    variant_page,
)
from review_ui.security import Guard, Visitor
from review_ui.view import View

PAGE_SIZE = 25


def filters_of(campaign: str = "", segment: str = "", verdict: str = "") -> Filters:
    """The filters in an address."""
    return Filters(campaign.strip(), segment.strip(), verdict.strip())


def page_number(page: str = "") -> int:
    """The page number in an address; what is none counts as 1."""
    is_number = page.isascii() and page.isdigit() and len(page) <= 6
    return max(1, int(page)) if is_number else 1


def review_routes(view: View, guard: Guard, database: Database) -> APIRouter:
    """GET /, /queue and /variants/{id}; POST /variants/{id}/decision."""
    router = APIRouter(include_in_schema=False)
    Reader = Annotated[Visitor, Depends(guard.visitor)]
    Sender = Annotated[Visitor, Depends(guard.sender)]
    Asked = Annotated[Filters, Depends(filters_of)]

    @router.get("/")
    def start() -> Response:
        return RedirectResponse("/queue", 303)

    @router.get("/queue")
    def queue(
        request: Request,
        visitor: Reader,
        filters: Asked,
        number: Annotated[int, Depends(page_number)],
        done: str = "",
    ) -> Response:
        offset = (number - 1) * PAGE_SIZE
        with database.read() as session:
            found = review.queue(session, filters, offset=offset, limit=PAGE_SIZE)
            if number > 1 and not found.rows:
                return RedirectResponse(f"/queue{query_of(filters)}", 303)
            page = QueuePage(
                visitor,
                found.rows,
                found.total,
                filters,
                found.campaigns,
                found.segments,
                query_of(filters),
                pager("/queue", number, found.total, PAGE_SIZE, filters),
                done_of(session, visitor, done),
                now(),
            )
        response = view.page(request, page)
        # The filter form sends its empty fields, too; the address shows what is set.
        here = query_of(filters, page=number if number > 1 else 0, done=done)
        response.headers["HX-Push-Url"] = f"/queue{here}"
        return response

    @router.get("/variants/{variant_id}")
    def variant(
        request: Request, visitor: Reader, variant_id: str, filters: Asked, done: str = ""
    ) -> Response:
        with database.read() as session:
            page = variant_page(session, visitor, variant_id, filters, done=done)
        return view.page(request, page)

    @router.get("/variants/{variant_id}/decision")
    def undecided(variant_id: str, filters: Asked) -> Response:
        """Where a reload after an error, or a login in between, leads."""
        return RedirectResponse(f"/variants/{variant_id}{query_of(filters)}", 303)

    @router.post("/variants/{variant_id}/decision")
    def decide(
        request: Request,
        visitor: Sender,
        variant_id: str,
        filters: Asked,
        kind: Annotated[str, Form()] = "",
        sha256: Annotated[str, Form()] = "",
        reason: Annotated[str, Form()] = "",
    ) -> Response:
        try:
            with database.write() as session:
                decision = kind_of(kind)
                if decision is None:
                    raise InvalidInput("decision: choose approve, reject or revoke.", field="kind")
                # PostgreSQL stores no zero character.
                reason = reason.replace("\0", "")
                user = session.get_one(User, visitor.user.id)
                review.decide(session, user, variant_id, decision, sha256, reason)
                following = review.following(session, filters, variant_id)
        except NotFound:
            raise
        except UserError as error:
            field = (error.field or "") if isinstance(error, InvalidInput) else ""
            refusal = Refusal(_plain(str(error), field), field, reason)
            with database.read() as session:
                page = variant_page(session, visitor, variant_id, filters, refusal=refusal)
            response = view.page(request, page, error.http_status)
            response.headers["HX-Push-Url"] = f"/variants/{variant_id}{query_of(filters)}"
            return response
        there = f"/variants/{following}" if following else "/queue"
        return RedirectResponse(f"{there}{query_of(filters, done=variant_id)}", 303)

    return router


def _plain(message: str, field: str) -> str:
    """The message without the name of its field, beside which it stands."""
    text = message.removeprefix(f"{field}: ")
    return text[:1].upper() + text[1:]

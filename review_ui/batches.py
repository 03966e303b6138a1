"""Batches: the list, and one with its progress and variants."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from copygen.database import Database
from copygen.models import now
from copygen.services import batches, overview
from review_ui.pages import BatchesPage, batch_page, pager
from review_ui.review import PAGE_SIZE, page_number
from review_ui.security import Guard, Visitor
from review_ui.view import View


def batch_routes(view: View, guard: Guard, database: Database) -> APIRouter:
    """GET /batches and /batches/{id}."""
    router = APIRouter(include_in_schema=False)
    Reader = Annotated[Visitor, Depends(guard.visitor)]

    @router.get("/batches")
    def listed(
        request: Request, visitor: Reader, number: Annotated[int, Depends(page_number)]
    ) -> Response:
        offset = (number - 1) * PAGE_SIZE
        with database.read() as session:
            found = overview.batches_list(session, offset=offset, limit=PAGE_SIZE)
        if number > 1 and not found.rows:
            return RedirectResponse("/batches", 303)
        place = pager("/batches", number, found.total, PAGE_SIZE)
        return view.page(request, BatchesPage(visitor, found.rows, found.total, place, now()))

    @router.get("/batches/{batch_id}")
    def one(request: Request, visitor: Reader, batch_id: str) -> Response:
        with database.read() as session:
            row = overview.batch(session, batch_id)
            progress = batches.progress(session, batch_id).segments
            page = batch_page(session, visitor, row, progress)
        return view.page(request, page)

    return router

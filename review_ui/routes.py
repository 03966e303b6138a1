"""All pages of the web UI, put into an application."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.exception_handlers import (
    http_exception_handler,
    request_validation_exception_handler,
)
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from copygen.database import Database
from copygen.errors import CopygenError, NotFound, Unauthenticated
from copygen.settings import Settings
from review_ui.batches import batch_routes
from review_ui.login import login_routes
from review_ui.pages import ErrorPage
from review_ui.review import review_routes
from review_ui.security import API_PREFIX, Guard, PageHeaders
from review_ui.view import View

Handler = Callable[[Request, Any], Awaitable[Response]]

CALM = {
    404: ("Not found", "There is no such page. It may have moved, or the link is incomplete."),
    405: ("Not here", "This address takes no such request. Go back to the queue."),
    422: ("Invalid input", "The form was incomplete. Load the page again and repeat."),
}
"""Words for errors that come from the framework."""


def add_pages(app: FastAPI, database: Database, settings: Settings) -> None:
    """Add all pages, static files, error pages and security headers to `app`.

    Call it after the API's own error handlers are set: paths below /api/ keep those.
    """
    view, guard = View(), Guard(database, settings)
    app.include_router(login_routes(view, guard, database))
    app.include_router(review_routes(view, guard, database))
    app.include_router(batch_routes(view, guard, database))
    _add_static(app, view)
    _add_error_pages(app, view)
    app.add_middleware(PageHeaders)


def _add_static(app: FastAPI, view: View) -> None:
    @app.get("/static/{name}", include_in_schema=False)
    def static(name: str) -> Response:
        if name not in view.static:
            raise NotFound(f"There is no file {name!r}.")
        content, media_type = view.static[name]
        # Links carry a hash of the content, so a changed file has another address.
        headers = {"Cache-Control": "public, max-age=31536000, immutable"}
        return Response(content, media_type=media_type, headers=headers)


def _add_error_pages(app: FastAPI, view: View) -> None:
    def answer(request: Request, error: Exception) -> Response:
        if isinstance(error, Unauthenticated):
            return _to_login(request)
        if isinstance(error, CopygenError):
            status, title, message = error.http_status, error.title, str(error)
        else:
            status = error.status_code if isinstance(error, HTTPException) else 500
            if isinstance(error, RequestValidationError):
                status = 422
            fallback = ("Something broke", "That was our mistake. Nothing was changed; try again.")
            title, message = CALM.get(status, fallback)
        visitor = getattr(request.state, "visitor", None)
        return view.page(request, ErrorPage(visitor, status, title, message), status)

    def pages_first(otherwise: Handler | None) -> Handler:
        async def handle(request: Request, error: Exception) -> Response:
            if request.url.path.startswith(API_PREFIX):
                if otherwise is None:
                    raise error
                # Handlers may be plain functions or coroutines.
                result: Any = otherwise(request, error)
                return result if isinstance(result, Response) else await result
            return await run_in_threadpool(answer, request, error)

        return handle

    defaults: dict[type[Exception], Handler | None] = {
        CopygenError: None,
        HTTPException: http_exception_handler,
        RequestValidationError: request_validation_exception_handler,
        Exception: None,
    }
    for kind, default in defaults.items():
        earlier: Any = app.exception_handlers.get(kind, default)
        app.add_exception_handler(kind, pages_first(earlier))


def _to_login(request: Request) -> Response:
    """Off to the login, and back to this page after it."""
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    login = f"/login?next={quote(here, safe='/')}"
    if request.headers.get("hx-request") == "true":
        # The whole page changes, and with it the frame that htmx leaves alone.
        return Response(status_code=401, headers={"HX-Redirect": login})
    return RedirectResponse(login, 303)

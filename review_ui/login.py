"""Logging in and out."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from copygen.database import Database
from copygen.errors import Unauthenticated
from copygen.services import accounts
from review_ui.pages import LoginPage
from review_ui.security import COOKIE, Guard, Throttle, Visitor, check_origin, local_path
from review_ui.view import View

TOO_OFTEN = "Too many tries. Wait five minutes, then try again."


def login_routes(view: View, guard: Guard, database: Database) -> APIRouter:
    """GET and POST /login, POST /logout."""
    router = APIRouter(include_in_schema=False)
    throttle = Throttle()
    # A shared address may have many people behind it, and a guesser many accounts.
    by_address = Throttle(limit=100)

    @router.get("/login")
    def login_form(request: Request, next: str = "") -> Response:
        try:
            guard.visitor(request)
        except Unauthenticated:
            return view.page(request, LoginPage(None, local_path(next), "", ""))
        return RedirectResponse(local_path(next), 303)

    @router.post("/login", dependencies=[Depends(check_origin)])
    def log_in(
        request: Request,
        email: Annotated[str, Form()] = "",
        password: Annotated[str, Form()] = "",
        next: Annotated[str, Form()] = "",
    ) -> Response:
        next = local_path(next)
        address = request.client.host if request.client else ""
        key = f"{address} {email.strip().lower()[:320]}"
        if throttle.is_closed(key) or by_address.is_closed(address):
            return view.page(request, LoginPage(None, next, email, TOO_OFTEN), 429)
        try:
            with database.read() as session:
                user = accounts.authenticate(session, email, password)
                session.expunge(user)
            with database.write() as session:
                token, _ = accounts.log_in(session, user)
                # A login that was there before is over: its token is known to this browser.
                accounts.log_out(session, request.cookies.get(COOKIE, ""))
        except Unauthenticated as error:
            throttle.failed(key)
            by_address.failed(address)
            return view.page(request, LoginPage(None, next, email, str(error)), 401)
        throttle.forget(key)
        response = RedirectResponse(next, 303)
        guard.set_cookie(response, token)
        return response

    @router.post("/logout")
    def log_out(request: Request, _: Annotated[Visitor, Depends(guard.sender)]) -> Response:
        with database.write() as session:
            accounts.log_out(session, request.cookies.get(COOKIE, ""))
        response = RedirectResponse("/login", 303)
        guard.delete_cookie(response)
        return response

    @router.get("/logout")
    def logged_out() -> Response:
        """Where a login after a stale logout form would lead."""
        return RedirectResponse("/queue", 303)

    return router

"""Errors as application/problem+json (RFC 9457)."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from copygen.errors import CopygenError, InvalidInput
from copygen.schemas import describe, told

MAX_BODY_BYTES = 1024 * 1024
"""Longest body of a request: a brief with a brand is a few kilobytes."""


def problem(status: int, title: str, detail: str, **more: Any) -> JSONResponse:
    """An error's answer."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def answer(error: CopygenError) -> JSONResponse:
    """The answer to one of our errors."""
    more = {}
    if isinstance(error, InvalidInput) and error.field:
        more["errors"] = [{"field": error.field, "message": str(error)}]
    return problem(error.http_status, error.title, str(error), **more)


def invalid(error: RequestValidationError) -> JSONResponse:
    """The answer to a request that breaks its schema: the field and what is wrong with it."""
    errors = []
    for each in told(list(error.errors())):
        if each["type"] == "json_invalid":
            return problem(400, "Bad request", "The body is not JSON.")
        location = each["loc"][1:]  # After "body", "query", "path" or "header".
        field, message = describe({**each, "loc": location})
        errors.append({"field": field, "message": message})
    return problem(422, "Invalid input", errors[0]["message"], errors=errors)


def add_problems(app: FastAPI) -> None:
    """Answer errors on the API's paths; those of other paths are left to whoever owns them."""
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_any)


def _on_invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    return invalid(error)


def _on_http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101
    titles = {404: "Not found", 405: "Method not allowed"}
    answer = problem(error.status_code, titles.get(error.status_code, "Error"), str(error.detail))
    answer.headers.update(error.headers or {})
    return answer


def _on_any(_: Request, error: Exception) -> JSONResponse:
    """Ours: the error's own text may quote copy, so it stays inside."""
    return problem(500, "Internal error", f"That was our mistake ({type(error).__name__}).")


class BodyLimit:
    """Refuses a body above `MAX_BODY_BYTES`, whether its length is told or not."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the body's bytes on their way."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        lengths = [value for name, value in scope["headers"] if name == b"content-length"]
        if lengths and int(lengths[0]) > MAX_BODY_BYTES:
            answer = problem(413, "Too large", f"The body is above {MAX_BODY_BYTES} bytes.")
            await answer(scope, receive, send)
            return
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > MAX_BODY_BYTES:
                raise HTTPException(413, f"The body is above {MAX_BODY_BYTES} bytes.")
            return message

        await self.app(scope, counted, send)

"""Who is there, whether a form is ours, and the headers that keep pages to themselves."""

import hmac
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Form, Request, Response
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from copygen.database import Database
from copygen.errors import Forbidden, Unauthenticated
from copygen.models import Role, User
from copygen.services import accounts
from copygen.services.review import DECIDERS
from copygen.settings import Settings

COOKIE = "copygen_session"

API_PREFIX = "/api/"
"""Paths that are no pages."""

MAX_FORM_BYTES = 256 * 1024
"""Longest form; the largest field is a reason of 1,000 characters."""

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: with it, browsers send `Origin: null` along with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Set on every answer that is no API answer, unless the answer sets its own."""

LOCAL_PATH = re.compile(r"/(?!/)[!-\[\]-~]*")
"""A path of this host in printable ASCII without a backslash: browsers read `/\\` as `//`."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whoever is logged in."""

    user: User
    csrf_token: str

    @property
    def decides(self) -> bool:
        """Whether the account's role decides on variants."""
        return self.user.role in DECIDERS

    @property
    def role(self) -> Role:
        """The account's role."""
        return self.user.role


class Guard:
    """Dependencies of pages: who asks, and whether a form came from a page of ours."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._secure = settings.secure_cookies

    def visitor(self, request: Request) -> Visitor:
        """Whoever is logged in.

        Raises:
            Unauthenticated: nobody is.
        """
        token = request.cookies.get(COOKIE, "")
        if token:
            with self._database.read() as session:
                found = accounts.find_login(session, token)
            if found is not None:
                login, user = found
                visitor = Visitor(user, login.csrf_token)
                # Error pages show who is logged in, too.
                request.state.visitor = visitor
                return visitor
        raise Unauthenticated("Log in to see this page.")

    def sender(self, request: Request, csrf: Annotated[str, Form()] = "") -> Visitor:
        """Whoever sent a form, which must be one of ours.

        Raises:
            Unauthenticated: nobody is logged in.
            Forbidden: another site sent the form, or its token is not this login's.
        """
        check_origin(request)
        visitor = self.visitor(request)
        if not hmac.compare_digest(csrf.encode(), visitor.csrf_token.encode()):
            raise Forbidden("This form belongs to another login. Load the page again and repeat.")
        return visitor

    def set_cookie(self, response: Response, token: str) -> None:
        """Give the browser the token of its login."""
        response.set_cookie(
            COOKIE,
            token,
            max_age=int(accounts.LOGIN_LIFETIME.total_seconds()),
            httponly=True,
            samesite="lax",
            secure=self._secure,
        )

    def delete_cookie(self, response: Response) -> None:
        """Take the token away again."""
        response.delete_cookie(COOKIE, httponly=True, samesite="lax", secure=self._secure)


def check_origin(request: Request) -> None:
    """Refuse a form that another site sent.

    Browsers say so in Sec-Fetch-Site, or (over plain HTTP) in Origin alone. What sends neither is
    no browser, and carries no cookie that it was not given.

    Raises:
        Forbidden: another site sent it.
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    own = True
    if site is not None:
        own = site in ("same-origin", "none")
    elif origin is not None:
        own = urlsplit(origin).netloc == request.headers.get("host", "")
    if not own:
        raise Forbidden("Another site sent this form, so nothing was done.")


def local_path(value: str, default: str = "/queue") -> str:
    """`value` where it is a path of this host, else `default`."""
    return value if LOCAL_PATH.fullmatch(value) else default


class Throttle:
    """Counts failures by key, in memory: `limit` within `seconds`, then no further try."""

    def __init__(
        self,
        limit: int = 10,
        seconds: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
        max_keys: int = 10_000,
    ) -> None:
        self._limit, self._seconds, self._clock, self._max_keys = limit, seconds, clock, max_keys
        self._failures: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def is_closed(self, key: str) -> bool:
        """Whether `key` failed too often of late."""
        with self._lock:
            return len(self._recent(key)) >= self._limit

    def failed(self, key: str) -> None:
        """Count one failure."""
        with self._lock:
            recent = self._recent(key)
            recent.append(self._clock())
            self._failures.pop(key, None)
            if len(self._failures) >= self._max_keys:
                del self._failures[next(iter(self._failures))]
            self._failures[key] = recent

    def forget(self, key: str) -> None:
        """Forget the failures of `key`, which got it right."""
        with self._lock:
            self._failures.pop(key, None)

    def _recent(self, key: str) -> deque[float]:
        failures = self._failures.get(key, deque(maxlen=self._limit))
        while failures and failures[0] <= self._clock() - self._seconds:
            failures.popleft()
        return failures


class PageHeaders:
    """ASGI middleware: security headers on all that is no API answer, and no oversized forms."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with headers added to its answer."""
        if scope["type"] != "http" or scope["path"].startswith(API_PREFIX):
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if scope["method"] == "POST" and not _has_modest_body(scope):
            refusal = Response("The form is too large.", 413, media_type="text/plain")
            await refusal(scope, receive, send_with_headers)
            return
        await self._app(scope, receive, send_with_headers)


def _has_modest_body(scope: Scope) -> bool:
    """Whether the body's length is told (so not sent in chunks) and no more than a form's."""
    lengths = [value for name, value in scope["headers"] if name == b"content-length"]
    return len(lengths) == 1 and lengths[0].isdigit() and int(lengths[0]) <= MAX_FORM_BYTES

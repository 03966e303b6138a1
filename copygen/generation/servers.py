"""Servers that do the same work: who is asked next, and who is left aside for a while."""

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx


@dataclass(frozen=True, slots=True)
class Pace:
    """When a server that fails is asked again, and when it is given up. Times in seconds."""

    tries: int = 5
    """Of one request, over all servers."""

    first_wait_s: float = 0.5
    longest_wait_s: float = 10.0
    failures: int = 3
    """In a row, after which a server is left aside (a circuit breaker's threshold)."""

    aside_s: float = 0.5
    """For how long at first; later for as long as it has been failing, up to `longest_wait_s`."""

    give_up_s: float = 15.0
    """A server that has failed for so long is down."""

    def wait_s(self, failed: int) -> float:
        """Wait before the next try of a request that has `failed` so often: doubling each time, by
        up to a half less at random, so that requests that failed together come back apart."""
        longest = min(self.first_wait_s * 2.0 ** (failed - 1), self.longest_wait_s)
        return longest * random.uniform(0.5, 1.0)  # noqa: S311


class Unanswered(Exception):
    """A server did not do its work this time. The text names it, the cause and the fix.

    `wait_s`: it asked to be left alone for so long. `busy`: it has too much to do, which is no
    failure of its own.
    """

    def __init__(self, message: str, *, wait_s: float = 0.0, busy: bool = False) -> None:
        super().__init__(message)
        self.wait_s = wait_s
        self.busy = busy


@dataclass(slots=True)
class Server:
    """One server, and how it has done."""

    url: str
    """Without credentials and without a slash at the end."""

    credentials: tuple[str, str] | None = field(repr=False)
    busy: int = 0
    asked: int = 0
    failures: int = 0
    """In a row."""

    failing_since: float = 0.0
    failed_at: float = 0.0
    aside_until: float = 0.0


class Servers:
    """Spreads requests over servers, the least busy first. Safe to share between threads.

    One that fails `pace.failures` times in a row is left aside. Then it gets one request, and its
    share again once it has answered. One that asks to be left alone is left aside as long as it
    asks.
    """

    def __init__(
        self, urls: Sequence[str], pace: Pace, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._pace = pace
        self._clock = clock
        self._servers = [_server(url) for url in urls]
        self._lock = threading.Lock()
        self._answered_at = clock()

    @property
    def urls(self) -> list[str]:
        """Where the servers are, without credentials."""
        return [server.url for server in self._servers]

    def take(self, last: Server | None = None) -> Server | None:
        """The server to ask now, to be asked in `asking`; None while none may be asked. `last` has
        just failed at this request: any other one is better."""
        with self._lock:
            now = self._clock()
            free = [
                each
                for each in self._servers
                if each.aside_until <= now
                and (each.failures < self._pace.failures or not each.busy)
            ]
            if not free:
                return None
            server = min(free, key=lambda each: (each is last, each.busy, each.asked))
            server.busy += 1
            server.asked += 1
            return server

    def free_in_s(self) -> float:
        """Seconds until the first server is no longer left aside."""
        with self._lock:
            first = min(each.aside_until for each in self._servers)
            return max(0.0, first - self._clock())

    @contextmanager
    def asking(self, server: Server) -> Iterator[None]:
        """While `server`, which was taken, is asked: what comes of it counts."""
        began = self._clock()
        try:
            yield
        except Unanswered as failure:
            with self._lock:
                self._failed(server, failure, began)
            raise
        else:
            with self._lock:
                server.failures = 0
                self._answered_at = self._clock()
        finally:
            with self._lock:
                server.busy -= 1

    def down(self) -> bool:
        """Whether every server has failed for so long that it is to be given up."""
        with self._lock:
            now = self._clock()
            return all(
                each.failures and now - each.failing_since >= self._pace.give_up_s
                for each in self._servers
            )

    def silent_s(self, since: float) -> float:
        """Seconds without an answer of any server, counted from the clock's `since` at most."""
        with self._lock:
            return self._clock() - max(since, self._answered_at)

    def _failed(self, server: Server, failure: Unanswered, began: float) -> None:
        now = self._clock()
        server.aside_until = max(server.aside_until, now + failure.wait_s)
        if failure.busy:
            return
        # Failures of long ago, with no request since, say nothing of now.
        if not server.failures or began - server.failed_at > self._pace.give_up_s:
            server.failures = 0
            server.failing_since = now
        server.failures += 1
        server.failed_at = now
        if server.failures >= self._pace.failures:
            aside_s = max(now - server.failing_since, self._pace.aside_s)
            until = now + min(aside_s, self._pace.longest_wait_s)
            server.aside_until = max(server.aside_until, until)


def _server(url: str) -> Server:
    parsed = httpx.URL(url.rstrip("/"))
    credentials = (parsed.username, parsed.password) if parsed.userinfo else None
    return Server(str(parsed.copy_with(userinfo=b"")), credentials)

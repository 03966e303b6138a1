"""A generator that asks servers which speak OpenAI's chat completions: vLLM, SGLang, llama.cpp,
Ollama, `transformers serve`."""

import asyncio
import ssl
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from pydantic import BaseModel, Field, ValidationError

from copygen.errors import GenerationFailed, InvalidInput
from copygen.generation.generator import Candidate, Identity, Request, Sampling
from copygen.generation.servers import Pace, Server, Servers, Unanswered

PROMPT = "chat"

CONNECT_S = 10.0
"""Longest wait for a connection."""

POLL_S = 0.02
"""How often it is asked whether a server is free again."""

CLOSE_S = 5.0
"""Longest wait, at the end, for connections to close."""

MAX_ANSWER_BYTES = 1 << 20
"""An answer of 80 tokens has a few thousand."""

RETRIED = (408, 425, 429)
"""Statuses below 500 that may be another one next time (RFC 9110, RFC 8470, RFC 6585)."""


class _Message(BaseModel):
    content: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Usage(BaseModel):
    completion_tokens: int | None = Field(default=None, ge=0)


class _Answer(BaseModel):
    """What is read of an answer."""

    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None


class OpenAIGenerator:
    """One request for each candidate, with its seed, up to `concurrency` at a time over all servers.

    Sends only fields that all of those servers take: model, messages, temperature, max_tokens and
    seed. `top_k` is not among OpenAI's, so the model's own setting on the server stands. Text goes
    to the servers alone: neither through a proxy that the environment names nor after a redirect.
    Safe to share between threads.
    """

    def __init__(
        self,
        base_urls: Sequence[str],
        model: str,
        api_key: str = "",
        *,
        concurrency: int = 8,
        timeout_s: float = 60.0,
        pace: Pace | None = None,
    ) -> None:
        """`base_urls`: at least one, http or https, each to be followed by /chat/completions; what
        stands before an @ is sent as a name and a password. `timeout_s` is for one whole answer."""
        self._model = model
        self._api_key = api_key
        self._concurrency = concurrency
        self._timeout_s = timeout_s
        self._pace = pace or Pace()
        self._servers = Servers(base_urls, self._pace)
        self._trusted = ssl.create_default_context()
        self._has_written = False

    @property
    def identity(self) -> Identity:
        """What writes, as far as it is known here: the name of the model and where it is."""
        return Identity(
            generator="openai",
            model=self._model,
            weights_sha256="",
            adapter="",
            adapter_sha256="",
            device=", ".join(self._servers.urls),
            number_format="server",
            threads=0,
            libraries="",
            prompt=PROMPT,
        )

    def write(
        self, requests: deque[Request], sampling: Sampling
    ) -> Iterator[tuple[Request, Candidate]]:
        """A candidate for each request, in the order in which they come. `tokens` is 0 where the
        server doesn't tell.

        Raises:
            GenerationFailed: no server answers, or one answers what can't be used.
            InvalidInput: a server refuses the key, or doesn't know the model.
        """
        running: dict[Future[_Answer], Request] = {}
        client = self._client()
        with _background(client) as loop:
            while requests or running:
                while requests and len(running) < self._concurrency:
                    request = requests.popleft()
                    asking = self._ask(client, request, sampling)
                    running[asyncio.run_coroutine_threadsafe(asking, loop)] = request
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                # What has come is given first: a failure is the end.
                future = min(done, key=lambda each: each.exception() is not None)
                request = running.pop(future)
                yield request, self._candidate(request, future.result())

    def likelihood(self, prompt: str, texts: Sequence[str]) -> list[float]:  # noqa: ARG002
        """0 for all: not every server tells it."""
        return [0.0 for _ in texts]

    def _client(self) -> httpx.AsyncClient:
        # No compression: a small answer must not unpack into a huge one.
        headers = {"Accept-Encoding": "identity"}
        if self._api_key:
            headers["Authorization"] = f"Bearer {self._api_key}"
        return httpx.AsyncClient(
            headers=headers,
            timeout=httpx.Timeout(None, connect=min(CONNECT_S, self._timeout_s)),
            limits=httpx.Limits(max_keepalive_connections=self._concurrency),
            verify=self._trusted,
            trust_env=False,
        )

    def _candidate(self, request: Request, answer: _Answer) -> Candidate:
        text = answer.choices[0].message.content or ""
        # One empty text may be bad luck; from a server that has never given any it is no luck.
        if not text and not self._has_written:
            raise GenerationFailed(
                f"{self._model} at {' or '.join(self._servers.urls)} answers without a text. If it "
                "thinks before it writes, switch that off at the server, or take another model."
            )
        self._has_written = True
        tokens = (answer.usage.completion_tokens if answer.usage else None) or 0
        complete = answer.choices[0].finish_reason == "stop" and not request.hopeless(text)
        return Candidate(request.seed, text, tokens, 0.0, complete)

    async def _ask(
        self, client: httpx.AsyncClient, request: Request, sampling: Sampling
    ) -> _Answer:
        """The answer to one request, of whichever server gives it."""
        body = {
            "model": self._model,
            "messages": [{"role": "user", "content": request.prompt}],
            "temperature": sampling.temperature,
            "max_tokens": sampling.max_tokens,
            "seed": request.seed,
        }
        began = time.monotonic()
        waits = failed = 0
        server: Server | None = None
        while True:
            server = await self._free(server)
            try:
                with self._servers.asking(server):
                    return await self._answer(client, server, body)
            except Unanswered as failure:
                waits += 1
                failed += not failure.busy
                if failure.busy:
                    over = self._servers.silent_s(began) > self._timeout_s
                else:
                    over = failed == self._pace.tries or self._servers.down()
                if over:
                    raise GenerationFailed(str(failure)) from failure
            await asyncio.sleep(self._pace.wait_s(waits))

    async def _free(self, last: Server | None) -> Server:
        """The server to ask, as soon as there is one; better not `last`, which has just failed."""
        while (server := self._servers.take(last)) is None:
            wait_s = self._servers.free_in_s()
            if wait_s > max(self._timeout_s, self._pace.longest_wait_s):
                raise GenerationFailed(
                    f"{' and '.join(self._servers.urls)} asked to be left alone for {wait_s:.0f} s. "
                    "Try again then, or add a server to COPYGEN_OPENAI_BASE_URL."
                )
            await asyncio.sleep(max(wait_s, POLL_S))
        return server

    async def _answer(
        self, client: httpx.AsyncClient, server: Server, body: dict[str, Any]
    ) -> _Answer:
        """One try at one server.

        Raises:
            Unanswered: it may go better next time, or elsewhere.
            GenerationFailed, InvalidInput: it won't.
        """
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                client.stream(
                    "POST",
                    f"{server.url}/chat/completions",
                    json=body,
                    # Their place is taken by the key where there are none.
                    auth=server.credentials or httpx.USE_CLIENT_DEFAULT,
                ) as response,
            ):
                content = await _read(response)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise Unanswered(
                f"{server.url} can't be reached ({error or 'no answer'}). Start the server, or "
                "correct COPYGEN_OPENAI_BASE_URL."
            ) from error
        except TimeoutError as error:
            raise Unanswered(
                f"{server.url} did not answer within {self._timeout_s:g} s. Raise "
                "COPYGEN_OPENAI_TIMEOUT, lower COPYGEN_OPENAI_CONCURRENCY, or look after the server."
            ) from error
        except httpx.RequestError as error:
            raise Unanswered(
                f"{server.url} broke off its answer ({type(error).__name__}). Its log may say why."
            ) from error
        if response.status_code != httpx.codes.OK:
            raise self._refusal(server, response, content)
        try:
            return _Answer.model_validate_json(content)
        except ValidationError as error:
            kind = response.headers.get("Content-Type", "of no type").split(";")[0]
            raise Unanswered(
                f"{server.url} answers ({kind}), but not as an OpenAI-compatible server does. "
                "COPYGEN_OPENAI_BASE_URL must name its API; mostly it ends in /v1."
            ) from error

    def _refusal(self, server: Server, response: httpx.Response, content: bytes) -> Exception:
        """The error for a status. The server's own text is not told: it may quote key and brief."""
        status = response.status_code
        told = f"(HTTP {status})"
        if status >= 500 or status in RETRIED:
            wait_s = _retry_after_s(response.headers.get("Retry-After", ""))
            if status == 429:
                return Unanswered(
                    f"{server.url} has too much to do {told}. Lower COPYGEN_OPENAI_CONCURRENCY, or "
                    "try again later.",
                    wait_s=wait_s,
                    busy=True,
                )
            return Unanswered(f"{server.url} failed {told}. Its log may say why.", wait_s=wait_s)
        if status in (401, 403):
            return InvalidInput(
                f"{server.url} refuses the key {told}. Set the right one in "
                "COPYGEN_OPENAI_API_KEY.",
                field="COPYGEN_OPENAI_API_KEY",
            )
        if status in (404, 405):
            return InvalidInput(
                f"{server.url} has no model {self._model!r}, or is no API {told}. Correct "
                "COPYGEN_OPENAI_MODEL, or COPYGEN_OPENAI_BASE_URL, which mostly ends in /v1.",
                field="COPYGEN_OPENAI_MODEL",
            )
        if 300 <= status < 400:
            return InvalidInput(
                f"{server.url} sends elsewhere {told}, and text goes only to addresses in "
                "COPYGEN_OPENAI_BASE_URL. Name the right one there.",
                field="COPYGEN_OPENAI_BASE_URL",
            )
        if status == 413 or b"context" in content.lower():
            return GenerationFailed(
                f"The prompt and its answer are longer than {self._model} at {server.url} reads "
                f"{told}. Shorten the brief: fewer facts, shorter terms; or give the server more "
                "context."
            )
        return GenerationFailed(
            f"{server.url} refuses the request {told}. Its log may say why; COPYGEN_OPENAI_MODEL "
            f"is {self._model!r}."
        )


async def _read(response: httpx.Response) -> bytes:
    """The answer, and at most a little more than `MAX_ANSWER_BYTES` of it: then it isn't one."""
    content = bytearray()
    async for part in response.aiter_bytes():
        content += part
        if len(content) > MAX_ANSWER_BYTES:
            break
    return bytes(content)


def _retry_after_s(value: str) -> float:
    """Seconds that a Retry-After header asks for: it holds seconds or a date (RFC 9110, 10.2.3);
    0 where it holds neither."""
    if value.isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    return max(0.0, (moment.astimezone(UTC) - datetime.now(UTC)).total_seconds())


@contextmanager
def _background(client: httpx.AsyncClient) -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop in a thread of its own, so that answers come in while the candidates before
    them are looked at. At the end, what still runs in it is cancelled, and `client` is closed.

    The thread is a daemon: a generator that nobody closed must not keep the process.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="openai", daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        # At the interpreter's end the thread is gone already, and would never answer.
        if not sys.is_finalizing():
            with suppress(TimeoutError):
                asyncio.run_coroutine_threadsafe(_end(client), loop).result(CLOSE_S)
            loop.call_soon_threadsafe(loop.stop)
            thread.join(CLOSE_S)
            if not thread.is_alive():
                loop.close()


async def _end(client: httpx.AsyncClient) -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await client.aclose()

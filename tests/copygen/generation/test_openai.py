"""The generator that asks servers, against servers that play every part."""

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from email.utils import formatdate
from typing import Any

import pytest

from copygen.composition import make_writer
from copygen.errors import GenerationFailed, InvalidInput
from copygen.generation.generator import Candidate, Request, Sampling
from copygen.generation.openai import OpenAIGenerator
from copygen.generation.servers import Pace
from copygen.settings import Settings
from tests.model_server import (
    FakeServer,
    Handler,
    Part,
    breaks_off,
    completion,
    floods,
    gives,
    hangs,
    meets,
    until,
    writes,
)

QUICK = Pace(first_wait_s=0.01, longest_wait_s=0.04, aside_s=0.01, give_up_s=0.15)
KEY = "sk-very-secret"


@pytest.fixture
def play() -> Iterator[Callable[..., FakeServer]]:
    """Starts servers, which end with the test."""
    servers: list[FakeServer] = []

    def start(*parts: Part) -> FakeServer:
        servers.append(FakeServer(*parts))
        return servers[-1]

    yield start
    for server in servers:
        server.end()


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert "openai" not in {thread.name for thread in threading.enumerate()}


def make(*urls: str, **more: Any) -> OpenAIGenerator:
    return OpenAIGenerator(urls, "a-model", **{"pace": QUICK, "timeout_s": 2.0, **more})


def requests(count: int, first_seed: int = 1) -> deque[Request]:
    return deque(Request(f"prompt {n}", n) for n in range(first_seed, first_seed + count))


def write(generator: OpenAIGenerator, count: int) -> dict[int, Candidate]:
    """Candidates by seed."""
    with closing(generator.write(requests(count), Sampling())) as written:
        found = {request.seed: candidate for request, candidate in written}
    assert all(seed == candidate.seed for seed, candidate in found.items())
    return found


def test_each_candidate_is_one_request_with_its_seed(play: Any) -> None:
    server = play()
    found = write(make(server.url + "/", api_key=KEY), 5)
    assert {seed: each.text for seed, each in found.items()} == {
        seed: f"Subject: {seed}\nPreview: fine" for seed in range(1, 6)
    }
    assert all(each.complete and each.tokens == 7 and not each.logprob for each in found.values())
    paths, bodies, headers, _ = zip(*server.asked, strict=True)
    assert set(paths) == {"/v1/chat/completions"}
    assert {each["Authorization"] for each in headers} == {f"Bearer {KEY}"}
    assert sorted(bodies, key=lambda body: body["seed"]) == [
        {
            "model": "a-model",
            "messages": [{"role": "user", "content": f"prompt {seed}"}],
            "temperature": 0.6,
            "max_tokens": 80,
            "seed": seed,
        }
        for seed in range(1, 6)
    ]


def test_no_more_requests_run_than_are_allowed_and_no_fewer(play: Any) -> None:
    barrier = threading.Barrier(3)
    server = play(*[meets(barrier)] * 9)
    assert len(write(make(server.url, concurrency=3), 9)) == 9
    assert server.most == 3


def test_requests_are_taken_between_two_candidates_alone(play: Any) -> None:
    class Watched(deque[Request]):
        def popleft(self) -> Request:
            assert threading.current_thread() is threading.main_thread()
            return super().popleft()

    server = play()
    queue = Watched(requests(2))
    seeds = []
    for request, _ in make(server.url, concurrency=1).write(queue, Sampling()):
        seeds.append(request.seed)
        if len(seeds) == 2:
            queue.append(Request("one more", 99))
    assert seeds == [1, 2, 99]


def test_a_text_that_ran_over_or_is_hopeless_is_not_complete(play: Any) -> None:
    server = play(gives(200, completion("Subject: and on", "length")), writes)
    queue = deque([Request("p", 1), Request("p", 2, hopeless=lambda text: "fine" in text)])
    written = list(make(server.url, concurrency=1).write(queue, Sampling()))
    assert [candidate.complete for _, candidate in written] == [False, False]
    assert written[0][1].tokens == 0  # This answer has no usage.


def test_likelihood_is_unknown() -> None:
    assert make("http://127.0.0.1:9/v1").likelihood("prompt", ["one", "two"]) == [0.0, 0.0]


@pytest.mark.parametrize("part", [gives(500), gives(503, b"<p>later</p>"), breaks_off])
def test_a_failure_is_tried_again(play: Any, part: Part) -> None:
    server = play(part, part, writes)
    assert write(make(server.url), 1)[1].complete
    assert [body["seed"] for _, body, *_ in server.asked] == [1, 1, 1]


def test_a_request_that_always_fails_is_given_up_while_others_work(play: Any) -> None:
    def fails_at_one(handler: Handler, body: dict[str, Any]) -> None:
        gives(500)(handler, body) if body["seed"] == 1 else writes(handler, body)

    server = play(*[fails_at_one] * 1000)
    with pytest.raises(GenerationFailed, match="HTTP 500"):
        write(make(server.url, concurrency=2), 60)
    assert sum(body["seed"] == 1 for _, body, *_ in server.asked) == QUICK.tries


def test_servers_that_fail_for_long_are_given_up(play: Any) -> None:
    one, other = play(*[gives(500)] * 1000), play(*[gives(502)] * 1000)
    pace = Pace(tries=1000, first_wait_s=0.01, longest_wait_s=0.04, give_up_s=0.2)
    began = time.monotonic()
    with pytest.raises(GenerationFailed, match=r"HTTP 50\d"):
        write(make(one.url, other.url, pace=pace), 2)
    assert 0.2 <= time.monotonic() - began < 2


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_says_when_is_not_asked_before(play: Any, status: int) -> None:
    server = play(gives(status, Retry_After="1"))
    assert len(write(make(server.url, concurrency=1), 3)) == 3
    first, second = (moment for *_, moment in server.asked[:2])
    assert second - first >= 1


def test_a_server_that_asks_for_more_patience_than_there_is_ends_it(play: Any) -> None:
    server = play(gives(429, Retry_After=formatdate(time.time() + 3600, usegmt=True)))
    with pytest.raises(GenerationFailed, match=r"left alone for 3[56]\d\d s"):
        write(make(server.url), 1)
    assert len(server.asked) == 1


def test_a_server_that_is_always_busy_ends_it(play: Any) -> None:
    server = play(*[gives(429)] * 1000)
    with pytest.raises(GenerationFailed, match=r"too much to do .*COPYGEN_OPENAI_CONC"):
        write(make(server.url, timeout_s=0.3, pace=Pace(first_wait_s=0.001)), 1)
    assert len(server.asked) > Pace().tries


def test_a_busy_server_that_still_answers_is_no_failure(play: Any) -> None:
    server = play(*[gives(429), gives(429), writes] * 10)
    assert len(write(make(server.url, concurrency=2), 10)) == 10


@pytest.mark.parametrize(
    ("part", "told"),
    [
        (gives(200, b"<html>Hello</html>", Content_Type="text/html"), r"\(text/html\).*/v1"),
        (gives(200, b'{"choices": [{"mess'), "not as an OpenAI-compatible server"),
        (gives(200, b'["subject"]'), "not as an OpenAI-compatible server"),
        (gives(200, b'{"choices": []}'), "not as an OpenAI-compatible server"),
        (gives(200, b'{"error": "no"}'), "not as an OpenAI-compatible server"),
        (floods, "not as an OpenAI-compatible server"),
        (gives(200, completion(None)), "without a text.*thinks before it writes"),
        (gives(200, completion("", "length")), "without a text.*thinks before it writes"),
        (gives(500), r"failed \(HTTP 500\)"),
        (hangs, "did not answer within 0.1 s.*COPYGEN_OPENAI_TIMEOUT"),
        (breaks_off, "broke off its answer"),
        (gives(400, b'{"message": "maximum context length is 9"}'), "Shorten the brief"),
        (gives(413), "Shorten the brief"),
        (gives(400, b'{"message": "Pinned to b-model"}'), "COPYGEN_OPENAI_MODEL is 'a-model'"),
    ],
)
def test_a_server_that_gives_nothing_usable_ends_it_with_one_clear_message(
    play: Any, part: Part, told: str
) -> None:
    server = play(*[part] * 100)
    began = time.monotonic()
    with pytest.raises(GenerationFailed, match=f"(?s){server.url}.*{told}"):
        write(make(server.url, timeout_s=0.1), 2)
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("status", "field"),
    [
        (401, "COPYGEN_OPENAI_API_KEY"),
        (403, "COPYGEN_OPENAI_API_KEY"),
        (404, "COPYGEN_OPENAI_MODEL"),
        (405, "COPYGEN_OPENAI_BASE_URL"),
        (301, "COPYGEN_OPENAI_BASE_URL"),
    ],
)
def test_a_wrong_setting_is_named_and_not_tried_again(play: Any, status: int, field: str) -> None:
    server = play(gives(status))
    with pytest.raises(InvalidInput, match=f"{server.url}.*HTTP {status}.*{field}"):
        write(make(server.url), 1)
    assert len(server.asked) == 1


def test_a_server_that_is_not_there_is_named(play: Any) -> None:
    server = play()
    server.end()
    with pytest.raises(GenerationFailed, match=f"{server.url} can't be reached") as caught:
        write(make(server.url.replace("//", "//ann:hidden@")), 3)
    assert "hidden" not in str(caught.value)


def test_what_was_written_before_a_server_died_stays(play: Any) -> None:
    server = play(writes, writes, writes, *[breaks_off] * 100)
    seeds = []

    def consume() -> None:
        for request, _ in make(server.url, concurrency=2).write(requests(8), Sampling()):
            seeds.append(request.seed)

    with pytest.raises(GenerationFailed, match="broke off its answer"):
        consume()
    assert len(seeds) == 3


def test_what_came_in_beside_a_failure_is_given_first(play: Any) -> None:
    def refuses_last(handler: Handler, _: dict[str, Any]) -> None:
        until(lambda: len(server.asked) == 8 and len(server.running) == 1)
        handler.answer(401, b"{}")

    server = play(refuses_last)
    seeds = []

    def consume() -> None:
        for request, _ in make(server.url, concurrency=8).write(requests(8), Sampling()):
            seeds.append(request.seed)
            until(lambda: not server.running)
            time.sleep(0.05)  # From there to here.

    with pytest.raises(InvalidInput):
        consume()
    assert len(seeds) == 7


def test_several_servers_share_the_load(play: Any) -> None:
    barrier = threading.Barrier(4)
    one, other = play(*[meets(barrier)] * 9), play(*[meets(barrier)] * 9)
    assert len(write(make(one.url, other.url, concurrency=4), 16)) == 16
    assert len(one.asked) + len(other.asked) == 16
    assert abs(len(one.asked) - len(other.asked)) <= 2
    assert one.most == other.most == 2


def test_one_that_dies_is_left_to_itself_while_another_works(play: Any) -> None:
    dying = play(writes, writes, *[breaks_off] * 100)
    sound = play()
    pace = Pace(first_wait_s=0.01, aside_s=60, longest_wait_s=60)
    assert len(write(make(dying.url, sound.url, concurrency=1, pace=pace), 20)) == 20
    assert len(dying.asked) == 2 + pace.failures


def test_one_that_comes_back_is_used_again(play: Any) -> None:
    back = play(*[gives(500)] * QUICK.failures)
    other = play(*[lambda handler, body: (time.sleep(0.01), writes(handler, body))[0]] * 30)
    assert len(write(make(back.url, other.url, concurrency=1), 30)) == 30
    assert len(back.asked) > QUICK.failures + 5


def test_closing_early_ends_requests_and_connections(play: Any) -> None:
    server = play(writes, *[hangs] * 100)
    queue = requests(10)
    written = make(server.url, concurrency=3, timeout_s=60).write(queue, Sampling())
    next(written)
    began = time.monotonic()
    written.close()
    assert time.monotonic() - began < 1
    assert len(queue) == 7


def test_a_consumer_that_fails_leaves_nothing_behind(play: Any) -> None:
    server = play(writes, *[hangs] * 100)

    def consume() -> None:
        for _ in make(server.url, concurrency=3, timeout_s=60).write(requests(10), Sampling()):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        consume()


def test_a_failure_ends_the_requests_beside_it(play: Any) -> None:
    server = play(hangs, hangs, gives(401))
    began = time.monotonic()
    with pytest.raises(InvalidInput):
        write(make(server.url, concurrency=3, timeout_s=60), 5)
    assert time.monotonic() - began < 2


def test_the_key_is_nowhere_but_in_the_request(
    play: Any, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    echo = gives(401, json.dumps({"error": f"Incorrect API key: {KEY}"}).encode())
    server = play(writes, echo)
    url = server.url.replace("//", "//ann:hidden@")
    generator = make(url, api_key=KEY)
    with caplog.at_level(logging.DEBUG), pytest.raises(InvalidInput) as caught:
        write(generator, 2)
    told = [str(caught.value), caplog.text, repr(generator), str(generator.identity.record())]
    for text in [*told, *capsys.readouterr()]:
        assert KEY not in text
        assert "hidden" not in text


def test_credentials_in_the_url_are_sent(play: Any) -> None:
    server = play()
    write(make(server.url.replace("//", "//ann:hidden@")), 1)
    assert server.asked[0][2]["Authorization"] == "Basic YW5uOmhpZGRlbg=="


def test_text_goes_to_the_configured_host_alone(play: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    other = play()
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, other.url.removesuffix("/v1"))
    server = play(gives(307, Location=f"{other.url}/chat/completions"))
    with pytest.raises(InvalidInput, match="sends elsewhere"):
        write(make(server.url), 1)
    assert len(server.asked) == 1
    assert other.asked == []


def test_the_settings_make_it(play: Any) -> None:
    server = play()
    writer = make_writer(
        Settings(
            generator="openai", openai_base_url=f"{server.url}, {server.url}/", model="a-model",
            openai_api_key=KEY,
        )
    )  # fmt: skip
    identity = writer.generator.identity
    assert (identity.generator, identity.model) == ("openai", "a-model")
    assert identity.device == f"{server.url}, {server.url}"
    assert identity.prompt == "chat"
    ((_, candidate),) = writer.generator.write(requests(1), writer.sampling)
    assert candidate.complete
    assert server.asked[0][2]["Authorization"] == f"Bearer {KEY}"
    assert writer.sampling.top_k == 0

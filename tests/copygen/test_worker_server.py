"""The worker over a server that writes, and that dies half-way."""

import itertools
import threading
import time
from typing import Any

import pytest

from copygen.generation.openai import OpenAIGenerator
from copygen.generation.servers import Pace
from copygen.models import BatchState
from copygen.resources import data_folder
from copygen.services import batches
from copygen.services.writing import CANDIDATES_PER_VARIANT, Writer
from copygen.settings import Settings
from copygen.worker import Worker
from guardrails import Guardrails, Policy
from guardrails.policy import PolicyFile
from tests.model_server import FakeServer, Handler, Part, breaks_off, completion

DEADLINE_S = 30
PACE = Pace(first_wait_s=0.01, longest_wait_s=0.04, aside_s=0.01, give_up_s=0.2)


def dies_after(first: str, count: int, texts: list[str]) -> Part:
    """Writes one of `texts`, by seed, `count` times for the segment `first`, and then dies."""
    written = itertools.count(1)
    over = threading.Event()

    def part(handler: Handler, body: dict[str, Any]) -> None:
        if first in body["messages"][0]["content"]:
            handler.answer(200, completion(texts[body["seed"] % len(texts)]))
            if next(written) == count:
                over.set()
        else:
            assert over.wait(DEADLINE_S)
            breaks_off(handler, body)

    return part


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_server_that_dies_half_way_ends_the_batch_and_what_is_stored_stays(
    desk: Any, settings: Settings, texts: list[str], concurrency: int
) -> None:
    segments = [desk.segment(name) for name in ("first", "second", "third")]
    wanted = 2
    part = dies_after("people of first", wanted * CANDIDATES_PER_VARIANT, texts)
    server = FakeServer(*[part] * 1000)
    generator = OpenAIGenerator(
        [server.url], "a-model", concurrency=concurrency, timeout_s=10, pace=PACE
    )
    policy = Policy(PolicyFile(name="test", version=1, checks={}), "0" * 64)
    guardrails = Guardrails(policy, checks=[])
    batch_id = desk.request(desk.brief(segments=segments, variants=wanted))
    with Worker(
        desk.database, settings, lambda: Writer(generator, guardrails, data_folder("prompts"))
    ):
        status = until_finished(desk, batch_id)
    server.end()
    assert status.state == BatchState.FAILED
    assert server.url in (status.error or "")
    assert "broke off its answer" in (status.error or "")
    assert [each.stored for each in status.segments] == [wanted, 0, 0]
    assert desk.count("variant") == wanted
    assert "openai" not in {thread.name for thread in threading.enumerate()}


def until_finished(desk: Any, batch_id: str) -> batches.Progress:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        with desk.database.read() as session:
            found = batches.progress(session, batch_id)
        if found.state not in (BatchState.QUEUED, BatchState.RUNNING):
            return found
        time.sleep(0.05)
    raise AssertionError(f"the batch is still {found.state}")

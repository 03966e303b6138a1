"""Which server is asked next, and which is left aside. The clock is the test's own."""

from typing import Any

import pytest

from copygen.generation.servers import Pace, Server, Servers, Unanswered

A, B = "http://a:8000/v1", "http://b:8000/v1"


class Clock:
    """Stands still until it is put on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def take(servers: Servers, last: Server | None = None) -> Server:
    """A server, which there must be."""
    server = servers.take(last)
    assert server is not None
    return server


def fail(servers: Servers, server: Server, **more: Any) -> None:
    with pytest.raises(Unanswered), servers.asking(server):
        raise Unanswered("It failed.", **more)


def answer(servers: Servers, server: Server) -> None:
    with servers.asking(server):
        pass


def test_the_least_busy_is_asked(clock: Clock) -> None:
    servers = Servers([A, B], Pace(), clock)
    first, second, third = take(servers), take(servers), take(servers)
    assert [first.url, second.url, third.url] == [A, B, A]
    answer(servers, first)
    answer(servers, third)
    assert take(servers).url == A


def test_idle_ones_take_turns(clock: Clock) -> None:
    servers = Servers([A, B], Pace(), clock)
    asked = []
    for _ in range(4):
        server = take(servers)
        asked.append(server.url)
        answer(servers, server)
    assert asked == [A, B, A, B]


def test_a_request_that_failed_goes_to_another_one(clock: Clock) -> None:
    servers = Servers([A, B], Pace(), clock)
    server = take(servers)
    fail(servers, server)
    other = take(servers, server)
    assert other.url == B
    # Although it is the busier one.
    assert take(servers, server).url == B


def test_one_that_keeps_failing_is_left_aside_for_longer_and_longer(clock: Clock) -> None:
    servers = Servers([A], Pace(), clock)
    for _ in range(3):
        fail(servers, take(servers))
    waits = []
    for _ in range(7):
        assert servers.take() is None
        waits.append(servers.free_in_s())
        clock.now += waits[-1]
        fail(servers, take(servers))
    assert waits == [0.5, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0]


def test_after_that_it_gets_one_request_until_it_answers(clock: Clock) -> None:
    servers = Servers([A], Pace(), clock)
    for _ in range(3):
        fail(servers, take(servers))
    clock.now += servers.free_in_s()
    trial = take(servers)
    assert servers.take() is None
    answer(servers, trial)
    assert take(servers) is take(servers) is trial


def test_others_work_meanwhile(clock: Clock) -> None:
    servers = Servers([A, B], Pace(), clock)
    broken = take(servers)
    fail(servers, broken)
    for _ in range(2):
        broken.busy += 1
        fail(servers, broken)
    assert [take(servers).url for _ in range(4)] == [B, B, B, B]
    assert not servers.down()


def test_failures_between_answers_do_not_add_up(clock: Clock) -> None:
    servers = Servers([A], Pace(), clock)
    for _ in range(5):
        fail(servers, take(servers))
        fail(servers, take(servers))
        answer(servers, take(servers))
    assert servers.take() is not None


def test_one_that_asks_to_be_left_alone_is_left_alone_even_after_an_answer(clock: Clock) -> None:
    servers = Servers([A], Pace(), clock)
    other = take(servers)
    fail(servers, take(servers), wait_s=7.0, busy=True)
    answer(servers, other)
    assert servers.take() is None
    assert servers.free_in_s() == 7.0
    clock.now += 7.0
    assert take(servers) is take(servers)


def test_all_are_down_once_each_has_failed_for_long(clock: Clock) -> None:
    servers = Servers([A, B], Pace(give_up_s=15), clock)
    first, second = take(servers), take(servers)
    fail(servers, first)
    clock.now += 15
    assert not servers.down()
    fail(servers, second)
    assert not servers.down()
    clock.now += 15
    assert servers.down()
    answer(servers, take(servers))
    assert not servers.down()


def test_failures_of_long_ago_say_nothing_of_now(clock: Clock) -> None:
    servers = Servers([A], Pace(give_up_s=15), clock)
    fail(servers, take(servers))
    clock.now += 3600
    fail(servers, take(servers))
    assert not servers.down()
    assert servers.take() is not None


def test_a_long_wait_for_an_answer_is_no_silence_between_failures(clock: Clock) -> None:
    servers = Servers([A], Pace(give_up_s=15), clock)
    for _ in range(2):
        asking = servers.asking(take(servers))
        asking.__enter__()
        clock.now += 60
        hung = Unanswered("It hung.")
        assert not asking.__exit__(Unanswered, hung, None)
    assert servers.down()


def test_a_busy_server_has_not_failed(clock: Clock) -> None:
    servers = Servers([A], Pace(), clock)
    for _ in range(10):
        fail(servers, take(servers), busy=True)
    clock.now += 100
    assert not servers.down()
    assert servers.take() is not None
    assert servers.silent_s(since=0) == 100
    answer(servers, take(servers))
    assert servers.silent_s(since=0) == 0


def test_waits_double_up_to_a_limit_and_differ() -> None:
    pace = Pace(first_wait_s=0.5, longest_wait_s=10)
    for failed, longest in [(1, 0.5), (2, 1.0), (4, 4.0), (9, 10.0)]:
        waits = {pace.wait_s(failed) for _ in range(20)}
        assert len(waits) > 1
        assert all(longest / 2 <= each <= longest for each in waits)


def test_credentials_are_no_part_of_the_url() -> None:
    servers = Servers(["http://ann:s%40cret@a:8000/v1/"], Pace())
    assert servers.urls == [A]
    server = take(servers)
    assert server.credentials == ("ann", "s@cret")
    assert "cret" not in repr(server)

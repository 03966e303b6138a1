"""Requesting batches, and storing what was written for them."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlmodel import select

from copygen.errors import Conflict, Forbidden, InvalidInput, NotFound, OutOfSpace
from copygen.models import BatchState, Finding, RenderedPrompt, Variant, text_sha256
from copygen.services import batches, brands
from copygen.services.batches import SEEDS_PER_SEGMENT
from copygen.services.writing import MAX_SEED, Written


def request(desk: Any, **options: Any) -> str:
    """Request a batch through the service; its id."""
    values = {"user": desk.people.marketer, "brief": desk.brief(), "brand": desk.brand()} | options
    with desk.database.write() as session:
        return batches.request(session, **values).id


def progress(desk: Any, batch_id: str) -> batches.Progress:
    with desk.database.read() as session:
        return batches.progress(session, batch_id)


@pytest.fixture
def wide(desk: Any) -> Any:
    """A brief of three segments."""
    return desk.brief(segments=[desk.segment(name) for name in ("first", "second", "third")])


def test_a_request_makes_all_slots_at_once(desk: Any, wide: Any) -> None:
    status = progress(desk, request(desk, brief=wide))
    assert status.state == BatchState.QUEUED
    assert [(each.name, each.wanted, each.stored) for each in status.segments] == [
        ("first", 2, 0),
        ("second", 2, 0),
        ("third", 2, 0),
    ]
    assert desk.count("slot") == 6


def test_a_repeat_with_the_same_key_is_the_same_batch(desk: Any) -> None:
    first = request(desk, idempotency_key="k")
    assert request(desk, idempotency_key="k") == first
    assert desk.count("batch") == 1
    assert desk.count("brief") == 1


def test_repeats_at_the_same_moment_are_the_same_batch(desk: Any) -> None:
    together = Barrier(4)

    def repeat(_: int) -> str:
        together.wait(10)
        return request(desk, idempotency_key="k")

    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(repeat, range(4)))) == 1
    assert desk.count("batch") == 1


def test_without_a_key_each_request_is_a_batch(desk: Any) -> None:
    assert request(desk) != request(desk)


def test_another_request_with_the_same_key_is_refused(desk: Any) -> None:
    request(desk, idempotency_key="k")
    with pytest.raises(Conflict, match="Idempotency-Key"):
        request(desk, idempotency_key="k", brief=desk.brief(cta="Buy now"))
    with pytest.raises(Conflict, match="Idempotency-Key"):
        request(desk, idempotency_key="k", brand=desk.brand(voice="Loud."))
    assert desk.count("batch") == 1


def test_the_same_key_of_somebody_else_is_another_one(desk: Any) -> None:
    first = request(desk, idempotency_key="k")
    assert request(desk, idempotency_key="k", user=desk.people.admin) != first


def test_a_repeat_is_known_after_the_batch_is_done(desk: Any, writer_of: Any) -> None:
    first = request(desk, idempotency_key="k")
    desk.write(first, writer_of())
    assert request(desk, idempotency_key="k") == first


def test_an_unknown_brand_is_named(desk: Any) -> None:
    with pytest.raises(NotFound, match="'harrow-and-pine'"):
        request(desk, brand=None)
    assert desk.count("batch") == 0


def test_a_brand_is_known_once_it_was_sent(desk: Any) -> None:
    request(desk)
    assert request(desk, brand=None)


def test_another_brand_than_the_briefs_is_refused(desk: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        request(desk, brand=desk.brand(slug="carrow-point"))
    assert caught.value.field == "brand"
    assert desk.count("brand") == 0


def test_a_batch_keeps_the_brand_as_it_was(desk: Any) -> None:
    batch_id = request(desk)
    request(desk, brand=desk.brand(voice="Loud."))
    assert desk.work(batch_id).brand == desk.brand()
    with desk.database.read() as session:
        assert brands.get(session, "harrow-and-pine").voice == "Loud."


def test_an_auditor_requests_nothing(desk: Any) -> None:
    with pytest.raises(Forbidden):
        request(desk, user=desk.people.auditor)
    assert desk.count("batch") == 0


def test_progress_counts_what_is_stored(desk: Any, writer_of: Any, wide: Any) -> None:
    batch_id = request(desk, brief=wide)
    first, second, third = desk.work(batch_id).jobs
    assert desk.write_segments(batch_id, writer_of(), "second") == [2]
    status = progress(desk, batch_id)
    assert status.state == BatchState.RUNNING
    assert [each.stored for each in status.segments] == [0, 2, 0]
    assert [each.state for each in status.segments] == ["queued", "done", "queued"]
    assert desk.work(batch_id).jobs == [first, third]
    with desk.database.write() as session:
        assert batches.begin_segment(session, first.id)
        assert batches.begin_segment(session, second.id)
    states = [each.state for each in progress(desk, batch_id).segments]
    assert states == ["running", "done", "queued"]
    assert desk.work(batch_id).jobs == [first, third]


def test_progress_of_nothing_is_told_so(desk: Any) -> None:
    with pytest.raises(NotFound, match="'x'"):
        progress(desk, "x")


def test_a_finished_batch_is_done(desk: Any, writer_of: Any, wide: Any) -> None:
    batch_id = request(desk, brief=wide)
    desk.write(batch_id, writer_of())
    status = progress(desk, batch_id)
    assert (status.state, status.error) == (BatchState.DONE, None)
    assert {each.state for each in status.segments} == {BatchState.DONE}
    assert desk.work(batch_id).jobs == []
    with desk.database.read() as session:
        assert batches.open_batches(session) == []


def test_a_failing_segment_keeps_the_slots_that_are_filled(
    desk: Any, writer_of: Any, wide: Any
) -> None:
    batch_id = request(desk, brief=wide)
    second = desk.work(batch_id).jobs[1]
    desk.write_segments(batch_id, writer_of(), "first")
    with desk.database.write() as session:
        assert batches.begin_segment(session, second.id)
        batches.finish(session, batch_id, "The model broke off.")
    status = progress(desk, batch_id)
    assert (status.state, status.error) == (BatchState.FAILED, "The model broke off.")
    assert [each.state for each in status.segments] == ["done", "failed", "failed"]
    assert [each.stored for each in status.segments] == [2, 0, 0]
    assert [each.state for each in desk.variants(batch_id)] == ["pending", "pending"]
    assert desk.work(batch_id).jobs == []
    with desk.database.write() as session:
        assert not batches.begin_segment(session, second.id)


def test_a_batch_ends_once(desk: Any, writer_of: Any) -> None:
    batch_id = request(desk)
    desk.write(batch_id, writer_of())
    with desk.database.write() as session:
        batches.finish(session, batch_id, "Too late.")
    assert progress(desk, batch_id).state == BatchState.DONE


def test_what_is_stored_twice_is_there_once(desk: Any, writer_of: Any) -> None:
    batch_id = request(desk)
    # Two workers took up the same segment: the second comes when the first is through.
    work = desk.work(batch_id)
    ((job, written),) = writer_of().write(work.brand, work.brief, work.jobs, work.seed)
    stored = []
    for _ in range(2):
        with desk.database.write() as session:
            assert batches.begin_segment(session, job.id)
            stored.append(batches.store(session, work.brief, job, written))
    assert stored == [2, 0]
    assert desk.count("variant") == 2


def test_nothing_is_stored_of_a_cancelled_batch(desk: Any, writer_of: Any, wide: Any) -> None:
    batch_id = request(desk, brief=wide)
    work = desk.work(batch_id)
    ((job, written),) = writer_of().write(work.brand, work.brief, work.jobs[:1], work.seed)
    with desk.database.write() as session:
        assert batches.begin_segment(session, job.id)
    desk.sql("UPDATE batch SET state = 'cancelled'")
    with desk.database.write() as session:
        assert batches.store(session, work.brief, job, written) == 0
        assert not batches.begin_segment(session, work.jobs[1].id)
    assert desk.work(batch_id).jobs == []
    assert [each.state for each in progress(desk, batch_id).segments][1:] == ["queued", "queued"]


def test_fewer_variants_than_slots_leave_slots_empty(desk: Any, writer_of: Any) -> None:
    batch_id = request(desk, brief=desk.brief(variants=4))
    desk.write(batch_id, writer_of(["Wool is back\nSix colours.", "Made slowly\nAt an old mill."]))
    status = progress(desk, batch_id)
    assert status.state == BatchState.DONE
    assert (status.segments[0].wanted, status.segments[0].stored) == (4, 2)
    with desk.database.read() as session:
        assert [each["slot"] for each in batches.results(session, batch_id)] == [1, 2]


def test_a_stored_variant_has_all_that_was_said_of_it(
    desk: Any, writer_of: Any, word_check: Any
) -> None:
    texts = ["Wool is back\nSix undyed colours."]
    (variant,) = desk.fill(
        desk.brief(variants=1), writer=writer_of(texts, [word_check("undyed", "review")])
    )
    assert (variant.subject, variant.preview) == ("Wool is back", "Six undyed colours.")
    assert variant.sha256 == text_sha256("Wool is back", "Six undyed colours.")
    assert (variant.verdict, variant.state) == ("review", "pending")
    assert variant.report["outcomes"] == {"text": "passed", "word_review": "found"}
    with desk.database.read() as session:
        (finding,) = session.exec(select(Finding))
    assert (finding.variant_id, finding.check, finding.rule) == (variant.id, "word_review", "word")
    assert (finding.field, finding.start, finding.end) == ("preview", 4, 10)


def test_a_blocked_variant_is_stored_as_blocked(desk: Any, writer_of: Any, word_check: Any) -> None:
    texts = ["Wool is back\nSix undyed colours."]
    (variant,) = desk.fill(
        desk.brief(variants=1), writer=writer_of(texts, [word_check("undyed", "block")])
    )
    assert (variant.verdict, variant.state) == ("block", "blocked")


def test_segments_of_one_batch_share_no_seed(desk: Any, writer_of: Any, wide: Any) -> None:
    batch_id = request(desk, brief=wide, seed=MAX_SEED - 3)
    jobs = desk.work(batch_id).jobs
    desk.write(batch_id, writer_of())
    seeds = [each.provenance["seed"] for each in desk.variants(batch_id)]
    firsts = [job.seed for job in jobs]
    assert len(set(firsts)) == 3
    for one, other in itertools.combinations(firsts, 2):
        assert abs(one - other) > SEEDS_PER_SEGMENT / 2
    assert len(set(seeds)) == 6
    for seed in seeds:
        assert sum((seed - first) % MAX_SEED < 100 for first in firsts) == 1


def test_the_same_seed_gives_the_same_copy(desk: Any, writer_of: Any) -> None:
    first, second = request(desk, seed=7), request(desk, seed=7)
    for batch_id in (first, second):
        desk.write(batch_id, writer_of())
    assert [each.sha256 for each in desk.variants(first)] == [
        each.sha256 for each in desk.variants(second)
    ]


def test_a_source_gives_all_that_a_variant_was_written_from(desk: Any) -> None:
    variant = desk.fill()[0]
    with desk.database.read() as session:
        source = batches.source(session, variant.id)
        assert source.sha256 == variant.sha256
        assert source.provenance == variant.provenance
        digest = variant.provenance["prompt"]["rendered_sha256"]
        assert source.prompt_text == session.get_one(RenderedPrompt, digest).text
        with pytest.raises(NotFound):
            batches.source(session, "x")


def _store_and_fail(session: Any, work: batches.Work, written: Written) -> None:
    batches.store(session, work.brief, work.jobs[0], written)
    raise OutOfSpace("The disk is full.")


def test_a_full_disk_leaves_no_part_of_a_segment(desk: Any, writer_of: Any) -> None:
    batch_id = request(desk)
    work = desk.work(batch_id)
    ((job, written),) = writer_of().write(work.brand, work.brief, work.jobs, work.seed)
    with desk.database.write() as session:
        assert batches.begin_segment(session, job.id)
    with pytest.raises(OutOfSpace), desk.database.write() as session:
        _store_and_fail(session, work, written)
    with desk.database.read() as session:
        assert session.exec(select(Variant)).all() == []
    assert progress(desk, batch_id).segments[0].state == BatchState.RUNNING
    assert desk.write_segments(batch_id, writer_of()) == [2]

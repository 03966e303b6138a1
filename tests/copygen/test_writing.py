"""Writing segments: how many candidates, which of them stay, and what is recorded."""

import random
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from copygen.errors import GenerationFailed, InvalidInput
from copygen.generation.generator import Candidate, Identity, Request, Sampling
from copygen.generation.scripted import ScriptedGenerator
from copygen.models import text_sha256
from copygen.services.writing import (
    CANDIDATES_PER_VARIANT,
    MAX_CANDIDATES_PER_VARIANT,
    MAX_SEED,
    Job,
    Source,
    Writer,
    Written,
    rewrite,
    text_hash,
)
from guardrails.types import Result

ONE = "Wool is back\nSix undyed colours."


def jobs_of(brief: Any, seed: int = 0) -> list[Job]:
    """A job for each segment of a brief, their seeds far apart."""
    return [
        Job(segment.name, segment, (seed + 1000 * place) % MAX_SEED)
        for place, segment in enumerate(brief.segments)
    ]


def write(desk: Any, writer: Writer, seed: int = 0, progress: Any = None, **brief: Any) -> Written:
    """Write a brief of one segment."""
    made = desk.brief(**brief)
    ((_, written),) = writer.write(desk.brand(), made, jobs_of(made, seed), seed, progress)
    return written


def asked(writer: Writer) -> list[str]:
    """The prompt of each candidate that the model was asked for."""
    assert isinstance(writer.generator, ScriptedGenerator)
    return writer.generator.prompts


class Shuffling(ScriptedGenerator):
    """Has some places, and finishes what stands in them in any order."""

    def __init__(self, texts: Any, places: int, order: int) -> None:
        super().__init__(texts)
        self._places = places
        self._random = random.Random(order)  # noqa: S311

    def write(
        self, requests: deque[Request], sampling: Sampling
    ) -> Iterator[tuple[Request, Candidate]]:
        running: list[tuple[Request, Candidate]] = []
        while requests or running:
            while requests and len(running) < self._places:
                running += super().write(deque([requests.popleft()]), sampling)
            yield running.pop(self._random.randrange(len(running)))


@pytest.mark.parametrize("variants", [1, 2, 4, 8])
def test_more_candidates_are_written_than_wanted(desk: Any, writer_of: Any, variants: int) -> None:
    writer = writer_of()
    written = write(desk, writer, variants=variants)
    assert len(written.variants) == variants
    assert written.candidates == variants * CANDIDATES_PER_VARIANT == len(asked(writer))


def test_writing_goes_on_while_variants_are_missing_and_ends_at_its_limit(
    desk: Any, writer_of: Any
) -> None:
    writer = writer_of([ONE])
    written = write(desk, writer, variants=3)
    assert len(written.variants) == 1
    assert written.candidates == 3 * MAX_CANDIDATES_PER_VARIANT == len(asked(writer))


def test_writing_goes_on_for_what_is_missing_alone(
    desk: Any, writer_of: Any, texts: list[str]
) -> None:
    planned = 3 * CANDIDATES_PER_VARIANT
    script = [ONE] * (planned - 1) + [texts[1]] + [texts[2]] * 400
    written = write(desk, writer_of(script), variants=3)
    assert len(written.variants) == 3
    assert written.candidates == planned + CANDIDATES_PER_VARIANT


def test_progress_counts_up_to_what_is_planned(desk: Any, writer_of: Any, texts: list[str]) -> None:
    told: list[tuple[str, int, int]] = []

    def progress(job: Job, done: int, planned: int) -> None:
        told.append((job.id, done, planned))

    planned, more = 2 * CANDIDATES_PER_VARIANT, CANDIDATES_PER_VARIANT
    write(desk, writer_of([ONE] * planned + [texts[1]] * 400), progress=progress)
    assert told == [
        *(("new-subscribers", done, planned) for done in range(1, planned + 1)),
        *(("new-subscribers", planned + done, planned + more) for done in range(1, more + 1)),
    ]


def test_malformed_candidates_are_dropped(desk: Any, writer_of: Any) -> None:
    script = ["Only one line", "One\nTwo\nThree", ONE, "", "Same\nsame"]
    written = write(desk, writer_of(script))
    assert [(each.subject, each.preview) for each in written.variants] == [
        ("Wool is back", "Six undyed colours.")
    ]


def test_a_candidate_that_was_cut_off_is_dropped(desk: Any, writer_of: Any) -> None:
    long = "Wool\n" + "and wool " * Sampling().max_tokens
    written = write(desk, writer_of([long, ONE]))
    assert [each.subject for each in written.variants] == ["Wool is back"]


def test_the_same_text_twice_is_checked_and_kept_once(desk: Any, writer_of: Any) -> None:
    class Counting:
        name = "counting"
        seen = 0

        def run(self, items: Any) -> Any:
            self.seen += len(items)
            return [Result() for _ in items]

    check = Counting()
    written = write(desk, writer_of([ONE], [check]))
    assert len(written.variants) == 1
    assert check.seen == 1


def test_where_nothing_is_usable_the_error_says_so(desk: Any, writer_of: Any) -> None:
    writer = writer_of(["Only one line"])
    with pytest.raises(GenerationFailed, match=r"96 candidates.*'new-subscribers'.*Take another"):
        write(desk, writer, variants=4)
    assert len(asked(writer)) == 96


def test_a_model_that_breaks_off_is_passed_on(desk: Any, writer_of: Any) -> None:
    with pytest.raises(GenerationFailed, match="broke off"):
        write(desk, writer_of([ONE, GenerationFailed("The model broke off.")]))


def test_blocked_candidates_fill_the_slots_that_are_left(
    desk: Any, writer_of: Any, word_check: Any, texts: list[str]
) -> None:
    checks = [word_check(word, "block") for word in ("Scotland", "grandparents", "everybody")]
    script = [texts[0], texts[1], texts[2], texts[6]]
    written = write(desk, writer_of(script, checks), variants=3)
    assert [each.report.verdict for each in written.variants] == ["pass", "block", "block"]
    assert len(written.provenance) == 3


def test_where_all_is_blocked_it_is_shown(desk: Any, writer_of: Any, word_check: Any) -> None:
    written = write(desk, writer_of([ONE], [word_check("Wool", "block")]))
    assert [each.report.verdict for each in written.variants] == ["block"]


def test_no_blocked_candidate_takes_the_place_of_a_good_one(
    desk: Any, writer_of: Any, word_check: Any
) -> None:
    written = write(desk, writer_of(checks=[word_check("Scotland", "block")]), variants=7)
    assert {each.report.verdict for each in written.variants} == {"pass"}


def test_a_check_that_crashes_blocks(desk: Any, writer_of: Any) -> None:
    class Broken:
        name = "broken"

        def run(self, items: Any) -> Any:
            raise RuntimeError

    written = write(desk, writer_of([ONE], [Broken()]))
    (each,) = written.variants
    assert each.report.verdict == "block"
    assert each.report.outcomes["broken"] == "not_run"


def test_merge_tags_get_the_segments_fallback(desk: Any, writer_of: Any) -> None:
    segment = desk.segment("first", merge_tags={"first_name": {"fallback": "friend"}})
    writer = writer_of(["{{ first_name }}, wool is back\nSix undyed colours."])
    written = write(desk, writer, segments=[segment])
    assert written.variants[0].subject == '{{ first_name | default: "friend" }}, wool is back'


def test_the_prompt_is_the_one_that_the_model_asks_for(desk: Any, writer_of: Any) -> None:
    written = write(desk, writer_of(prompt="chat"))
    assert written.prompt_text.startswith("You write e-mail subject lines")
    assert written.provenance[0]["prompt"]["name"] == "chat"


def test_provenance_holds_all_that_made_a_variant(desk: Any, writer_of: Any) -> None:
    writer = writer_of()
    written = write(desk, writer, seed=1000, variants=4, segments=[desk.segment("first")])
    for scored, provenance in zip(written.variants, written.provenance, strict=True):
        assert provenance["generator"] == writer.generator.identity.record()
        assert {"model", "weights_sha256", "adapter", "adapter_sha256"} <= set(
            provenance["generator"]
        )
        prompt = provenance["prompt"]
        assert (prompt["name"], prompt["version"]) == ("brief", "1")
        assert len(prompt["sha256"]) == 64
        assert prompt["rendered_sha256"] == text_hash(written.prompt_text)
        assert provenance["sampling"] == {"temperature": 0.6, "top_k": 40, "max_tokens": 80}
        assert provenance["policy"] == {"name": "test", "version": 1, "sha256": "0" * 64}
        assert provenance["seed"] == scored.seed
        assert 0 <= scored.seed - 1000 < written.candidates
        shared = written.prompt_text[: prompt["shared"]]
        assert shared.endswith("\nTo: ")


@pytest.mark.parametrize("seed", [0, 3, 1000, MAX_SEED - 1, MAX_SEED - 20])
def test_a_stored_variant_is_written_again_byte_for_byte(
    desk: Any, writer_of: Any, seed: int
) -> None:
    writer = writer_of()
    written = write(desk, writer, seed=seed, variants=4)
    assert written.variants
    for scored, provenance in zip(written.variants, written.provenance, strict=True):
        digest = text_sha256(scored.subject, scored.preview)
        source = Source(digest, written.prompt_text, {}, provenance)
        parsed = rewrite(writer.generator, source)
        assert parsed == (scored.subject, scored.preview)


def test_other_weights_are_named_in_place_of_another_text(desk: Any, writer_of: Any) -> None:
    written = write(desk, writer_of())
    source = Source("", written.prompt_text, {}, written.provenance[0])

    class Other(ScriptedGenerator):
        @property
        def identity(self) -> Any:
            return replace(super().identity, weights_sha256="1234")

    with pytest.raises(InvalidInput, match="weights_sha256"):
        rewrite(Other([ONE]), source)


def test_what_sounds_like_the_brand_is_drawn_once_for_all_segments(
    desk: Any, writer_of: Any
) -> None:
    lines = [f"Line number {number}." for number in range(40)]
    brand = desk.brand(on_voice=lines)
    brief = desk.brief(segments=[desk.segment("first"), desk.segment("second")])

    def begin(seed: int) -> set[str]:
        """What the prompts of all segments begin with."""
        done = writer_of().write(brand, brief, jobs_of(brief), seed)
        return {
            written.prompt_text[: written.provenance[0]["prompt"]["shared"]] for _, written in done
        }

    (once,) = begin(1)
    assert begin(1) == {once}
    assert begin(2).isdisjoint({once})
    drawn = next(each for each in once.splitlines() if each.startswith("Sounds like: "))
    assert len(set(drawn.removeprefix("Sounds like: ").split(" / "))) == 3


def test_what_is_shared_depends_on_no_other_segment(desk: Any, writer_of: Any) -> None:
    tags = {"merge_tags": {"first_name": {"fallback": "friend"}}}
    segments = [desk.segment(name, **tags) for name in ("first", "firmer")]
    together = desk.brief(segments=segments)
    requests = [
        written.provenance[0]["prompt"]
        for brief in (
            together,
            desk.brief(segments=segments[:1]),
            desk.brief(segments=segments[1:]),
        )
        for _, written in writer_of().write(desk.brand(), brief, jobs_of(brief), 7)
    ]
    assert requests[:2] == requests[2:]


def test_the_prompt_up_to_the_segment_is_what_requests_share(
    desk: Any, writer_of: Any, texts: list[str]
) -> None:
    seen: list[Request] = []

    class Listening(ScriptedGenerator):
        def write(self, requests: Any, sampling: Sampling) -> Any:
            seen.extend(requests)
            return super().write(requests, sampling)

    brief = desk.brief(segments=[desk.segment("first"), desk.segment("second")])
    writer = replace(writer_of(), generator=Listening(texts))
    list(writer.write(desk.brand(), brief, jobs_of(brief), 0))
    count = 2 * CANDIDATES_PER_VARIANT
    assert [each.seed for each in seen] == [*range(count), *range(1000, 1000 + count)]
    assert len({each.prompt for each in seen}) == 2
    (shared,) = {each.prompt[: each.shared] for each in seen}
    assert shared.endswith("\nTo: ")
    assert all(each.hopeless("x" * 60) and not each.hopeless("x" * 40) for each in seen)


@pytest.fixture
def several(desk: Any) -> Any:
    """A brief of three segments."""
    return desk.brief(
        segments=[desk.segment(name) for name in ("first", "second", "third")], variants=4
    )


@pytest.mark.parametrize(("places", "order"), [(1, 0), (7, 1), (32, 2), (32, 3), (100, 4)])
def test_what_a_segment_comes_to_depends_on_no_order(
    desk: Any,
    writer_of: Any,
    word_check: Any,
    texts: list[str],
    several: Any,
    places: int,
    order: int,
) -> None:
    # The first round has too few, and the same texts come again and again.
    script = [*texts[:3], *["One line"] * 11, *texts[:3], *["One line"] * 9, *texts[3:6]]
    writer = writer_of(script, [word_check("Scotland", "block"), word_check("Warm", "review")])
    shuffled = replace(writer, generator=Shuffling(script, places, order))
    expected = {
        job.id: written
        for one in jobs_of(several)
        for job, written in writer.write(desk.brand(), several, [one], 5)
    }
    found = {
        job.id: written
        for job, written in shuffled.write(desk.brand(), several, jobs_of(several), 5)
    }
    assert {each.candidates for each in expected.values()} != {4 * CANDIDATES_PER_VARIANT}
    assert {name: replace(each, seconds=0) for name, each in found.items()} == {
        name: replace(each, seconds=0) for name, each in expected.items()
    }


def test_segments_end_in_their_order_and_the_first_does_not_wait(
    desk: Any, writer_of: Any, several: Any
) -> None:
    writer = writer_of()
    ended = []
    for job, written in writer.write(desk.brand(), several, jobs_of(several), 0):
        ended.append(job.id)
        # No candidate is written before its turn.
        assert len(asked(writer)) == len(ended) * written.candidates
    assert ended == ["first", "second", "third"]


def test_further_candidates_go_before_those_of_the_next_segment(
    desk: Any, writer_of: Any, several: Any
) -> None:
    told: list[str] = []
    writer = writer_of([ONE])
    stream = writer.write(
        desk.brand(), several, jobs_of(several), 0, lambda job, done, planned: told.append(job.id)
    )
    ended = [job.id for job, _ in stream]
    count = 4 * MAX_CANDIDATES_PER_VARIANT
    assert ended == ["first", "second", "third"]
    assert told == [name for name in ended for _ in range(count)]


def test_a_segment_without_a_usable_candidate_leaves_the_ones_before(
    desk: Any, writer_of: Any, texts: list[str], several: Any
) -> None:
    # By seed: the second segment begins at 1000.
    script = [*texts * 125, *["One line"] * 1000]
    stream = writer_of(script).write(desk.brand(), several, jobs_of(several), 0)
    job, _ = next(stream)
    assert job.id == "first"
    with pytest.raises(GenerationFailed, match="'second'"):
        next(stream)


@pytest.mark.parametrize("by", ["closing", "an error"])
def test_the_model_stops_when_nobody_wants_more(
    desk: Any, writer_of: Any, texts: list[str], several: Any, by: str
) -> None:
    closed = []

    class Closing(ScriptedGenerator):
        def write(self, requests: Any, sampling: Sampling) -> Any:
            try:
                yield from super().write(requests, sampling)
            finally:
                closed.append(True)

    def progress(job: Job, done: int, planned: int) -> None:
        if by == "an error" and job.id == "second":
            raise InterruptedError

    writer = replace(writer_of(), generator=Closing(texts))
    stream = writer.write(desk.brand(), several, jobs_of(several), 0, progress)
    next(stream)
    assert not closed
    if by == "closing":
        stream.close()
    else:
        # The traceback holds the stream: it is not closed for want of a reference.
        with pytest.raises(InterruptedError):
            next(stream)
    assert closed


def test_a_text_over_its_limits_is_cut_off(desk: Any, writer_of: Any) -> None:
    long = "Wool is back, and more than fifty characters say so\nSix undyed colours."
    written = write(desk, writer_of([long, ONE]))
    assert [each.subject for each in written.variants] == ["Wool is back"]


def test_a_scripted_generator_gives_its_texts_by_seed() -> None:
    generator = ScriptedGenerator(["a", "b", "c"])
    requests = deque(Request("prompt", seed, key=seed) for seed in (4, 0, 2))
    candidates = list(generator.write(requests, Sampling()))
    assert [(request.key, each.text) for request, each in candidates] == [
        (4, "b"),
        (0, "a"),
        (2, "c"),
    ]
    assert generator.prompts == ["prompt"] * 3
    with pytest.raises(ValueError, match="at least one"):
        ScriptedGenerator([])


def test_the_packaged_adapter_writes_english_alone(desk: Any, writer_of: Any) -> None:
    class Adapted(ScriptedGenerator):
        @property
        def identity(self) -> Identity:
            return replace(super().identity, adapter="some")

    writer = replace(writer_of(), generator=Adapted([ONE]))
    with pytest.raises(InvalidInput, match="language: de"):
        write(desk, writer, language="de")
    assert write(desk, writer, language="en-GB", variants=1).variants

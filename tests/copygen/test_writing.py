"""Writing one segment: how many candidates, which of them stay, and what is recorded."""

from dataclasses import replace
from typing import Any

import pytest

from copygen.errors import GenerationFailed, InvalidInput
from copygen.generation.generator import Identity, Sampling
from copygen.generation.scripted import ScriptedGenerator
from copygen.models import text_sha256
from copygen.services.writing import (
    CANDIDATES_PER_VARIANT,
    MAX_CANDIDATES_PER_VARIANT,
    MAX_SEED,
    ROUND,
    Source,
    Writer,
    Written,
    rewrite,
    text_hash,
)
from guardrails.types import Result

ONE = "Wool is back\nSix undyed colours."


def write(desk: Any, writer: Writer, seed: int = 0, progress: Any = None, **brief: Any) -> Written:
    """Write the first segment of a brief."""
    made = desk.brief(**brief)
    return writer.write(desk.brand(), made, made.segments[0], seed, progress)


def rounds(writer: Writer) -> int:
    """How often the model was asked for candidates."""
    assert isinstance(writer.generator, ScriptedGenerator)
    return len(writer.generator.prompts)


def rounded(count: int) -> int:
    return -(-count // ROUND) * ROUND


@pytest.mark.parametrize("variants", [1, 2, 4, 8])
def test_more_candidates_are_written_than_wanted(desk: Any, writer_of: Any, variants: int) -> None:
    writer = writer_of()
    written = write(desk, writer, variants=variants)
    assert len(written.variants) == variants
    assert written.candidates == rounded(variants * CANDIDATES_PER_VARIANT)
    assert rounds(writer) * ROUND == written.candidates


def test_writing_goes_on_while_variants_are_missing_and_ends_at_its_limit(
    desk: Any, writer_of: Any
) -> None:
    writer = writer_of([ONE])
    written = write(desk, writer, variants=3)
    assert len(written.variants) == 1
    assert written.candidates == rounded(3 * MAX_CANDIDATES_PER_VARIANT)


def test_writing_ends_once_there_is_enough(desk: Any, writer_of: Any, texts: list[str]) -> None:
    # The second good text comes once: in the second round, beyond the planned one.
    script = [ONE] * (ROUND + 1) + [texts[1]] + [ONE] * 400
    written = write(desk, writer_of(script), variants=3)
    assert {each.subject for each in written.variants} == {"Wool is back", texts[1].split("\n")[0]}
    written = write(desk, writer_of(script), variants=2)
    assert written.candidates == 2 * ROUND


def test_progress_counts_up_to_what_is_planned(desk: Any, writer_of: Any) -> None:
    told: list[tuple[int, int]] = []
    write(
        desk, writer_of(), progress=lambda done, planned: told.append((done, planned)), variants=8
    )
    assert told == [(ROUND, 2 * ROUND), (2 * ROUND, 2 * ROUND)]


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
    assert rounds(writer) == 96 / ROUND


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
    written = write(desk, writer, seed=1000, variants=4)
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
        first = provenance["written_with"]["first_seed"]
        assert provenance["written_with"]["count"] == ROUND
        assert (first - 1000) % ROUND == 0
        assert first <= scored.seed < first + ROUND


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


def test_what_sounds_like_the_brand_is_drawn_by_the_seed(desk: Any, writer_of: Any) -> None:
    lines = [f"Line number {number}." for number in range(40)]
    brand = desk.brand(on_voice=lines)
    brief = desk.brief()
    prompts = [
        writer_of().write(brand, brief, brief.segments[0], seed).prompt_text for seed in (1, 1, 2)
    ]
    assert prompts[0] == prompts[1] != prompts[2]
    drawn = next(each for each in prompts[0].splitlines() if each.startswith("Sounds like: "))
    assert len(set(drawn.removeprefix("Sounds like: ").split(" / "))) == 3


def test_a_scripted_generator_gives_its_texts_by_seed() -> None:
    generator = ScriptedGenerator(["a", "b", "c"])
    candidates = generator.write("prompt", [4, 0, 2], Sampling())
    assert [(each.seed, each.text) for each in candidates] == [(4, "b"), (0, "a"), (2, "c")]
    assert generator.prompts == ["prompt"]
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

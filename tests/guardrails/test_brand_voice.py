"""The brand-voice check: what it needs, what it says, and that it measures style, not topic."""

import pytest

from guardrails.checks.brand_voice import EXAMPLES_FAIL, EXAMPLES_PASS, BrandVoice
from guardrails.embeddings import Embedder
from guardrails.types import Brand, Item

BRAND = EXAMPLES_PASS[0].brand
LOUD = Item("🔥 INSANE scarf deals!!!", "OMG hurry, grab yours NOW! 😍", brand=BRAND)


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder()


@pytest.fixture(scope="module")
def check(embedder: Embedder) -> BrandVoice:
    return BrandVoice(embedder)


def test_without_brand_or_example_lines_there_is_nothing_to_judge_by(check: BrandVoice) -> None:
    items = [Item("A scarf"), Item("A scarf", brand=Brand(slug="x", off_voice=["WOW!"]))]
    assert [result.applicable for result in check.run(items)] == [False, False]


def test_results_keep_the_order_of_items(check: BrandVoice) -> None:
    item = EXAMPLES_PASS[0]
    outcome = check.run([Item("A scarf"), item, Item("A scarf"), EXAMPLES_FAIL[0][0]])
    assert [result.applicable for result in outcome] == [False, True, False, True]
    assert [bool(result.findings) for result in outcome] == [False, False, False, True]


def test_off_voice_is_reviewed_and_never_blocked(check: BrandVoice) -> None:
    for result in check.run([item for item, _ in EXAMPLES_FAIL]):
        assert {finding.severity for finding in result.findings} == {"review"}


def test_the_score_is_a_probability(check: BrandVoice) -> None:
    for result in check.run([*EXAMPLES_PASS, *(item for item, _ in EXAMPLES_FAIL)]):
        assert 0 <= result.scores["brand_voice"] <= 1


def test_the_message_names_the_nearest_example_and_what_is_off(check: BrandVoice) -> None:
    [finding] = check.run([LOUD])[0].findings
    assert BRAND is not None
    assert any(line in finding.message for line in BRAND.on_voice)
    assert "exclamation marks" in finding.message or "emoji" in finding.message


def test_the_same_topic_scores_higher_in_the_brands_own_style(check: BrandVoice) -> None:
    quiet = Item("The scarves are in", "Lambswool, two yards long.", brand=BRAND)
    low, high = (result.scores["brand_voice"] for result in check.run([LOUD, quiet]))
    assert high > low + 0.3


def test_five_example_lines_are_enough_to_tell(check: BrandVoice) -> None:
    assert BRAND is not None
    few = BRAND.model_copy(update={"on_voice": BRAND.on_voice[:5], "off_voice": []})
    loud, quiet = check.run([Item(LOUD.subject, brand=few), Item("We mend coats", brand=few)])
    assert loud.findings
    assert not quiet.findings


def test_a_brand_is_embedded_once_a_run(embedder: Embedder) -> None:
    class Counting:
        def __init__(self) -> None:
            self.calls: list[int] = []

        def encode(self, texts):  # type: ignore[no-untyped-def]
            self.calls.append(len(texts))
            return embedder.encode(texts)

    counting = Counting()
    BrandVoice(counting).run([Item(f"Scarf number {n}", brand=BRAND) for n in range(20)])
    assert BRAND is not None
    assert counting.calls == [20 + len(BRAND.on_voice) + len(BRAND.off_voice)]


@pytest.mark.parametrize("text", ["", "\ud800", "​", "a" * 50_000, "!" * 5_000, "\x00"])
def test_odd_texts_are_answered(check: BrandVoice, text: str) -> None:
    assert len(check.run([Item(text, text, brand=BRAND), Item(text, brand=BRAND)])) == 2

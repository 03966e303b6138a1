"""Banned phrases and words to avoid are not used; preferred words are asked for."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.checks.phrases import Phrases
from guardrails.types import Brand, Brief, Finding, Item

CHECK = Phrases()
BRAND = Brand(
    name="Harrow & Pine",
    banned_phrases=["must-have", "Don't miss out", "drop", "bargain", "café", "🔥", "% off", "a b"],
    preferred={"jumper": "sweater", "card": "gift card"},
)
BRIEF = Brief(product="lambswool knitwear", must_avoid=["cosy"])


def found(text: str, brief: Brief | None = None, brand: Brand | None = BRAND) -> list[Finding]:
    return CHECK.run([Item(text, brief=brief, brand=brand)])[0].findings


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("A MUST HAVE for autumn", "MUST HAVE"),
        ("This must–have coat", "must–have"),
        ("Don’t miss out!", "Don’t miss out"),
        ("Two bargains inside", "bargains"),
        ("Meet at the cafe", "cafe"),
        ("A bargаin with a Cyrillic letter", "bargаin"),
        ("Hot 🔥 wool", "🔥"),
        ("Now 20% off", "% off"),
    ],
)
def test_a_banned_phrase_blocks_where_it_stands(text: str, quoted: str) -> None:
    [finding] = found(text)
    assert (finding.rule, finding.severity) == ("banned_phrase", "block")
    assert text[finding.start : finding.end] == quoted


@pytest.mark.parametrize("text", ["New wool is dropping", "It dropped", "Bargaining over wool"])
def test_another_ending_asks_for_review(text: str) -> None:
    assert [(each.rule, each.severity) for each in found(text)] == [("banned_phrase", "review")]


@pytest.mark.parametrize("text", ["Raindrops", "You must really have it", "Cafeteria", "Postcards"])
def test_part_of_a_word_or_phrase_passes(text: str) -> None:
    assert found(text) == []


def test_what_the_brief_avoids_blocks_and_names_the_list() -> None:
    [finding] = found("Warm and cosy", BRIEF)
    assert (finding.rule, finding.severity) == ("must_avoid", "block")
    assert "brief" in finding.message
    assert [each.severity for each in found("Cosier than ever", BRIEF)] == ["review"]


def test_the_preferred_word_is_the_suggestion() -> None:
    [finding] = found("Jumpers from Hawick")
    assert (finding.rule, finding.severity) == ("preferred", "review")
    assert finding.suggestion == "Sweaters"


def test_a_preferred_phrase_that_holds_the_word_passes() -> None:
    assert found("A gift card inside") == []
    assert [each.rule for each in found("A card inside")] == ["preferred"]


def test_a_word_of_the_product_is_not_replaced_and_blocks_no_more() -> None:
    assert found("Jumpers from Hawick", Brief(product="crew-neck jumpers")) == []
    product = Brief(product="the Bargain Box")
    assert [each.severity for each in found("The Bargain Box", product)] == ["review"]


def test_without_a_brand_and_a_brief_there_is_nothing_to_judge_by() -> None:
    assert not CHECK.run([Item("Anything")])[0].applicable
    assert CHECK.run([Item("Anything", brief=Brief())])[0].applicable


def test_empty_phrases_are_no_phrases() -> None:
    assert found("Wool", brand=Brand(banned_phrases=["", "  ", "\u200b"])) == []


@pytest.mark.parametrize("piece", ["a b ", "must have ", "card ", "gift card ", "drop", "-", " "])
def test_a_hostile_line_takes_fifty_milliseconds_at_most(piece: str) -> None:
    item = Item((piece * 10_000)[:10_000], brief=BRIEF, brand=BRAND)
    seconds = []
    for _ in range(5):
        before = time.thread_time()
        CHECK.run([item])
        seconds.append(time.thread_time() - before)
    assert min(seconds) < 0.05


@settings(max_examples=80, deadline=None)
@given(
    st.text(st.characters(exclude_categories=()), max_size=60),
    st.text(st.characters(exclude_categories=()), max_size=6),
)
def test_any_text_is_judged_the_same_twice_with_spans_inside_it(text: str, phrase: str) -> None:
    brand = Brand(banned_phrases=[phrase], preferred={phrase: "wool"})
    findings = found(f"{text}{phrase}", brand=brand)
    assert findings == found(f"{text}{phrase}", brand=brand)
    assert all(0 <= each.start < each.end <= len(text + phrase) for each in findings)

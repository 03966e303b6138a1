"""What is broken, too long or no copy at all blocks; what is careless asks for review."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.checks.format import Format
from guardrails.types import Brand, Brief, Finding, Item, Limits, MergeTag, Segment

CHECK = Format()


def found(subject: str, preview: str | None = None, brief: Brief | None = None) -> list[Finding]:
    return CHECK.run([Item(subject, preview, brief)])[0].findings


def rules(subject: str, preview: str | None = None) -> set[tuple[str, str]]:
    return {(each.rule, each.severity) for each in found(subject, preview)}


def test_the_briefs_limit_blocks_and_the_usual_one_asks_for_review() -> None:
    brief = Brief(limits=Limits(subject=10, preview=20))
    [finding] = found("x" * 12, None, brief)
    assert (finding.rule, finding.severity) == ("too_long", "block")
    assert (finding.start, finding.end) == (10, 12)
    assert found("x" * 10, "y" * 20, brief) == []
    assert rules("x" * 51) == {("too_long", "review")}
    assert rules("x", "y" * 91) == {("too_long", "review")}
    strict = Format(max_subject=5).run([Item("longer")])[0].findings
    assert [each.rule for each in strict] == ["too_long"]


def test_a_tag_counts_as_its_fallback_and_its_longest_value_asks_for_review() -> None:
    text = 'Hello {{ first_name | default: "there" }}'
    brief = Brief(limits=Limits(subject=12))
    segment = Segment(merge_tags={"first_name": MergeTag(fallback="there", longest="Maximiliana")})
    assert found(text, None, brief) == []
    [finding] = CHECK.run([Item(text, None, brief, segment)])[0].findings
    assert (finding.rule, finding.severity) == ("long_value", "review")
    assert text[finding.start : finding.end].startswith("{{ first_name")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("Two\nlines", "line_break"),
        ("Two\u2028lines", "line_break"),
        ("A bell\x07", "control_character"),
        ("Half \ud83d", "lone_surrogate"),
        ("Turned \u202e02£ ylno", "direction_override"),
        ("Iso\u2066lated\u2069", "direction_override"),
        ("Hid\u200bden", "hidden_in_word"),
        ("Broken \ufffd", "broken_character"),
        ("Donâ€™t", "broken_character"),
        ("🎉 🎉!", "no_words"),
        ("...", "no_words"),
        ("Sure, here is a line", "model_chatter"),
        ("Certainly! Here are 4 subject lines", "model_chatter"),
        ("Here are 4", "model_chatter"),
        ("As an AI language model", "model_chatter"),
        ("I'm sorry, but I can't", "model_chatter"),
        ("Wool is in (11 characters)", "model_chatter"),
        ("Sorry, I can't do that", "model_chatter"),
        ("I'm unable to create that", "model_chatter"),
        ("Here's another option", "model_chatter"),
        ("Based on the brief, wool", "model_chatter"),
        ("Hope this helps!", "model_chatter"),
        ("Thank you for providing the brief", "model_chatter"),
        ("Use only what the brief says", "prompt_text"),
        ("Example brief", "prompt_text"),
        ("Intent: promotional", "label"),
        ("Merge tags: first_name", "label"),
        ("Target audience: new", "label"),
        ("Hello null", "placeholder"),
        ("Wool (insert date)", "placeholder"),
        ("Subject: wool is in", "label"),
        ("**Subject line:** wool", "label"),
        ("Brand: Harrow & Pine", "label"),
        ("Facts: spun in Hawick", "label"),
        ("Preheader: six colours", "label"),
        ("Wool is in<|im_end|>", "special_token"),
        ("[/INST] wool", "special_token"),
        ("Hello [Name]", "placeholder"),
        ("[Your Company] news", "placeholder"),
        ("[insert the offer]", "placeholder"),
        ("Meet {product}", "placeholder"),
        ("Save XX% today", "placeholder"),
        ("Only £XX", "placeholder"),
        ("Lorem ipsum", "placeholder"),
        ("<b>Wool</b>", "markup"),
        ("Tom &amp; Jerry", "markup"),
        ('{"subject": "wool"}', "markup"),
    ],
)
def test_what_is_no_copy_blocks(text: str, rule: str) -> None:
    assert (rule, "block") in rules(text)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("Padded \u200b\u200b\u200b", "invisible"),
        ("**Bold** wool", "markup"),
        ("The the wool", "repeated_words"),
        ("Some of the of the wool", "repeated_words"),
        ("The wool,", "cut_off"),
        ("The wool –", "cut_off"),
        ("The wool (", "cut_off"),
        ("The wool and", "cut_off"),
        ("Made of", "cut_off"),
        ("THE WOOL IS IN", "shouting"),
        ("Wool!!", "punctuation_run"),
        ("Wool!?", "punctuation_run"),
        ("New! Wool!", "exclamations"),
        ("See www.example.com", "address"),
        ("Write to me@example.org", "address"),
        ("Trailing ", "edge_space"),
        (" Leading", "edge_space"),
        ("Double  space", "spacing"),
        ("Ends TBC", "placeholder"),
        ("Wool for <audience>", "placeholder"),
        ("Tone: warm", "label"),
    ],
)
def test_what_is_careless_asks_for_review(text: str, rule: str) -> None:
    assert rules(text) == {(rule, "review")}


@pytest.mark.parametrize(
    "text",
    [
        "Here are 4 ways to wear linen",
        "Okay, here's the plan",
        "Great, I can wear wool again",
        "[New] Wool is in",
        "Here's a thought: wool",
        "None left of the grey",
        "I can't wait for autumn",
        "As requested: more colours",
        "NEW IN",
        "XXL is back, XS to XXL",
        "Bye bye winter, and that that is all",
        "Sale: 8:30 start, 24/7, 50% off!",
        "Don't wait... it's soon…",
        "👨‍👩‍👧 ❤️ 🏴󠁧󠁢󠁥󠁮󠁧󠁿 family day",
        "مرحبا بكم في المتجر",
        "می‌خواهم",
        "नमस्ते दुनिया",
        "Crème brûlée – “lovely”",
        "What it costs, e.g. in the U.S.A.",
    ],
)
def test_ordinary_copy_passes(text: str) -> None:
    assert found(text) == []


def test_a_preview_that_says_the_subject_again_asks_for_review() -> None:
    again = {("repeats_subject", "review")}
    assert rules("The wool is in", "The wool is in") == again
    assert rules("The wool is in", "The wool is in, in six colours") == again
    assert rules("The wool is in", "Six undyed colours from Hawick") == set()


def test_an_address_that_is_the_brands_name_passes() -> None:
    item = Item("News from Wool.com", brand=Brand(name="Wool.com"))
    assert CHECK.run([item])[0].findings == []
    assert {each.rule for each in found("News from Wool.com")} == {"address"}


@pytest.mark.parametrize(
    "piece",
    ["a", "*", "_", "?", ", ", "-", " ", "<", "{", "[name ", "here is ", "x%", "@", "\u200b", "é"],
)
def test_a_hostile_line_takes_fifty_milliseconds_at_most(piece: str) -> None:
    item = Item((piece * 10_000)[:10_000])
    seconds = []
    for _ in range(5):
        before = time.thread_time()
        CHECK.run([item])
        seconds.append(time.thread_time() - before)
    assert min(seconds) < 0.05


@settings(max_examples=120, deadline=None)
@given(
    st.text(st.characters(exclude_categories=()), max_size=60),
    st.text(st.characters(exclude_categories=()), max_size=60),
)
def test_any_text_is_judged_the_same_twice_with_spans_inside_it(subject: str, preview: str) -> None:
    findings = found(subject, preview)
    assert findings == found(subject, preview)
    sizes = {"subject": len(subject), "preview": len(preview)}
    assert all(0 <= each.start <= each.end <= sizes[each.field] for each in findings)

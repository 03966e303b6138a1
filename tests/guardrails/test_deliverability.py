"""What spam tests count is found, and ordinary copy passes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.checks.deliverability import Deliverability
from guardrails.types import Brief, Finding, Item, Offer
from tests.labelled import corpus, seconds

CHECK = Deliverability()


def found(subject: str, preview: str | None = None, brief: Brief | None = None) -> list[Finding]:
    return CHECK.run([Item(subject, preview, brief)])[0].findings


@pytest.mark.parametrize(
    ("text", "rule", "severity"),
    [
        ("Re: your jumper", "reply_mark", "review"),
        ("RE[2]: your jumper", "reply_mark", "review"),
        ("Fwd: wool", "reply_mark", "review"),
        ("AW: Ihre Bestellung", "reply_mark", "review"),
        ("F R E E wool", "gappy", "review"),
        ("s.a.l.e on wool", "gappy", "review"),
        ("Wool $$$ off", "currency_run", "review"),
        ("~~~ wool ~~~", "mark_run", "review"),
        ("Wool..... soon", "mark_run", "review"),
        ("Click here for wool", "spam_phrase", "review"),
        ("Dear friend, wool", "spam_phrase", "review"),
        ("BIG WOOL SALE on now", "capitals", "review"),
        ("A FREE jumper", "free_in_capitals", "review"),
        ("🎉 wool 🎉 is 🎉 in 🎉", "emoji", "review"),
        ("𝗪𝗼𝗼𝗹 is in", "styled_letters", "review"),
        ("Ｗｏｏｌ is in", "styled_letters", "review"),
        ("Your pаypal account", "look_alikes", "block"),
        ("=?utf-8?B?V29vbA==?=", "encoded_word", "block"),
    ],
)
def test_what_spam_tests_count_is_found(text: str, rule: str, severity: str) -> None:
    assert (rule, severity) in {(each.rule, each.severity) for each in found(text)}


@pytest.mark.parametrize(
    "text",
    [
        "Re-think your wardrobe",
        "Regarding: wool",
        "The U.S.A. and R.E.M.",
        "Open 9 a.m. to 5 p.m.",
        "A B C D for beginners",
        "£5, $10 and €20",
        "Save $5... or £10",
        "NASA and the BBC in the UK",
        "Free delivery, feel free",
        "🏴󠁧󠁢󠁥󠁮󠁧󠁿 👨‍👩‍👧 ❤️",
        "Москва, Ωmega's neighbour, kΩ, µm",
        "10-20-30 and 1 2 3 4",
        "Rock 'n' roll, B & B, Q&A",
    ],
)
def test_ordinary_copy_passes(text: str) -> None:
    assert found(text) == []


def test_a_reply_mark_blocks_mail_that_answers_nothing() -> None:
    severities = {
        intent: found("Re: your order", None, Brief(intent=intent))[0].severity
        for intent in ("promotional", "informational", "reengagement", "transactional")
    }
    assert severities.pop("transactional") == "review"
    assert set(severities.values()) == {"block"}


def test_capitals_of_the_briefs_code_are_no_shouting() -> None:
    text = "FIRSTLAYER: take 15%"
    assert found("BIGWOOL NOW: off")
    assert found(text, None, Brief(offer=Offer(code="FIRSTLAYER"))) == []


def test_a_short_link_in_the_preview_asks_for_review() -> None:
    assert [each.rule for each in found("Wool is in", "See bit.ly/wool")] == ["short_link"]


def test_hardly_a_line_of_the_corpus_looks_like_spam() -> None:
    items = corpus()
    assert sum(bool(result.findings) for result in CHECK.run(items)) <= 0.005 * len(items)


@pytest.mark.parametrize("piece", ["a", "F R ", "f.", "$ ", "* ", "A", "Ж", "🎉\u200d", "=?a?q?"])
def test_a_hostile_line_takes_fifty_milliseconds_at_most(piece: str) -> None:
    assert seconds(CHECK, Item((piece * 10_000)[:10_000])) < 0.05


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(exclude_categories=()), max_size=60))
def test_any_text_is_judged_the_same_twice_with_spans_inside_it(text: str) -> None:
    findings = found(text)
    assert findings == found(text)
    assert all(0 <= each.start < each.end <= len(text) for each in findings)

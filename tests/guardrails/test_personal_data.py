"""Personal data blocks, unless the brief holds it; what only looks like it passes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.checks.personal_data import PersonalData
from guardrails.types import Brand, Brief, Finding, Item
from tests.labelled import cases, corpus, seconds, shares

CHECK = PersonalData()
UK = Brand(jurisdictions=["UK"])


def found(text: str, brief: Brief | None = None, brand: Brand | None = UK) -> list[Finding]:
    return CHECK.run([Item(text, brief=brief, brand=brand)])[0].findings


def test_the_labelled_lines_are_told_apart() -> None:
    recall, precision = shares(CHECK, "personal_data")
    assert recall >= 0.99
    assert precision >= 0.99
    innocent = sum(not wanted for _, wanted in cases("personal_data"))
    assert innocent >= 100


def test_no_line_of_the_corpus_holds_what_its_brief_lacks() -> None:
    items = corpus()
    assert sum(bool(result.findings) for result in CHECK.run(items)) <= len(items) // 1000


@pytest.mark.parametrize(
    ("text", "rule", "said"),
    [
        ("Ask Jane: jane@example.com, today", "email", "jane@example.com"),
        ("Call 020 7946 0018. Ask for Jane.", "phone", "020 7946 0018"),
        ("Paid with 4111 1111 1111 1111.", "card", "4111 1111 1111 1111"),
        ("To ｊａｎｅ＠example.com", "email", "ｊａｎｅ＠example.com"),
    ],
)
def test_a_finding_says_where_and_what_to_do(text: str, rule: str, said: str) -> None:
    [finding] = found(text)
    assert (finding.rule, finding.severity) == (rule, "block")
    assert text[finding.start : finding.end] == said
    assert "merge tag" in finding.suggestion


def test_a_number_is_read_as_it_is_dialled_where_the_brand_is() -> None:
    text = "Rufen Sie an: 030 901820"
    assert [each.rule for each in found(text, brand=Brand(jurisdictions=["EU"]))] == ["phone"]
    assert [each.rule for each in found("+49 30 901820", brand=UK)] == ["phone"]
    assert found("Score 212-867-5309", brand=UK) == []
    us = Brand(jurisdictions=["US-WA"])
    assert [each.rule for each in found("Jenny: 212-867-5309", brand=us)] == ["phone"]


def test_the_brief_bears_a_number_in_any_form() -> None:
    brief = Brief(facts=["Hotline 020 7946 0018"])
    assert found("Call +44 20 7946 0018", brief) == []
    assert [each.rule for each in found("Call 020 7946 0019", brief)] == ["phone"]


def test_the_end_of_what_the_brief_holds_is_not_held() -> None:
    brief = Brief(facts=["At 14 Acacia Avenue; write to mary.jane@example.com"])
    assert [each.rule for each in found("Come to 4 Acacia Avenue", brief)] == ["address"]
    assert [each.rule for each in found("Ask jane@example.com", brief)] == ["email"]
    assert found("14 Acacia Ave, mary.jane@example.com", brief) == []


def test_an_address_without_a_brief_asks_for_review_alone() -> None:
    assert [each.severity for each in found("Come to 14 Acacia Avenue")] == ["review"]
    assert [each.severity for each in found("Come to 14 Acacia Avenue", Brief())] == ["block"]


@pytest.mark.parametrize(
    "digits", ["4111 1111 1111 1112", "1234 5678 9012 3456", "9111111111111111"]
)
def test_a_wrong_check_digit_or_prefix_is_no_card(digits: str) -> None:
    assert "card" not in {each.rule for each in found(f"Paid with {digits}")}


@pytest.mark.parametrize("iban", ["GB28 NWBK 6016 1331 9268 19", "GB29 NWBK 6016 1331 9268 1"])
def test_a_wrong_check_number_or_length_is_no_iban(iban: str) -> None:
    assert "iban" not in {each.rule for each in found(f"Paid to {iban}")}


@pytest.mark.parametrize(
    "piece",
    [
        *("a", "1 ", "0800 123 4567 ", "4111 1111 1111 1112 ", "a@", "a.", "@", "1.2.3.4 ", "::"),
        *("12 Oak Street ", "Oak Oak ", "born 1", "GB29 ", "abcd:", "jane at example dot ", "(1"),
    ],
)
def test_a_hostile_line_takes_fifty_milliseconds_at_most(piece: str) -> None:
    assert seconds(CHECK, Item((piece * 10_000)[:10_000], brand=Brand(jurisdictions=["EU"]))) < 0.05


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(["@", ".", "020 7946 0018", "4111", "GB29", "12 Oak Street", "born "]),
            st.text(st.characters(exclude_categories=()), max_size=8),
        ),
        max_size=10,
    )
)
def test_any_text_is_judged_the_same_twice_with_spans_inside_it(parts: list[str]) -> None:
    text = "".join(parts)
    findings = found(text)
    assert findings == found(text)
    assert all(0 <= each.start < each.end <= len(text) for each in findings)

"""Merge tags are canonical, allowed and have a fallback that reads well."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.checks.merge_tags import MergeTags, fill, tags
from guardrails.types import Brand, Brief, Finding, Item, MergeTag, Segment
from tests.labelled import cases, shares

CHECK = MergeTags()
TAG = '{{ first_name | default: "there" }}'
SEGMENT = Segment(merge_tags={"first_name": MergeTag(fallback="there")})


def found(text: str, segment: Segment | None = None, brief: Brief | None = None) -> list[Finding]:
    return CHECK.run([Item(text, brief=brief, segment=segment)])[0].findings


@pytest.mark.parametrize(
    "text",
    [
        f"Hello {TAG}, the wool is in",
        '{{first_name|default:"Friend"}}, hello',
        "No tags: 100% wool, 20% to 50% off, #1 & [New] * terms, $5 or <3",
        "",
    ],
)
def test_canonical_tags_and_plain_texts_pass(text: str) -> None:
    assert found(text) == []
    assert CHECK.run([Item(text)])[0].applicable


@pytest.mark.parametrize(
    ("tag", "rule"),
    [
        ("{{ first_name }}", "no_fallback"),
        ("{{first_name}}", "no_fallback"),
        ("{{ first_name|default:'there' }}", "not_canonical"),
        ("{{ first_name | default: “there” }}", "not_canonical"),
        ('{{ FirstName | default: "there" }}', "not_canonical"),
        ("{{ }}", "not_canonical"),
        ('{{ first_name | default: "there" | upcase }}', "filter"),
        ("{{ first_name | upcase }}", "filter"),
        ("*|FNAME|*", "other_dialect"),
        ("*|IF:FNAME|*", "other_dialect"),
        ("%%FirstName%%", "other_dialect"),
        ('%%=IIF(EMPTY(FirstName),"there",FirstName)=%%', "other_dialect"),
        ("{{ contact.firstname }}", "other_dialect"),
        ("{contactfield=firstname|there}", "other_dialect"),
        ("{{${first_name}}}", "other_dialect"),
        ("{{${first_name} | default: 'there'}}", "other_dialect"),
        ('{{insert first_name "default=there"}}', "other_dialect"),
        ('{{defaultIfEmpty firstName "there"}}', "other_dialect"),
        ("{{{first_name}}}", "other_dialect"),
        ("[First Name]", "other_dialect"),
        ("[FNAME]", "other_dialect"),
        ("<First Name>", "other_dialect"),
        ("[[first_name]]", "other_dialect"),
        ("<%= first_name %>", "other_dialect"),
        ("{% if vip %}", "other_dialect"),
        ("${first_name}", "other_dialect"),
        ("%first_name%", "other_dialect"),
        ("{first_name}", "other_dialect"),
        ("{!Contact.FirstName}", "other_dialect"),
        ("{{ 7*7 }}", "template_code"),
        ("{{ ''.__class__ }}", "template_code"),
        ("{{ config['key'] }}", "template_code"),
    ],
)
def test_any_other_tag_blocks_where_it_stands(tag: str, rule: str) -> None:
    text = f"Hello {tag} today"
    [finding] = found(text)
    assert (finding.rule, finding.severity) == (rule, "block")
    assert text[finding.start : finding.end] == tag
    assert finding.suggestion


def test_the_suggestion_is_the_canonical_tag() -> None:
    for tag in ("{{ first_name }}", "*|FNAME|*", "%%FirstName%%", "{{ contact.firstname }}"):
        [finding] = found(f"Hello {tag}")
        assert finding.suggestion == TAG


@pytest.mark.parametrize(
    "text",
    [
        "Hello {{ first_name",
        "Hello first_name }}",
        "{{ first_name }",
        "a { b",
        "*|FNAME",
        "5%% off",
    ],
)
def test_unbalanced_braces_block(text: str) -> None:
    assert {(each.rule, each.severity) for each in found(text)} == {("unbalanced", "block")}


def test_braces_that_only_look_like_braces_block() -> None:
    assert [each.severity for each in found("Hello ｛｛ first_name ｝｝")] == ["block"]


def test_only_the_segments_tags_are_allowed() -> None:
    assert found(f"Hello {TAG}", SEGMENT) == []
    [finding] = found(f"Hello {TAG}", Segment())
    assert (finding.rule, finding.severity) == ("unknown_tag", "block")
    assert [each.rule for each in found('In {{ city | default: "town" }}', SEGMENT)] == [
        "unknown_tag"
    ]


def test_without_a_segment_the_briefs_segments_allow() -> None:
    assert found(f"Hello {TAG}", brief=Brief(segments=[Segment(), SEGMENT])) == []
    assert [each.rule for each in found(f"Hello {TAG}", brief=Brief(segments=[Segment()]))] == [
        "unknown_tag"
    ]
    assert found(f"Hello {TAG}") == []


def test_a_fallback_other_than_the_segments_asks_for_review() -> None:
    [finding] = found('Hello {{ first_name | default: "friend" }}', SEGMENT)
    assert (finding.rule, finding.severity) == ("fallback_differs", "review")
    assert finding.suggestion == TAG


@pytest.mark.parametrize(
    "text",
    [
        '{{ first_name | default: "" }}, we miss you',
        'Hello {{ first_name | default: "" }}',
        '{{ first_name | default: ", friend" }} hello',
        'Hello {{ first_name | default: "there!" }}!',
        'Hello there {{ first_name | default: "there" }}',
        'Hello  {{ first_name | default: " you" }}',
    ],
)
def test_a_line_that_reads_badly_with_the_fallback_asks_for_review(text: str) -> None:
    findings = found(text)
    assert findings
    assert {each.severity for each in findings} == {"review"}


def test_the_labelled_lines_are_told_apart() -> None:
    recall, precision = shares(CHECK, "merge_tags")
    assert recall >= 0.99
    assert precision >= 0.99
    assert sum(not wanted for _, wanted in cases("merge_tags")) >= 75


def test_a_line_that_reads_badly_with_the_longest_value_asks_for_review() -> None:
    segment = Segment(merge_tags={"city": MergeTag(fallback="Leeds", longest="the Isle of Wight")})
    [finding] = found('Rain over the {{ city | default: "Leeds" }}', segment)
    assert (finding.rule, finding.severity) == ("clumsy_value", "review")
    assert "the Isle of Wight" in finding.message


def test_a_small_letter_may_start_a_line_where_the_brand_writes_so() -> None:
    text = '{{ first_name | default: "friend" }}, the wool is in'
    assert [each.rule for each in found(text)] == ["clumsy_fallback"]
    assert CHECK.run([Item(text, "six undyed colours")])[0].findings == []
    quiet = Brand(on_voice=["the wool is in", "six colours, no dye"])
    assert CHECK.run([Item(text, brand=quiet)])[0].findings == []


def test_the_suggestion_for_an_odd_name_is_canonical() -> None:
    [finding] = found('Hello {{ FirstName | default: "there" }}')
    assert finding.suggestion == TAG


def test_code_in_a_fallback_blocks() -> None:
    [finding] = found('Hello {{ first_name | default: "<script>" }}')
    assert (finding.rule, finding.severity) == ("fallback_code", "block")


def test_tags_are_filled_with_a_value_or_the_fallback() -> None:
    text = f"Hello {TAG}!"
    assert fill(text) == "Hello there!"
    assert fill(text, {"first_name": "Ada"}) == "Hello Ada!"
    assert [(tag.start, tag.end, tag.name, tag.fallback) for tag in tags(text)] == [
        (6, 6 + len(TAG), "first_name", "there")
    ]


@pytest.mark.parametrize(
    "piece",
    ["{", "}", "{{ a ", f"{TAG} ", "[[", "[name ", "%a", "%%=a", "<%", "${", "*|a", "#a", "{{a|"],
)
def test_a_hostile_line_takes_fifty_milliseconds_at_most(piece: str) -> None:
    item = Item((piece * 10_000)[:10_000])
    seconds = []
    for _ in range(5):
        before = time.thread_time()
        CHECK.run([item])
        seconds.append(time.thread_time() - before)
    assert min(seconds) < 0.05


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                ["{{", "}}", "{", "}", "|", "default:", '"', "*|", "%%", TAG, "a", " "]
            ),
            st.text(st.characters(exclude_categories=()), max_size=8),
        ),
        max_size=12,
    )
)
def test_any_text_is_judged_the_same_twice_with_spans_inside_it(parts: list[str]) -> None:
    text = "".join(parts)
    findings = found(text, SEGMENT)
    assert findings == found(text, SEGMENT)
    assert all(0 <= each.start < each.end <= len(text) for each in findings)

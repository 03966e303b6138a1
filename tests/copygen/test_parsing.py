"""From a candidate's text to subject and preview."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from copygen.generation.parsing import LABEL, LABEL_END, canonical, hopeless, liquid, parse
from guardrails.checks.format import Format
from guardrails.checks.merge_tags import fill
from guardrails.types import Brief, Item, Limits, MergeTag, Segment

TAGS = {"first_name": MergeTag(fallback="there")}


@pytest.mark.parametrize(
    "text",
    [
        "Lambswool is back\nSix undyed colours.",
        "  Lambswool is back  \n\n  Six undyed colours.\n",
        "Subject: Lambswool is back\nPreview: Six undyed colours.",
        "subject line: Lambswool is back\npreview text: Six undyed colours.",
        "**Subject:** Lambswool is back\n**Preview:** Six undyed colours.",
        "- Subject: Lambswool is back\n- Preheader: Six undyed colours.",
        '"Lambswool is back"\n"Six undyed colours."',
        'Subject: "Lambswool is back"\nPreview: "Six undyed colours."',
    ],
)
def test_subject_and_preview_are_found(text: str) -> None:
    assert parse(text, {}) == ("Lambswool is back", "Six undyed colours.")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   \n \n",
        "Only a subject",
        "Subject: Only a subject",
        "One\nTwo\nThree",
        "Here are two lines:\nSubject: One\nPreview: Two",
        "Subject:\nPreview: Two",
        'Subject: One\nPreview: ""',
        "The same words\nthe same WORDS",
    ],
)
def test_anything_but_a_subject_and_a_preview_is_dropped(text: str) -> None:
    assert parse(text, {}) is None


@pytest.mark.parametrize(
    "start", ["£5", "€5", "$5", "#1", "(Really)", "'Tis", "¿Qué", "…and", "@home", "+20%", "🎁"]
)
def test_a_label_takes_no_sign_of_the_text_with_it(start: str) -> None:
    text = f"Subject: {start} off jumpers\nPreview: {start} only today"
    assert parse(text, {}) == (f"{start} off jumpers", f"{start} only today")


def test_a_label_leaves_a_merge_tag_whole() -> None:
    text = "Subject: {{ first_name }}, it is back\nPreview: {{ first_name }}, choose a colour."
    assert parse(text, TAGS) == (
        '{{ first_name | default: "there" }}, it is back',
        '{{ first_name | default: "there" }}, choose a colour.',
    )


def test_lines_in_the_other_order_are_never_taken_for_each_other() -> None:
    parsed = parse("Preview: Six undyed colours.\nSubject: Lambswool is back", {})
    assert parsed in (None, ("Lambswool is back", "Six undyed colours."))


def test_a_word_like_a_label_within_a_text_stays() -> None:
    text = "Preview our autumn range: come in\nThe subject: wool"
    assert parse(text, {}) == ("Preview our autumn range: come in", "The subject: wool")


def test_quotes_around_a_part_of_a_line_stay() -> None:
    text = 'They call it "the jumper"\n"Warm", says everybody.'
    assert parse(text, {}) == ('They call it "the jumper"', '"Warm", says everybody.')


@pytest.mark.parametrize(
    "tag",
    [
        "{{ first_name }}",
        "{{first_name}}",
        '{{ first_name | default: "friend" }}',
        "{{ first_name | upcase }}",
    ],
)
def test_a_tag_gets_the_segments_fallback(tag: str) -> None:
    assert canonical(f"Hello {tag}!", TAGS) == 'Hello {{ first_name | default: "there" }}!'


def test_a_tag_that_the_segment_lacks_stays_for_the_guardrails() -> None:
    assert canonical("Hello {{ last_name }}!", TAGS) == "Hello {{ last_name }}!"


def test_a_canonical_text_stays_as_it_is() -> None:
    once = canonical("Hello {{ first_name }}!", TAGS)
    assert canonical(once, TAGS) == once


def test_a_fallback_with_quotes_is_still_one_string() -> None:
    assert liquid("first_name", 'our "friend"') == "{{ first_name | default: \"our 'friend'\" }}"


@settings(deadline=None)
@given(st.text(max_size=200))
def test_no_text_breaks_the_parser(text: str) -> None:
    parsed = parse(text, TAGS)
    if parsed is not None:
        subject, preview = parsed
        assert subject.strip()
        assert preview.strip()
        assert "\n" not in subject + preview


LIMITS = Limits(subject=25, preview=40)


@pytest.mark.parametrize(
    "text",
    [
        "x" * 26,
        "Subject: " + "x" * 26,
        '"' + "x" * 26,
        "{{ first_name }}" + "x" * 26,
        "x" * 26 + " {{ first",
        "Wool\n" + "x" * 41,
        "Wool\n\nPreview: " + "x" * 41,
        "x" * 26 + "\nSix colours.",
        "Wool\nSix colours.\nA",
        "Here are two lines:\nSubject: Wool\nP",
    ],
)
def test_a_text_that_can_come_to_nothing_is_hopeless(text: str) -> None:
    assert hopeless(LIMITS, text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x" * 25,
        "x" * 25 + "   ",
        "x" * 25 + "\nSix colours.",
        "- Subject line: " + "x" * 25,
        "#### Preheader text **",
        '"' + "x" * 25 + '"',
        "{{ first_name }}, " + "x" * 23,
        "x" * 25 + '{{ first_name | default: "frie',
        "x" * 25 + "{",
        "x" * 25 + "{{ first_name }",
        "Wool\nSix colours.\n\n  ",
        "Wool\nSix colours.\n\ufffd",
        "x" * 25 + "\ufffd",
    ],
)
def test_a_text_that_may_come_to_something_is_not_hopeless(text: str) -> None:
    assert not hopeless(LIMITS, text)


def test_no_label_is_longer_than_is_said() -> None:
    longest = "*" * 4 + "preheader" + " line" + "*" * 3 + ":"
    assert LABEL.match(longest)
    assert len(longest) == LABEL_END


PIECES = st.sampled_from(
    [
        *("wool", "is back", "x" * 9, "é", "🧶", " ", "  ", "\xa0", "\u200b", '"', "'", "{", "}", "{{", "}}"),
        *("{{ first_name }}", "{{first_name}}", "{{ last_name }}", '{{ city | default: "town" }}'),
        *("{{ first_name | upcase }}", "Subject", "preview text", ":", "*", "#", "\ufffd", "\x1f"),
    ]
)  # fmt: skip
BREAKS = st.sampled_from(["\n", "\n\n", "\r\n", "\n \n", "\u2028", "\x85", "\v"])
ENDS = st.sampled_from(["", "\n", " \r\n\n"])


def lines(*labels: str) -> st.SearchStrategy[str]:
    """A line as a model may write it, with one of `labels` or none."""
    parts = [
        st.sampled_from(["", "", " ", "\t"]),
        st.sampled_from(["", "", *labels]),
        st.sampled_from(["", "", '"']),
        st.lists(PIECES, min_size=1, max_size=9).map("".join),
        st.sampled_from(["", "", '"', " "]),
    ]
    return st.tuples(*parts).map("".join)


SUBJECTS = lines("Subject: ", "- subject line : ", "**Subject:** ", "Subj")
PREVIEWS = lines("Preview: ", "**Preview:** ", "### PREHEADER TEXT **:__", "pre")


@settings(deadline=None, max_examples=300)
@given(
    st.tuples(SUBJECTS, BREAKS, PREVIEWS, ENDS).map("".join),
    st.sampled_from(["", "there", 'our "friend"']),
)
def test_no_text_that_keeps_to_the_rules_is_ever_hopeless(text: str, fallback: str) -> None:
    segment = Segment(merge_tags={"first_name": MergeTag(fallback=fallback)})
    parsed = parse(text, segment.merge_tags)
    assume(parsed is not None)
    assert parsed is not None
    subject, preview = parsed
    limits = Limits(subject=len(fill(subject)), preview=len(fill(preview)))
    (result,) = Format().run([Item(subject, preview, Brief(limits=limits), segment)])
    assert all(finding.rule != "too_long" for finding in result.findings)
    for end in range(len(text) + 1):
        assert not hopeless(limits, text[:end]), text[:end]

"""Text is normalised as a reader sees it, and every span leads back to the original."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.text import normalise


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Plain text, 20% off.", "Plain text, 20% off."),
        ("ｆｕｌｌ Ｗｉｄｔｈ", "full Width"),
        ("𝓼𝓬𝓻𝓲𝓹𝓽 ⓒⓘⓡⓒⓛⓔ 🅰🅱", "script circle AB"),
        ("Café crème, Łódź", "Cafe creme, Lodz"),
        ("z\u0336a\u0301\u0301l\u0308g\u0330o", "zalgo"),
        ("\u0441ору οf Ѕаlе", "copy of Sale"),
        ("“Hi” – it’s ‘here’ — now…", "\"Hi\" - it's 'here' - now..."),
        ("zero\u200bwidth\u00adsoft\ufeff\u2060", "zerowidthsoft"),
        ("left\u200eright\u202eturned", "leftrightturned"),
        ("no\u00a0break\u2003space", "no break space"),
        ("bell\a and nul\0", "bell and nul"),
        ("two\nlines\tand", "two\nlines\tand"),
        ("2½ kg, ½ price, £20¹, m²", "2 1/2 kg, 1/2 price, £20 1, m2"),
        ("नमस्ते が 한글 שלום", "नमस्ते が 한글 שלום"),
        ("\ud800", "\ud800"),
        ("", ""),
    ],
)
def test_a_text_is_shown_as_a_reader_sees_it(text: str, shown: str) -> None:
    assert normalise(text).text == shown


def test_a_span_leads_back_to_the_original_with_the_marks_on_it() -> None:
    text = "A “f\u0336u\u200bll\u0301” price"
    shown = normalise(text)
    start = shown.text.index("full")
    first, last = shown.span(start, start + 4)
    assert text[first:last] == "f\u0336u\u200bll\u0301"


def test_an_empty_span_is_a_place() -> None:
    shown = normalise("caf\u00e9\u200b")
    assert shown.span(4, 4) == (5, 5)
    assert shown.span(0, 0) == (0, 0)


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=()), max_size=60))
def test_every_span_lies_inside_the_text_and_in_order(text: str) -> None:
    shown = normalise(text)
    assert normalise(text) == shown
    assert len(shown.offsets) == len(shown.text) + 1
    assert shown.offsets[-1] == len(text)
    assert list(shown.offsets) == sorted(shown.offsets)
    for index in range(len(shown.text)):
        start, end = shown.span(index, index + 1)
        assert 0 <= start < end <= len(text)


@pytest.mark.parametrize("piece", ["plain ", "é", "a\u200b", "\u0301", "\ud800", "\u202e", "ﷺ"])
def test_a_megabyte_takes_a_few_seconds_at_most(piece: str) -> None:
    text = piece * (1_000_000 // len(piece) if piece != "ﷺ" else 100_000)
    before = time.process_time()
    shown = normalise(text)
    assert time.process_time() - before < 5
    assert shown.offsets[-1] == len(text)

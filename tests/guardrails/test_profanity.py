"""Swear words are found however they are disguised; innocent words and identities are not."""

import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.checks.profanity import Profanity
from guardrails.profanity import lexicon
from guardrails.types import Brand, Brief, Finding, Item

CHECK = Profanity()
_WORDS = (
    "fuck shit cunt bitch asshole bastard whore slut cock pussy twat wanker motherfucker bullshit"
    " nigger faggot retard fucking shitty porn damn crap piss hell boobs sexy bollocks"
)
_SIGNS = (
    "sh1t b1tch $hit a$$hole @sshole n1gg3r wh0re f**k sh** f***ing b*tch c*nt f-ck f@ck tw@t d!ck"
    " $lut 5h1t fu¢k sh¡t fuuck fucks shitting bitches motherf*cker absofuckinglutely #fuckthis"
    " b00bs cr@p p!ss s3xy d@mn half-assed 🇫🇺🇨🇰 f🍆u🍆c🍆k"
)
WORDS = _WORDS.split()
CYRILLIC = str.maketrans("aceiopsxyhkABCEHKMOPTX", "асеіорѕхуһкАВСЕНКМОРТХ")


def found(text: str, brand: Brand | None = None, brief: Brief | None = None) -> list[Finding]:
    return CHECK.run([Item(text, brand=brand, brief=brief)])[0].findings


DISGUISES: dict[str, Callable[[str], str]] = {
    "as it stands": str,
    "capitals": str.upper,
    "fullwidth": lambda word: "".join(chr(ord(letter) + 0xFEE0) for letter in word),
    "mathematical": lambda word: "".join(chr(ord(letter) - 97 + 0x1D41A) for letter in word),
    "Cyrillic": lambda word: word.translate(CYRILLIC),
    "spaces": " ".join,
    "spaced capitals": lambda word: " ".join(word.upper()),
    "stops": ".".join,
    "dashes": "-".join,
    "underscores": "_".join,
    "stars": "*".join,
    "line breaks": "\n".join,
    "zero width": "\u200b".join,
    "soft hyphens": "\u00ad".join,
    "zalgo": lambda word: "".join(letter + "\u0336\u0301" for letter in word),
    "drawn out": lambda word: word[:2] + word[1] * 4 + word[2:],
}


@pytest.mark.parametrize("disguise", DISGUISES)
@pytest.mark.parametrize("frame", ["{}", "What a load of {}", "Oh {}, it is", "“{}”!"])
def test_a_disguised_word_is_found_with_its_exact_span(disguise: str, frame: str) -> None:
    start = frame.index("{")
    for word in WORDS:
        hidden = DISGUISES[disguise](word)
        spans = {(each.start, each.end) for each in found(frame.format(hidden))}
        assert (start, start + len(hidden)) in spans, hidden


@pytest.mark.parametrize("word", _SIGNS.split())
def test_signs_masks_and_endings_hide_nothing(word: str) -> None:
    assert [f"A {word} day"[each.start : each.end] for each in found(f"A {word} day")]


@pytest.mark.parametrize(
    "text",
    [
        "Scunthorpe, Penistone, Essex and Sussex",
        "Cocktail hour: pots & pans, peacocks and cockatoos",
        "Assess the assets, pass it on, push it",
        "It's a hit, it's so as to be at it",
        "A 5hit combo, the A55, B2B and 4x4",
        "Gay pride, lesbian authors, a queer film festival, trans rights, bisexual visibility",
        "Organ donation, breast cancer, testicular cancer, the uterus and ovaries",
        "Extra virgin olive oil, rum, vodka, chicken breast, rump steak, jerk chicken",
        "Weed the pots, screw the hinge, strip the paint, stroke the cat",
        "Shitake, shiitake, shih tzu, Fukuoka and Hancock",
        "Dickens, a dictionary, Moby-Dick, spotted dick and cock-a-leekie",
        "We'll, he'll, she'll and hello from Hell's Kitchen",
        "Blue tits, pussy willow and a Maine coon",
        "A kitchen-cum-diner, magna cum laude",
        "Nude lipstick, panties, nappies and a maxi dress",
        "Save $5! 50%* off* A*",
        "S A L E  N O W  O N, U.S.A., e.g. this",
        "Who're you? Who re-ordered?",
        "Sooooo good, mmmm, yesss, helloooo",
    ],
)
def test_innocent_words_pass(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        ("Oh fuck", "block"),
        ("Two faggots", "block"),
        ("Damn good, hell yes", "review"),
        ("A sexy top", "review"),
        ("Dick's Sporting Goods", "review"),
        ("Ask Dick about it", "review"),
        ("don't be a dick", "block"),
    ],
)
def test_strong_words_block_and_mild_words_or_names_ask_for_review(
    text: str, severity: str
) -> None:
    assert {each.severity for each in found(text)} == {severity}


def test_a_word_of_the_brand_or_product_is_lowered_to_review_and_not_exempt() -> None:
    text = "cock ale, and other bastard beers"
    assert [each.severity for each in found(f"A {text[5:]}")] == ["block"]
    named = found(text.replace(" ale", "s"), Brand(name="Bastard & Cocks"))
    assert {(each.rule, each.severity) for each in named} == {("in_name", "review")}
    named = found("bastard beers", brief=Brief(product="Bastard stout"))
    assert [each.severity for each in named] == ["review"]


def test_the_span_is_that_of_the_word_and_not_of_its_like() -> None:
    text = "Assess the ass"
    assert [(each.start, each.end) for each in found(text)] == [(11, 14)]


def test_every_word_of_the_base_list_is_found_or_excepted() -> None:
    words = lexicon.load()
    base = list(lexicon.base_words())
    assert len(base) > 800
    for word in base:
        excepted = word in words.innocent or word.replace("-", " ") in words.innocent
        assert excepted or found(word), word


def test_no_word_is_both_excepted_and_listed() -> None:
    words = lexicon.load()
    assert not words.innocent & words.words.keys()
    for name in ("profanity_review.txt", "profanity_block.txt"):
        listed = {entry.strip("^~=*") for entry in lexicon.entries(name)}
        assert not listed & words.innocent


def test_at_least_twenty_thousand_short_texts_a_second() -> None:
    words = "Sizes from XS to XXL, 15% off the first jumper until Tuesday, and we'll pay postage"
    texts = [f"{n} {words[n % 40 :]}" for n in range(4000)]
    items = [Item(text) for text in texts]
    best = min(_seconds(items) for _ in range(3))
    assert len(items) / best > 20_000


@pytest.mark.parametrize(
    "piece",
    ["a", "f u c k ", "a b ", "sh1t ", "f*", "x%", "a.b@", "shi t ", "spotted dick ", "*", "a-"],
)
def test_a_hostile_line_of_ten_thousand_characters_takes_fifty_milliseconds_at_most(
    piece: str,
) -> None:
    item = Item((piece * 10_000)[:10_000])
    assert min(_seconds([item]) for _ in range(5)) < 0.05


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(exclude_categories=()), max_size=80))
def test_any_text_is_judged_the_same_twice_with_spans_inside_it(text: str) -> None:
    findings = found(text)
    assert findings == found(text)
    assert all(0 <= each.start < each.end <= len(text) for each in findings)


def _seconds(items: list[Item]) -> float:
    before = time.thread_time()
    CHECK.run(items)
    return time.thread_time() - before

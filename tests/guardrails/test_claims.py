"""What is read out of a text as a number, percentage, price, date or time."""

import time

import pytest

from guardrails.grounding.claims import LONGEST, MOST, parse
from guardrails.grounding.names import near, tokens


@pytest.mark.parametrize(
    ("text", "kind", "value", "unit"),
    [
        ("twenty-five jars", "number", 25, ""),
        ("a dozen eggs", "number", 12, ""),
        ("half a million stitches", "number", 500_000, ""),
        ("one hundred and twenty seats", "number", 120, ""),
        ("the third shop", "number", 3, ""),
        ("10k runners", "number", 10_000, ""),
        ("1,250.5 points", "number", 1250.5, ""),
        ("20 kg bags", "number", 20_000, "mass"),
        ("20km away", "number", 20_000, "length"),
        ("half an hour", "number", 1800, "time"),
        ("90-minute class", "number", 5400, "time"),
        ("15 per cent", "percentage", 15, ""),
        ("a fifth off", "percentage", 20, ""),
        ("half price", "percentage", 50, ""),
        ("two thirds off", "percentage", 66.666667, ""),
        ("£9.50 each", "price", 9.5, "GBP"),
        ("A$12 each", "price", 12, "AUD"),
        ("9 pounds", "price", 9, "GBP"),
        ("GBP 9", "price", 9, "GBP"),
        ("99p a bar", "price", 0.99, "GBP"),
        ("50 cents", "price", 0.5, ""),
        ("R165 a bottle", "price", 165, "ZAR"),
    ],
)
def test_a_figure_is_read_with_its_unit(text: str, kind: str, value: float, unit: str) -> None:
    (figure,) = parse(text).figures
    assert (figure.kind, figure.value, figure.unit) == (kind, value, unit)


def test_both_ends_of_a_range_have_the_unit() -> None:
    assert [(each.value, each.unit) for each in parse("7-9 kg").figures] == [
        (7000, "mass"),
        (9000, "mass"),
    ]
    assert [(each.kind, each.value) for each in parse("£10-15").figures] == [
        ("price", 10),
        ("price", 15),
    ]


@pytest.mark.parametrize(
    ("text", "day", "month", "year", "weekday"),
    [
        ("by 3 May", 3, 5, None, None),
        ("May 3rd", 3, 5, None, None),
        ("the third of May", 3, 5, None, None),
        ("Friday 12 March", 12, 3, None, 4),
        ("Wednesday, May 12, 2027", 12, 5, 2027, 2),
        ("2027-03-12", 12, 3, 2027, None),
    ],
)
def test_a_date_is_read(
    text: str, day: int, month: int, year: int | None, weekday: int | None
) -> None:
    (moment,) = parse(text).moments
    assert moment.days == {(day, month)}
    assert (moment.year, moment.weekday) == (year, weekday)
    assert not parse(text).figures


def test_figures_with_a_slash_are_read_in_either_order() -> None:
    (moment,) = parse("until 12/03").moments
    assert moment.days == {(12, 3), (3, 12)}


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("at 7am", {420}),
        ("at 10.40pm", {1360}),
        ("at 17:00", {1020}),
        ("at 7:30", {450, 1170}),
        ("at 07:30", {450}),
        ("at noon", {720}),
        ("by midnight", {0}),
        ("half past six", {390, 1110}),
        ("six o'clock", {360, 1080}),
    ],
)
def test_a_time_is_read(text: str, minutes: set[int]) -> None:
    (moment,) = parse(text).moments
    assert moment.minutes == minutes


def test_a_range_of_weekdays_holds_those_between() -> None:
    assert {each.weekday for each in parse("Monday to Thursday").moments} == {0, 1, 2, 3}


@pytest.mark.parametrize(
    "text",
    [
        "May we march on?",
        "They sat in the sun.",
        "You may 3 times",
        "Take a second look",
        "mon ami",
    ],
)
def test_ordinary_words_are_no_dates(text: str) -> None:
    assert not parse(text).moments


@pytest.mark.parametrize(
    ("text", "kind", "word"),
    [
        ("Use WOOL15 today", "code", "WOOL15"),
        ("your code: Spring", "code", "Spring"),
        ("AUTUMN takes a bit off", "code", "AUTUMN"),
        ("Now in Leeds", "name", "Leeds"),
        ("a HUGE thing", "capitals", "HUGE"),
    ],
)
def test_codes_and_names_are_told_by_their_capitals_and_neighbours(
    text: str, kind: str, word: str
) -> None:
    assert next((each.kind, each.text) for each in tokens(text)) == (kind, word)


@pytest.mark.parametrize(
    "text", ["The NHS in the UK", "READ THIS NOW PLEASE", "Six Colours, One Mill, No Dye"]
)
def test_capitals_in_ordinary_use_are_nothing(text: str) -> None:
    assert not list(tokens(text))


def test_two_codes_are_near_by_their_letters() -> None:
    assert near("FIRSTLAYER", "FIRSTLAYERS")
    assert not near("FIRSTLAYER", "SECONDLAYER")


def test_what_is_too_long_or_too_full_is_cut_and_says_where() -> None:
    assert parse("a " * LONGEST).cut == LONGEST
    flood = parse("9 " * (MOST + 50))
    assert len(flood.figures) <= MOST + 1
    assert flood.cut < 2 * MOST + 2
    assert len(parse("9 " * (MOST + 50), whole=True).figures) == MOST + 50


@pytest.mark.parametrize(
    "piece",
    ["9", "9 ", "£9-", "may 5 ", "one ", "half a ", "{{", "5 pm ", "Monday to ", "a-", "A1"],
)
def test_a_long_line_is_read_in_linear_time(piece: str) -> None:
    line = (piece * 10_000)[:10_000]
    best = min(_seconds(line) for _ in range(3))
    assert best < 0.25  # A quiet machine takes a tenth of it.


def _seconds(line: str) -> float:
    before = time.perf_counter()
    parse(line)
    return time.perf_counter() - before

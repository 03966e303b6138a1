"""Dates, weekdays, months and times of day in English text."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

from guardrails.grounding.numerals import ORDINALS, SMALL, listed

MONTHS = listed(
    "january february march april may june july august september october november december"
)
WEEKDAYS = listed("monday tuesday wednesday thursday friday saturday sunday")
DAY_MINUTES = 24 * 60
CLOCK_WORDS = {"noon": 720, "midday": 720, "midnight": 0}

_MONTH_NUMBER = {name[:3]: number for number, name in enumerate(MONTHS, start=1)}
_WEEKDAY_NUMBER = {name[:3]: number for number, name in enumerate(WEEKDAYS)}
_DAY_WORDS = {word: int(value) for word, value in ORDINALS.items() if value <= 31} | {
    f"{tens}-{word}": base + int(ORDINALS[word])
    for tens, base in (("twenty", 20), ("thirty", 30))
    for word in listed("first second third fourth fifth sixth seventh eighth ninth")
    if base + ORDINALS[word] <= 31
}

WORDS = frozenset(
    {*MONTHS, *(f"{day}{ending}" for day in WEEKDAYS for ending in ("", "s")), *CLOCK_WORDS}
    | {name[:3] for name in (*MONTHS, *WEEKDAYS)}
    | {"sept", "tues", "thur", "thurs", "o'clock", "clock", "past", "weekend", "weekends"}
)
"""Lower-case words without which a text that has no digits holds no moment."""

_M = (
    rf"(?:(?:{'|'.join(MONTHS)})\b"
    r"|(?:jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\b\.?)"
)
_W = (
    rf"(?:(?:{'|'.join(WEEKDAYS)})\b"
    r"|(?:mon|tues?|wed|thu|thurs?|fri|sat|sun)\b\.?)"
)
_WORDED = "|".join(sorted(_DAY_WORDS, key=len, reverse=True))
_D = r"[0-3]?\d(?:st|nd|rd|th)?"
_YEAR = r"(?:,?\s(?P<year>(?:19|20)\d\d)\b)?"
_TO = r"\s?(?:-|–|—|to|and|or|&|until|till)\s?"

DATE = re.compile(
    rf"(?<![\w£$€¥₹.,/])(?:"
    rf"(?P<iso>\d{{4}}-\d\d-\d\d)(?!\d)"
    rf"|(?P<slashed>\d{{1,2}}[/.]\d{{1,2}}[/.](?:\d{{4}}|\d\d))(?![\d/])"
    rf"|(?P<short>[0-3]?\d/[0-3]?\d)(?![\d/])"
    rf"|(?:(?:(?P<weekday0>{_W}),?\s(?:the\s)?)?(?P<from>{_D}){_TO})?"
    rf"(?:(?P<weekday>{_W})(?:,?\s(?:the\s)?))?"
    rf"(?:(?P<day>{_D}|(?:the\s)?(?:{_WORDED}))\s(?:of\s)?(?P<month>{_M})"
    rf"|(?P<month2>{_M})\s(?:the\s)?(?P<day2>{_D}|(?:{_WORDED}))\b(?![:.]\d|\s?%|,\d\d\d\b"
    rf"|\s?(?:am|pm|a\.m|p\.m)\b)"
    rf"(?:{_TO}(?P<to>{_D})(?!\w|[:.]\d|\s?(?:am|pm)\b|\s(?:{_M})))?){_YEAR}"
    rf")",
    re.IGNORECASE,
)
MONTH_YEAR = re.compile(rf"\b(?P<month>{_M})\s(?P<year>(?:19|20)\d\d)\b", re.IGNORECASE)
BARE = re.compile(rf"\b(?:(?P<month>{_M})|(?P<weekday>{_W}|(?:{'|'.join(WEEKDAYS)})s\b))", re.I)
TIME = re.compile(
    r"(?<![\w£$€¥₹.,:/])(?P<hour>[0-2]?\d)(?:"
    r"(?:[:.](?P<minute>[0-5]\d))?\s?(?P<half>[ap])\.?m\b\.?"
    r"|:(?P<minute2>[0-5]\d)(?![\d:])|h(?P<minute3>[0-5]\d)\b"
    r"|(?P<clock>\so'clock))",
    re.IGNORECASE,
)
_HOUR = "|".join(word for word, value in SMALL.items() if 1 <= value <= 12)
SPOKEN = re.compile(
    rf"\b(?:(?P<oclock>{_HOUR})\so'clock"
    rf"|(?P<lead>half|quarter)[\s-](?P<side>past|to)[\s-](?P<hour>{_HOUR}|1?\d)\b"
    rf"|(?P<word>{'|'.join(CLOCK_WORDS)})\b)",
    re.IGNORECASE,
)
_MONTH_BEFORE = re.compile(
    r"\b(?:in|of|by|until|till|through|from|to|this|next|last|late|early|mid|since|before|after"
    r"|during|every|each|and|or|for|throughout|all|end|ends|ending|on|one"
    r"|starting|starts|begins|closes|opens|date|dated|-|–)[\s-]?$",
    re.IGNORECASE,
)
_BREAK_BEFORE = re.compile(r"(?:^|[,.:;(])\s?$")
_NUMERIC = re.compile(r"\d[/.-]\d")
_HOLIDAY = re.compile(
    r"\b(?:black fri|good fri|cyber mon|easter (?:sun|mon)|palm sun|ash wed|(?:shrove|super|giving) tue)$",
    re.IGNORECASE,
)
_MID_SENTENCE = re.compile(r"(?:^|[^\w.])[a-z][\w'-]*,?\s$")
_MONTH_AFTER = re.compile(rf"\s?(?:to|and|or|until|through|-|–)\s?{_M}", re.IGNORECASE)
_DAY_BEFORE = re.compile(
    r"(?:\b(?:until|till|by|on|this|next|to|and|before|from|every|every|ends|or|open)|[-–,:])\s?$",
    re.IGNORECASE,
)
_RANGE_BETWEEN = re.compile(r"\s?(?:-|–|—|to|until|till|through)\s?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Moment:
    """A date, as far as `text[start:end]` tells it, or a time of day.

    `weekday` counts from Monday, 0. `minutes` are the minutes of the day that a time can mean:
    both halves of the day where it does not say which. `days` are the (day, month) readings.
    `ranged` tells one end of a range ("Monday to Friday"), `between` what stands between the ends.
    """

    start: int
    end: int
    days: frozenset[tuple[int, int]] = frozenset()
    month: int | None = None
    year: int | None = None
    weekday: int | None = None
    minutes: frozenset[int] = frozenset()
    ranged: bool = False
    between: bool = False

    @property
    def is_time(self) -> bool:
        """Whether it is a time of day."""
        return bool(self.minutes)

    def weekdays(self, years: frozenset[int] | set[int]) -> set[int]:
        """The weekdays it falls on: as written, else in its year, else in each of `years`."""
        if self.weekday is not None:
            return {self.weekday}
        found = set()
        for year in {self.year} if self.year else years:
            for day, month in self.days:
                try:
                    found.add(date(year, month, day).weekday())
                except ValueError:
                    continue
        return found


def moments(text: str, words: frozenset[str] | set[str], digits: bool) -> list[Moment]:
    """All dates and times of `text`; `words` are its lower-case words."""
    named = not WORDS.isdisjoint(words)
    if not (named or digits):
        return []
    found: list[Moment] = []
    if named or _NUMERIC.search(text):
        found += _dates(text)
    if digits:
        found += _times(text, found)
    if named:
        found += _spoken(text)
        found += _bare(text, found)
    return found


def _dates(text: str) -> Iterator[Moment]:
    for match in DATE.finditer(text):
        start, end = match.span()
        numeric = match["iso"] or match["slashed"] or match["short"]
        if numeric:
            moment = _numeric(numeric, start, end)
            if moment is not None:
                yield moment
            continue
        month = _MONTH_NUMBER[(match["month"] or match["month2"])[:3].lower()]
        day = _day(match["day"] or match["day2"])
        if not 1 <= day <= 31:
            continue
        written = match["month"] or match["month2"]
        # "You may 3 times" is no date; "by may 3" in a lower-case brand's line is.
        verb = match["month2"] and written in ("may", "march", "mar")
        verb = verb and not (match["weekday"] or match["year"])
        before = text[max(0, start - 12) : start]
        if verb and not (_MONTH_BEFORE.search(before) or _BREAK_BEFORE.search(before)):
            continue
        year = int(match["year"]) if match["year"] else None
        weekday = _weekday(match["weekday"]) if match["weekday"] else None
        yield Moment(start, end, frozenset({(day, month)}), month, year, weekday)
        for other, its_weekday in ((match["from"], match["weekday0"]), (match["to"], None)):
            if other and 1 <= _day(other) <= 31:
                falls = _weekday(its_weekday) if its_weekday else None
                yield Moment(start, end, frozenset({(_day(other), month)}), month, year, falls)
    for match in MONTH_YEAR.finditer(text):
        month = _MONTH_NUMBER[match["month"][:3].lower()]
        yield Moment(*match.span(), month=month, year=int(match["year"]))


def _numeric(written: str, start: int, end: int) -> Moment | None:
    """A date in figures; day and month may stand in either order."""
    if "-" in written:
        year, month, day = (int(part) for part in written.split("-"))
        if not (1 <= month <= 12 and 1 <= day <= 31):
            return None
        return Moment(start, end, frozenset({(day, month)}), month, year)
    first, second, *rest = (int(part) for part in re.split(r"[/.]", written))
    days = {(a, b) for a, b in ((first, second), (second, first)) if 1 <= b <= 12 and 1 <= a <= 31}
    if not days or (not rest and written in ("24/7", "50/50", "1/2", "1/3", "1/4", "3/4", "2/3")):
        return None
    found_year = (rest[0] if rest[0] > 99 else 2000 + rest[0]) if rest else None
    return Moment(start, end, frozenset(days), None, found_year)


def _day(written: str) -> int:
    lowered = written.lower().removeprefix("the ")
    if lowered in _DAY_WORDS:
        return _DAY_WORDS[lowered]
    return int("".join(each for each in written if each.isdigit()) or 0)


def _weekday(written: str) -> int:
    return _WEEKDAY_NUMBER[written[:3].lower()]


def _times(text: str, dates: list[Moment]) -> Iterator[Moment]:
    taken = {each.start for each in dates}
    for match in TIME.finditer(text):
        hour = int(match["hour"])
        minute = int(match["minute"] or match["minute2"] or match["minute3"] or 0)
        if hour > 24 or match.start() in taken:
            continue
        padded = match["hour"].startswith("0")
        yield Moment(*match.span(), minutes=_minutes(hour, minute, match["half"], padded))


def _minutes(
    hour: int, minute: int, half: str | None = None, padded: bool = False
) -> frozenset[int]:
    """`padded` tells an hour written as in "08:00", which is of the 24-hour clock."""
    if half:
        return frozenset({(hour % 12 + (12 if half.lower() == "p" else 0)) * 60 + minute})
    plain = hour % 24 * 60 + minute
    if padded:
        return frozenset({plain})
    return frozenset({plain, (plain + 720) % DAY_MINUTES}) if hour <= 12 else frozenset({plain})


def _spoken(text: str) -> Iterator[Moment]:
    for match in SPOKEN.finditer(text):
        if match["word"]:
            minutes = frozenset({CLOCK_WORDS[match["word"].lower()]})
        elif match["oclock"]:
            minutes = _minutes(int(SMALL[match["oclock"].lower()]), 0)
        else:
            written = match["hour"].lower()
            hour = int(SMALL[written]) if written in SMALL else int(written)
            shift = {"half": 30, "quarter": 15}[match["lead"].lower()]
            if match["side"].lower() == "to":
                shift = -shift
            minutes = frozenset((each + shift) % DAY_MINUTES for each in _minutes(hour % 24, 0))
        yield Moment(*match.span(), minutes=minutes)


def _bare(text: str, dates: list[Moment]) -> list[Moment]:
    """Months and weekdays on their own; what stands between two ends of a range counts too."""
    taken = {index for each in dates for index in range(each.start, each.end)}
    last: Moment | None = None
    bare: list[Moment] = []
    for match in BARE.finditer(text):
        start, end = match.span()
        if start in taken:
            continue
        before = text[max(0, start - 12) : start]
        if match["month"] and _is_month(match["month"], before, text[end : end + 16]):
            number = _MONTH_NUMBER[match["month"][:3].lower()]
            moment = Moment(start, end, month=number)
        elif (
            match["weekday"]
            and not _HOLIDAY.search(before + match["weekday"][:3])
            and _is_weekday(match["weekday"], before)
        ):
            moment = Moment(start, end, weekday=_weekday(match["weekday"]))
        else:
            continue
        if last is not None and _RANGE_BETWEEN.fullmatch(text, last.end, start):
            bare[-1] = replace(last, ranged=True)
            bare += _between(last, moment)
            moment = replace(moment, ranged=True)
        bare.append(moment)
        last = moment
    return bare


def _between(first: Moment, last: Moment) -> Iterator[Moment]:
    if first.weekday is not None and last.weekday is not None:
        for step in range(1, (last.weekday - first.weekday) % 7):
            yield Moment(last.start, last.start, weekday=(first.weekday + step) % 7, between=True)
    elif first.month and last.month:
        for step in range(1, (last.month - first.month) % 12):
            month = (first.month - 1 + step) % 12 + 1
            yield Moment(last.start, last.start, month=month, between=True)


def _is_month(written: str, before: str, after: str) -> bool:
    """Whether a name of a month is one, and not a verb or a girl."""
    name = written.rstrip(".")
    if name.lower() in ("may", "march", "mar", "august", "jan", "dec", "sep", "oct", "apr"):
        return not name.islower() and bool(
            _MONTH_BEFORE.search(before)
            or _MID_SENTENCE.search(before)
            or _MONTH_AFTER.match(after)
        )
    return len(name) > 3 or not name.islower()


def _is_weekday(written: str, before: str) -> bool:
    name = written.rstrip(".")
    if name.lower().endswith(("day", "days")):
        return True
    if name.islower():
        return False
    return name.lower() not in ("sat", "sun") or bool(_DAY_BEFORE.search(before))

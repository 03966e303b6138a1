"""Whether a brief bears a figure or a moment, and how bad it is where it does not."""

import re
from dataclasses import dataclass

from guardrails.grounding.claims import Figure
from guardrails.grounding.dates import WEEKDAYS, Moment
from guardrails.grounding.sources import FUNCTION, Source, is_hour, stem
from guardrails.types import Severity

SMALL = 10
"""Number words up to this one are as often idiom as claim ("in two minds"): a person looks."""
NEAR = 0.25
"""Share by which "under £20" or "over 400" may differ from the brief's figure to be looked at."""

_DOLLARS = frozenset({"$", "USD", "AUD", "CAD", "NZD", "HKD", "SGD", "BRL"})
_ANY_DAY = re.compile(r"\b(?:every|each|any|a|your|lazy|slow|quiet|perfect)\s$", re.I)
_DEADLINE = re.compile(r"\b(?:by|until|till|at|before|ends|closes|to)\s?$", re.I)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is wrong with a claim: the rule, how bad, the reason and the fix."""

    rule: str
    severity: Severity
    message: str
    suggestion: str


def judge_figure(figure: Figure, text: str, source: Source) -> Judgement | None:
    """None where the brief bears `figure` of `text`."""
    if _ignored(figure):
        return None
    same = source.plain.get(figure.plain, [])
    if figure.value != figure.plain:
        same = same + source.plain.get(figure.value, [])
    if any(_bears(each, figure) for each in same):
        return _attached(figure, same, text, source) or _hour(figure, text, source)
    if figure.kind == "number" and (_is_year(figure, source) or _is_in_date(figure, text, source)):
        return None
    words = text[figure.start : figure.end].strip()
    message = f"“{words}” is not in the brief."
    known = ", ".join(_written(figure, source)) or "no such figure"
    if figure.kind == "price" and any(each.kind == "price" for each in same):
        message = f"“{words}” has another currency than the brief."
    elif figure.kind == "number" and figure.unit and any(each.unit for each in same):
        message = f"“{words}” has another unit than the brief."
    severity = _severity(figure, same, source)
    suggestion = f"Use a figure from the brief ({known}) or leave it out."
    return Judgement(figure.kind, severity, message, suggestion)


def _severity(figure: Figure, same: list[Figure], source: Source) -> Severity:
    """How bad a figure is that the brief does not bear, where `same` has its value all the same."""
    if figure.kind == "price" and any(each.kind == "price" for each in same):
        return "block"
    if figure.unit and any(each.kind == "number" and not each.unit for each in same):
        return "review"
    counted = source.heads.get(stem(figure.head)) if figure.head else None
    if figure.kind == "number" and counted and not figure.part:
        # The brief counts the same thing, and counts something else.
        within = figure.words and min(counted) < figure.plain < max(counted)
        soft = within or figure.plain < 2 or _is_near(figure, source)
        return "review" if soft else "block"
    if figure.part and figure.plain in (round(24 / 7, 6), 1.0):
        return "review"  # "24/7" and "50/50" are as often idiom as claim.
    soft = _is_soft(figure) or _is_near(figure, source) or _is_derived(figure, source)
    return "review" if soft or _is_hour(figure, source) else "block"


def _ignored(figure: Figure) -> bool:
    """Words that only look like numbers: the pronoun "one", "first" and "second"."""
    if not figure.words:
        return False
    if figure.kind == "number" and not figure.part:
        if figure.ordinal:
            return figure.plain < 3
        return figure.plain == 1 and (not figure.unit or figure.value == 86400)
    return False


def _bears(source: Figure, claim: Figure) -> bool:
    if claim.kind == "price":
        if source.kind == "price":
            return source.value == claim.value and _same_money(source.unit, claim.unit)
        # "60 pounds" may be a weight.
        return source.unit == "ounces" and claim.unit == "GBP" and source.plain == claim.plain
    if claim.kind == "percentage":
        return source.kind == "percentage" and abs(source.value - claim.value) < 0.4
    if claim.unit and source.unit:
        if source.kind == "price":
            return source.unit == "GBP" and claim.unit == "ounces" and source.plain == claim.plain
        return source.unit == claim.unit and source.value == claim.value
    if claim.unit:
        # "Seven sizes" bear no 7 cm.
        return False
    if source.words and source.plain == 1 and not claim.words:
        # The pronoun "one" bears no figure 1.
        return bool(claim.head) and stem(source.head) == stem(claim.head)
    if source.part and not claim.part:
        return False
    if source.kind != "number" and claim.head and claim.head not in FUNCTION:
        return claim.words is source.words and not claim.words
    return True


def _same_money(first: str, second: str) -> bool:
    if first == second or not first or not second:
        return True
    return "$" in (first, second) and {first, second} <= _DOLLARS


def _attached(figure: Figure, same: list[Figure], text: str, source: Source) -> Judgement | None:
    """A borne figure with another role than in the brief.

    It is taken off a price, or counts what the brief counts with another number.
    """
    if figure.kind == "number" and not figure.unit and not figure.ordinal and not figure.part:
        head = stem(figure.head)
        others = source.heads.get(head, ())
        if figure.head and others and figure.plain not in others and figure.head not in FUNCTION:
            words = text[figure.start : figure.end].strip() + " " + figure.head
            return Judgement(
                "implied_change",
                "review",
                f"The brief has “{words.split()[0]}”, but not for “{figure.head}”.",
                "Check which number belongs to which thing.",
            )
        others = source.leads.get(figure.lead, ()) if figure.lead not in FUNCTION else ()
        if others and figure.plain not in others and not figure.words:
            words = figure.lead + " " + text[figure.start : figure.end].strip()
            return Judgement(
                "implied_change",
                "review",
                f"The brief has the number of “{words}”, but not with “{figure.lead}”.",
                "Check which number belongs to which thing.",
            )
    if figure.kind == "number" or not figure.reduces:
        return None
    if any(each.reduces for each in same if each.kind == figure.kind):
        return None
    words = text[figure.start : figure.end].strip()
    return Judgement(
        "implied_change",
        "review",
        f"“{words}” is in the brief, but not as something that is taken off.",
        "Say it as the brief does.",
    )


def _hour(figure: Figure, text: str, source: Source) -> Judgement | None:
    """An hour ("open till 7") that only some other number of the brief would bear."""
    before = text[max(0, figure.start - 7) : figure.start]
    if not _DEADLINE.search(before) or not is_hour(figure, text) or not source.minutes:
        return None
    clock = int(figure.plain) * 60 + round(figure.plain % 1 * 100)
    if not {clock, (clock + 720) % 1440}.isdisjoint(source.minutes):
        return None
    return _date(text[figure.start : figure.end], "review")


def _is_year(figure: Figure, source: Source) -> bool:
    return not figure.unit and figure.value in source.years


def _is_in_date(figure: Figure, text: str, source: Source) -> bool:
    """A day of the brief's dates ("the 4th", "Friday 12"), or an hour ("from 9 until six")."""
    if figure.unit:
        return False
    before = text[max(0, figure.start - 12) : figure.start]
    if figure.ordinal or before.rstrip(", ").lower().endswith(
        ("day", "and", "the", "or", "to", "by", "on", "from")
    ):
        days = {day for moment in source.days for day, _ in moment.days}
        if figure.value in days:
            return True
    dotted = "." in text[figure.start : figure.end] and figure.plain < 24
    if dotted or is_hour(figure, text):
        clock = int(figure.plain) * 60 + round(figure.plain % 1 * 100)
        return not {clock, (clock + 720) % 1440}.isdisjoint(source.minutes)
    return False


def _is_hour(figure: Figure, source: Source) -> bool:
    """A bare number that is an hour of the brief, where nothing beside it says so: "10, 11"."""
    return (
        figure.kind == "number"
        and not figure.unit
        and figure.plain < 24
        and not {figure.plain * 60, (figure.plain * 60 + 720) % 1440}.isdisjoint(source.minutes)
    )


def _is_soft(figure: Figure) -> bool:
    """Small words and vague ones are for a person to judge."""
    if not figure.words:
        return False
    if figure.kind == "percentage":
        return figure.next_word not in ("price", "off", "priced", "less", "cheaper")
    return figure.kind == "number" and (figure.plain <= SMALL or figure.part)


def _is_near(figure: Figure, source: Source) -> bool:
    """ "Under £20" where the brief has £19.50; "over 400" where it has 410."""
    if not figure.bound:
        return False
    for each in source.claims.figures:
        if each.kind == figure.kind and each.unit == figure.unit and figure.value:
            share = (each.value - figure.value) / figure.value
            low = -NEAR if figure.bound != "above" else 0
            high = NEAR if figure.bound != "below" else 0
            if low <= share <= high:
                return True
    return False


def _is_derived(figure: Figure, source: Source) -> bool:
    """Sums and differences of the brief's own figures: right perhaps, yet not in the brief."""
    others = [
        each.value
        for each in source.claims.figures
        if each.kind == figure.kind == "price" and _same_money(each.unit, figure.unit)
    ][:12]
    shares = [each.value for each in source.claims.figures if each.kind == "percentage"][:6]
    value = figure.value
    for index, first in enumerate(others):
        if any(abs(first * (1 - share / 100) - value) < 0.006 for share in shares):
            return True
        for second in others[index + 1 :]:
            if min(abs(abs(first - second) - value), abs(first + second - value)) < 0.006:
                return True
    return False


def _written(figure: Figure, source: Source) -> list[str]:
    """The brief's own figures of the same kind, as written there; at most four."""
    found = [
        source.text[each.start : each.end].strip()
        for each in source.claims.figures
        if each.kind == figure.kind
    ]
    return list(dict.fromkeys(found))[:4]


def judge_moment(moment: Moment, text: str, source: Source) -> Judgement | None:
    """None where the brief bears `moment` of `text`."""
    words = text[moment.start : moment.end].strip(" .,")
    if moment.is_time:
        return None if _time_borne(moment, source) else _time(words, moment, text)
    if moment.days:
        return _day(words, moment, source)
    if moment.year and moment.year not in source.years:
        return _date(words, "block")
    if moment.month and moment.month not in source.months:
        return _date(words, "block")
    named = any(kind == "weekday" for kind, _ in source.range_ends)
    if moment.weekday is not None and moment.weekday not in source.weekdays:
        idiom = _ANY_DAY.search(text[max(0, moment.start - 8) : moment.start])
        soft = (source.has_daily or idiom) and not named
        return _date(words, "review" if soft else "block")
    if moment.ranged and (source.has_ranges or moment.month or not source.has_daily):
        weekday = moment.weekday
        end = ("month", moment.month or 0) if weekday is None else ("weekday", weekday)
        if end not in source.range_ends:
            return _date(words, "review")
    return None


def _time_borne(moment: Moment, source: Source) -> bool:
    if moment.minutes == {0} and source.ends_at_midnight:
        return True
    return not moment.minutes.isdisjoint(source.minutes)


def _time(words: str, moment: Moment, text: str) -> Judgement:
    soft = words.lower() in ("noon", "midday", "midnight")
    if soft and _DEADLINE.search(text[max(0, moment.start - 10) : moment.start]):
        soft = False
    return _date(words, "review" if soft else "block")


def _day(words: str, moment: Moment, source: Source) -> Judgement | None:
    same = [each for each in source.days if each.days & moment.days]
    same = [each for each in same if not (each.year and moment.year and each.year != moment.year)]
    if not same and any(
        month in source.months and any(_counts(each) for each in source.plain.get(float(day), []))
        for day, month in moment.days
    ):
        # "13 and 14, and 20 and 21 November" gives its month to the last of them alone.
        return _date(words, "review")
    if not same or (moment.year and moment.year not in source.years):
        return _date(words, "block")
    if moment.weekday is None:
        return None
    falls = {day for each in same for day in each.weekdays(source.years)}
    if moment.weekday in falls:
        return None
    if not falls:
        return None if moment.weekday in source.weekdays else _date(words, "review")
    right = ", ".join(WEEKDAYS[day].capitalize() for day in sorted(falls))
    return Judgement(
        "date",
        "block",
        f"“{words}” has the wrong weekday.",
        f"In the brief that date is a {right}.",
    )


def _counts(figure: Figure) -> bool:
    return figure.kind == "number" and not figure.unit and not figure.words


def _date(words: str, severity: Severity) -> Judgement:
    return Judgement(
        "date",
        severity,
        f"“{words}” is not in the brief.",
        "Use a date or time from the brief, or leave it out.",
    )

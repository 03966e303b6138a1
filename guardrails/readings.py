"""Readings: how a line reads once a value stands in a merge tag's place."""

import re

STOPS = ",;:.!?"
GREETINGS = frozenset(
    (
        *("hi", "hello", "hey", "hiya", "howdy", "hallo", "hullo", "greetings", "welcome", "ahoy"),
        *("morning", "afternoon", "evening", "again", "oh", "ok", "okay", "yo", "g'day", "who's"),
    )
)
"""Words after which "there" is a way to call somebody."""

_WORD = re.compile(r"\w+(?:['’]\w+)*")
# Written with a vowel and spoken without, and the other way round.
_SPOKEN_WITHOUT = re.compile(r"(?:one|once|eu|u[bcfhjkqrst][aeiou]|uni(?!n)|ewe)", re.IGNORECASE)
_SPOKEN_WITH = re.compile(r"(?:hour|honest|honou?r|heir|[fhlmnrsx](?:\b|[A-Z0-9]))", re.IGNORECASE)


def clumsy(before: str, value: str, after: str) -> str | None:
    """What is wrong with the line once `value` stands between `before` and `after`."""
    line = value + after
    if not before.strip() and line.lstrip()[:1] in set(STOPS + "-"):
        return "starts with a punctuation mark"
    if not value.strip():
        if before.endswith(" ") and (not after.strip() or after[0] in " " + STOPS):
            return "has a gap"
        return None
    if value[-1] in STOPS and after.lstrip()[:1] in set(STOPS):
        return "has two punctuation marks in a row"
    if value[0] in STOPS and before.rstrip()[-1:] in set(STOPS):
        return "has two punctuation marks in a row"
    if (value[0] == " " and before[-1:] in {"", " "}) or (
        value[-1] == " " and after[:1] in {"", " "}
    ):
        return "has a gap"
    if _says_twice(before, value, after):
        return "says a word twice"
    words = _words(before[-60:])
    if before.endswith(" ") and words and _wrong_article(words[-1], value):
        return f"says “{words[-1]} {value}”"
    if value.lower() == "there" and (
        after[:2] in ("'s", "’s") or not GREETINGS.intersection(words[-1:])
    ):
        return "calls nobody: “there” needs a “hi” before it"
    return None


def starts_low(before: str, value: str) -> bool:
    """Whether a sentence starts with `value` and `value` with a small letter."""
    starts = not before.strip() or (before[-1:].isspace() and before.rstrip()[-1] in ".!?")
    return starts and value[:1].islower()


def _says_twice(before: str, value: str, after: str) -> bool:
    inside, earlier = _words(value), _words(before[-60:])[-1:]
    if (
        earlier
        and before[-1:] in {" ", "-"}
        and (inside[:1] == earlier or (len(earlier[0]) > 3 and earlier[0] in inside))
    ):
        return True
    return after[:1] == " " and bool(inside) and _words(after[:60])[:1] == inside[-1:]


def _wrong_article(article: str, value: str) -> bool:
    """Whether "a" or "an" before `value` should be the other one."""
    vowel = value[:1].lower() in set("aeiou")
    if article == "a":
        return vowel and not _SPOKEN_WITHOUT.match(value)
    return article == "an" and value[:1].isalpha() and not vowel and not _SPOKEN_WITH.match(value)


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]

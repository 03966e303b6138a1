"""Numbers in English text, in digits and in words, wherever they stand."""

import re
from dataclasses import dataclass


def listed(words: str) -> list[str]:
    """The words of a list written as text."""
    return words.split()


SMALL = {
    word: float(value)
    for value, word in enumerate(
        listed(
            "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
            "fifteen sixteen seventeen eighteen nineteen"
        )
    )
}
TENS = {
    word: float(10 * value)
    for value, word in enumerate(
        listed("twenty thirty forty fifty sixty seventy eighty ninety"), start=2
    )
}
SCALES = {
    "dozen": 12.0,
    "score": 20.0,
    "hundred": 1e2,
    "thousand": 1e3,
    "million": 1e6,
    "billion": 1e9,
    "k": 1e3,
    "mn": 1e6,
    "bn": 1e9,
}
ORDINALS = {
    word: float(value)
    for value, word in enumerate(
        listed(
            "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth "
            "thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth "
            "twentieth"
        ),
        start=1,
    )
} | {"thirtieth": 30.0, "fortieth": 40.0, "fiftieth": 50.0, "hundredth": 100.0}
PARTS = {
    "half": 2.0,
    "halves": 2.0,
    "third": 3.0,
    "quarter": 4.0,
    "fourth": 4.0,
    **{word: value for word, value in ORDINALS.items() if 5 <= value <= 20},
}
TIMES = {"twice": 2.0, "thrice": 3.0}
VAGUE_SCALES = {"dozens", "scores", "hundreds", "thousands", "millions", "billions"}

WORDS = frozenset(
    {*SMALL, *TENS, *SCALES, *ORDINALS, *PARTS, *VAGUE_SCALES, "twice", "thrice", "hundreds"}
    | {f"{part}s" for part in PARTS}
) - {"k", "mn", "bn", "score", "scores"}
"""Lower-case words that can begin or be a numeral."""

DIGITS = re.compile(
    r"(?:(?<![^\W_])|(?<=\bR))"
    r"(?P<digits>\d{1,3}(?:[,\u00a0]\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)*)"
    r"(?:(?P<decimals>,\d\d)(?!\d))?"
    r"(?:(?P<ordinal>st|nd|rd|th)\b|(?P<slash>[/⁄]\d+)(?![\d/])"
    r"|\s?(?P<scale>k|mn|bn|thousand|million|billion|dozen|hundred)\b)?",
    re.IGNORECASE,
)
WORD = re.compile(r"(?<!\w)[^\W\d_]++(?!\w)")


@dataclass(frozen=True, slots=True)
class Numeral:
    """A number as it stands in `text[start:end]`.

    `part` is True for a fraction in words or of two numbers ("a fifth", "1/3"); its value is below
    one or the quotient. `ordinal` is True for "third" and "3rd".
    """

    value: float
    start: int
    end: int
    words: bool = False
    ordinal: bool = False
    part: bool = False


def numerals(text: str, words: frozenset[str] | set[str]) -> list[Numeral]:
    """All numerals of `text` in order; `words` are its lower-case words."""
    found = [_of_digits(match) for match in DIGITS.finditer(text)]
    if not WORDS.isdisjoint(words):
        # "2.3 million" is already whole.
        taken = {each.end for each in found}
        found += [each for each in _in_words(text) if each.end not in taken]
        found.sort(key=lambda each: each.start)
    return found


def _of_digits(match: re.Match[str]) -> Numeral:
    digits = match["digits"].replace(",", "").replace("\u00a0", "")
    whole, *rest = digits.split(".")
    # Three numbers with dots are a version or the like; keep them apart from any decimal.
    value = float(f"{whole}.{''.join(rest)}") if rest else float(whole)
    if len(rest) > 1:
        value += 1e12 * len(rest)
    if match["decimals"]:
        value += float(match["decimals"].replace(",", "0."))
    part = False
    if match["slash"]:
        below = float(match["slash"][1:])
        value, part = (value / below if below else value), True
    elif match["scale"]:
        value *= SCALES[match["scale"].lower()]
    return Numeral(value, *match.span(), ordinal=bool(match["ordinal"]), part=part)


def _in_words(text: str) -> list[Numeral]:
    """Runs of number words: "twenty-five", "a dozen", "half a million", "two thirds"."""
    found: list[Numeral] = []
    tokens = [(match[0].lower(), *match.span()) for match in WORD.finditer(text)]
    at = 0
    while at < len(tokens):
        if tokens[at][0] not in WORDS:
            at += 1
            continue
        numeral, after = _run(text, tokens, at)
        if numeral is not None:
            found.append(numeral)
        at = max(after, at + 1)
    return found


def _run(text: str, tokens: list[tuple[str, int, int]], at: int) -> tuple[Numeral | None, int]:
    """The numeral that begins at token `at`, and the token after it."""
    first, start, end = tokens[at]
    before = tokens[at - 1][0] if at else ""
    if first in VAGUE_SCALES:
        return Numeral(SCALES[first[:-1]], start, end, words=True, part=True), at + 1
    if first in TIMES:
        return Numeral(TIMES[first], start, end, words=True), at + 1
    if first.rstrip("s") in PARTS and first not in ("second", "seconds"):
        return _part(tokens, at)
    counted = before in ("", "one", "a", "per", "half", "several", "few")
    if first in SCALES and first != "dozen" and not counted:
        return None, at + 1
    total, current, ordinal = 0.0, 0.0, False
    index = at
    while index < len(tokens):
        word, begins, ends = tokens[index]
        if index > at and not _joined(text, end, begins):
            break
        if word == "and" and index > at and index + 1 < len(tokens):
            following = tokens[index + 1][0]
            if tokens[index - 1][0] not in SCALES or following not in {**SMALL, **TENS}:
                break
            end, index = ends, index + 1
            continue
        if word in SMALL or word in TENS:
            value = SMALL.get(word) if word in SMALL else TENS[word]
            if (
                index > at
                and tokens[index - 1][0] not in {"and", *SCALES}
                and not (tokens[index - 1][0] in TENS and word in SMALL and SMALL[word] < 10)
            ):
                break
            current += value or 0.0
        elif word in ("hundred", "dozen"):
            current = (current or 1.0) * SCALES[word]
        elif word in ("thousand", "million", "billion"):
            total += (current or 1.0) * SCALES[word]
            current = 0.0
        elif word in ORDINALS:
            if index > at and tokens[index - 1][0] not in TENS:
                break
            current += ORDINALS[word]
            ordinal, end, index = True, ends, index + 1
            break
        else:
            break
        end, index = ends, index + 1
    if index == at:
        return None, at + 1
    if index < len(tokens) and current in range(1, 10) and not ordinal:
        below = tokens[index][0].rstrip("s")
        if below in PARTS and below != "second" and _joined(text, end, tokens[index][1]):
            after = tokens[index]
            return Numeral(current / PARTS[below], start, after[2], words=True, part=True), (
                index + 1
            )
    return Numeral(total + current, start, end, words=True, ordinal=ordinal), index


def _part(tokens: list[tuple[str, int, int]], at: int) -> tuple[Numeral | None, int]:
    """ "half", "half a million", "a third", or an ordinal where no article makes it a part."""
    word, start, end = tokens[at]
    before = tokens[at - 1][0] if at else ""
    name = word if word in PARTS else word.rstrip("s")
    if name == "half" and at + 2 < len(tokens):
        article, scale = tokens[at + 1][0], tokens[at + 2][0]
        if article == "a" and scale in SCALES:
            return Numeral(SCALES[scale] / 2, start, tokens[at + 2][2], words=True), at + 3
    if name in ("half", "halves", "quarter"):
        return Numeral(1 / PARTS[name], start, end, words=True, part=True), at + 1
    following = tokens[at + 1][0] if at + 1 < len(tokens) else ""
    earlier = tokens[at - 2][0] if at > 1 else ""
    if before in ("a", "an") and earlier in ("save", "by", "saves", "saving", "up", "than", "cut"):
        return Numeral(1 / PARTS[name], start, end, words=True, part=True), at + 1
    if before in ("a", "an") and following in ("off", "of", "less", "more", "cheaper", "from"):
        return Numeral(1 / PARTS[name], start, end, words=True, part=True), at + 1
    return Numeral(ORDINALS[name], start, end, words=True, ordinal=True), at + 1


def _joined(text: str, end: int, begins: int) -> bool:
    """Whether only a space or a hyphen stands between two words."""
    return begins - end == 1 and text[end] in " -\u00a0‐‑"

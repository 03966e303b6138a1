"""Claims that figures make: numbers with their units, percentages and prices."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal

from guardrails.grounding.dates import Moment, moments
from guardrails.grounding.numerals import Numeral, listed, numerals

MOST = 200
"""Figures read in one text: subject lines hold a handful, and a flood of them must cost little."""
LONGEST = 2000
"""Characters read of one text; the longest previews have some 200."""

Kind = Literal["number", "percentage", "price"]

_UNITS: Mapping[str, tuple[str, float, str]] = {
    # base: (canonical name, factor, spellings); factors turn a value into the base unit.
    "s": ("time", 1, "second seconds sec secs"),
    "min": ("time", 60, "min mins minute minutes"),
    "h": ("time", 3600, "h hr hrs hour hours"),
    "day": ("time", 86400, "day days night nights"),
    "week": ("time", 604800, "week weeks wk wks"),
    "fortnight": ("time", 1209600, "fortnight fortnights"),
    "month": ("months", 1, "month months mth mths"),
    "year": ("months", 12, "year years yr yrs"),
    "decade": ("months", 120, "decade decades"),
    "century": ("months", 1200, "century centuries"),
    "mg": ("mass", 0.001, "mg milligram milligrams"),
    "mcg": ("mass", 1e-6, "mcg µg μg microgram micrograms"),
    "g": ("mass", 1, "g gm gram grams gramme grammes"),
    "kg": ("mass", 1000, "kg kgs kilo kilos kilogram kilograms"),
    "tonne": ("mass", 1e6, "tonne tonnes"),
    "oz": ("ounces", 1, "oz ounce ounces"),
    "lb": ("ounces", 16, "lb lbs"),
    "mm": ("length", 0.001, "mm millimetre millimetres millimeter millimeters"),
    "cm": ("length", 0.01, "cm centimetre centimetres centimeter centimeters"),
    "m": ("length", 1, "m metre metres meter meters"),
    "km": ("length", 1000, "km kms kilometre kilometres kilometer kilometers"),
    "inch": ("inches", 1, "inch inches"),
    "ft": ("inches", 12, "ft foot feet"),
    "yard": ("inches", 36, "yd yard yards"),
    "mile": ("miles", 1, "mi mile miles"),
    "ml": ("volume", 0.001, "ml millilitre millilitres milliliter milliliters"),
    "cl": ("volume", 0.01, "cl centilitre centilitres"),
    "l": ("volume", 1, "l litre litres liter liters"),
    "pint": ("pints", 1, "pint pints"),
    "quart": ("pints", 2, "quart quarts"),
    "gallon": ("pints", 8, "gallon gallons gal"),
    "w": ("power", 1, "w watt watts"),
    "kw": ("power", 1000, "kw kilowatt kilowatts"),
    "mw": ("power", 1e6, "mw megawatt megawatts"),
    "wh": ("energy", 1, "wh"),
    "kwh": ("energy", 1000, "kwh"),
    "mwh": ("energy", 1e6, "mwh"),
    "kb": ("data", 0.001, "kb"),
    "mb": ("data", 1, "mb megabyte megabytes"),
    "gb": ("data", 1000, "gb gig gigabyte gigabytes"),
    "tb": ("data", 1e6, "tb terabyte terabytes"),
    "mbps": ("rate", 1, "mbps"),
    "gbps": ("rate", 1000, "gbps"),
    "hz": ("frequency", 1, "hz"),
    "khz": ("frequency", 1000, "khz"),
    "mhz": ("frequency", 1e6, "mhz"),
    "ghz": ("frequency", 1e9, "ghz"),
    "v": ("volts", 1, "v volt volts"),
    "a": ("amps", 1, "amp amps"),
    "mah": ("charge", 1, "mah"),
    "kcal": ("kcal", 1, "kcal calorie calories cal cals"),
    "mph": ("mph", 1, "mph"),
    "kph": ("kph", 1, "kph kmh"),
    "acre": ("acres", 1, "acre acres"),
    "hectare": ("hectares", 1, "hectare hectares ha"),
    "degree": ("degrees", 1, "°c °f °"),
}
UNITS = {
    spelling: (dimension, factor)
    for dimension, factor, spellings in _UNITS.values()
    for spelling in spellings.split()
}
"""Spelling of a unit: its dimension and its size in the dimension's own base unit."""

CODES = listed("GBP USD EUR JPY INR AUD CAD NZD CHF SEK NOK DKK PLN CZK HUF ZAR SGD HKD CNY AED")
SYMBOLS = {"£": "GBP", "€": "EUR", "¥": "JPY", "₹": "INR", "₩": "KRW", "₺": "TRY", "zł": "PLN"}
DOLLARS = {"A": "AUD", "AU": "AUD", "C": "CAD", "CA": "CAD", "NZ": "NZD", "US": "USD"} | {
    "HK": "HKD",
    "S": "SGD",
    "R": "BRL",
}
NAMES = {
    **dict.fromkeys(("pound", "pounds", "quid", "sterling"), "GBP"),
    **dict.fromkeys(("euro", "euros"), "EUR"),
    **dict.fromkeys(("dollar", "dollars", "buck", "bucks"), "$"),
    **dict.fromkeys(("rupee", "rupees"), "INR"),
    **dict.fromkeys(("yen",), "JPY"),
    **dict.fromkeys(("rand",), "ZAR"),
    **dict.fromkeys(("franc", "francs"), "CHF"),
    **dict.fromkeys(("kr", "krona", "kronor", "kroner", "krone"), "kr"),
}
CENTS = {"p": "GBP", "pence": "GBP", "c": "", "¢": "$", "cent": "", "cents": ""}
"""Hundredths; those of no one currency have the empty name."""

_BEFORE = re.compile(
    rf"(?:(?P<prefix>\b(?:US|AU?|CA?|NZ|HK|S|R))?(?P<dollar>\$)|(?P<symbol>[£€¥₹₩₺])"
    rf"|\b(?P<code>{'|'.join(CODES)}|kr\.?|Rs\.?|R))\s?$"
)
_AFTER = re.compile(
    rf"\s?(?:(?P<percent>%|per\s?cent(?:age)?\b|pct\b|pc\b)|(?P<symbol>[£€¥₹]|zł)"
    rf"|(?P<code>{'|'.join(CODES)})\b"
    rf"|-?(?P<name>{'|'.join(NAMES)})\b|(?P<cents>cents?\b|pence\b|¢))"
    rf"|(?P<tight>[pc])(?![\w.-])",
    re.IGNORECASE,
)
_UNIT = re.compile(
    r"(?:\s|-)?(?:(?:full|whole|working|business|calendar|consecutive|more|extra|short|square"
    r"|cubic|fluid|fl|long|straight|light|dry|solid|entire|happy)[\s-])?(?P<unit>°[CF]?|[^\W\d_]+)"
)
_PART_OF = re.compile(r"\s?-?\s?(?:of\s)?an?\s(?P<unit>hour|year|minute|century|mile|pint|kilo)\b")
_REDUCES_AFTER = re.compile(
    r"\s?-?(?:[^\W\d]+\s){0,2}?(?:off|less(?!\s[£$€¥₹\d])|discount|reduction|cheaper|savings?"
    r"|rebate|lower|reduced|saved)\b",
    re.IGNORECASE,
)
_REDUCES_BEFORE = re.compile(
    r"\b(?:saves?|saving|savings|discounts?(?:\sof)?|reduc\w+(?:\s[^\W\d]+){0,3}?(?:\sof|\sby)"
    r"|less|minus|takes|knocks|deduct\w*|cuts?(?:\s[^\W\d]+){0,3}?\sby|drops?\sby|lose)"
    r"(?:\syou)?(?:\sup\sto|\sa\sfurther|\san\sextra)?\s?$",
    re.IGNORECASE,
)
_BOUND = re.compile(
    r"\b(?P<below>under|below|less\sthan|up\sto|at\smost|fewer\sthan|within|nearly|almost"
    r"|not\squite|just\sunder)"
    r"|\b(?P<above>over|above|more\sthan|at\sleast|upwards\sof|beyond|past)"
    r"|\b(?P<about>about|around|roughly|some|approximately|circa)",
    re.IGNORECASE,
)
_BOUND_AT_END = re.compile(rf"(?:{_BOUND.pattern})\s?[£$€¥₹]?$", re.IGNORECASE)
_DIGIT = re.compile(r"\d")
_DIGIT_RUN = re.compile(r"\d++")
_HEAD = re.compile(r"[\s-]?(?P<word>[^\W\d_]{2,})(?:[\s-](?P<second>[^\W\d_]{3,}))?")
_LEAD = re.compile(r"\b(?P<word>[^\W\d_]{3,})\s$")
_RANGE = re.compile(r"\s?(?:-|–|—|to|or|and|,|/)\s?[£$€¥₹]?")
WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")


@dataclass(frozen=True, slots=True)
class Figure:
    """A number, percentage or price as it stands in `text[start:end]`.

    `unit` is the currency of a price, else the dimension of a known unit, in whose base unit
    `value` counts; `plain` is the value as written. `lead` is the word right before it. `head` is the word right after the number, in
    lower case: the unit, or what is counted; `second` is the one after that. `reduces` tells a price or share that is
    taken off. `bound` is "below", "above", "about" or "". `next_word` follows it, in lower case.
    """

    kind: Kind
    value: float
    start: int
    end: int
    plain: float
    unit: str = ""
    words: bool = False
    ordinal: bool = False
    part: bool = False
    reduces: bool = False
    bound: str = ""
    next_word: str = ""
    head: str = ""
    second: str = ""
    lead: str = ""


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of one text, and its lower-case words.

    `cut` is where reading stopped: at the end of the text, or where it is too long or holds too
    many figures (`LONGEST`, `MOST`).
    """

    figures: tuple[Figure, ...]
    moments: tuple[Moment, ...]
    words: frozenset[str]
    cut: int


def parse(text: str, *, whole: bool = False) -> Claims:
    """The figures, dates and times of `text`, in order; a figure in a date is no figure.

    `whole` reads all of it, however long: for a brief, which is read once for many texts.
    """
    digits = _DIGIT.search(text) is not None
    cut = len(text) if whole else min(len(text), LONGEST)
    if cut > MOST and digits and not whole:
        ends = [match.end() for match in islice(_DIGIT_RUN.finditer(text), MOST)]
        cut = min(cut, ends[-1]) if len(ends) == MOST else cut
    text = text[:cut]
    words = frozenset(WORD.findall(text.lower()))
    found = moments(text, words, digits)
    taken = {index for each in found for index in range(each.start, each.end)}
    figures: list[Figure] = []
    for numeral in numerals(text, words):
        if numeral.start not in taken:
            figures.append(_figure(text, numeral))
        if len(figures) > MOST and not whole:
            cut = numeral.end
            break
    return Claims(tuple(_inherit(text, figures)), tuple(found), words, cut)


def _figure(text: str, numeral: Numeral) -> Figure:
    start, end, value = numeral.start, numeral.end, numeral.value
    before = text[max(0, start - 48) : start]
    money = _BEFORE.search(before)
    after = _AFTER.match(text, end)
    kind: Kind = "number"
    unit = ""
    plain = value
    if money is not None:
        kind, unit = "price", _currency(money)
        start = start - len(before) + money.start()
        before = before[: money.start()]
    elif after is not None and after["percent"]:
        kind, end = "percentage", after.end()
    elif after is not None and (not after["tight"] or not numeral.words):
        cents = after["cents"] or after["tight"]
        kind, end = "price", after.end()
        if cents:
            unit, value = CENTS.get(cents.lower(), ""), value / 100
        else:
            unit = (after["symbol"] and SYMBOLS.get(after["symbol"], "$")) or ""
            unit = unit or (after["code"] or "").upper() or NAMES[(after["name"] or "").lower()]
    elif numeral.part and value < 1:
        of = _PART_OF.match(text, end)
        if of is not None:
            unit, factor = UNITS[of["unit"]]
            value, end = value * factor, of.end()
        else:
            kind, value = "percentage", value * 100
    elif not numeral.ordinal:
        found = _UNIT.match(text, end)
        if found is not None and _is_unit(found, numeral):
            unit, factor = UNITS[found["unit"].lower()]
            value, end = value * factor, found.end()
    following = WORD.search(text, end, min(len(text), end + 40))
    lead = _LEAD.search(before)
    head = _HEAD.match(text, numeral.end)
    bound = _BOUND_AT_END.search(before)
    return Figure(
        kind,
        round(value, 6),
        start,
        end,
        round(plain, 6),
        unit,
        numeral.words,
        numeral.ordinal,
        numeral.part,
        reduces=(kind == "percentage" and following is not None and following[0].lower() == "price")
        or bool(_REDUCES_AFTER.match(text, end) or _REDUCES_BEFORE.search(before)),
        bound=(bound.lastgroup or "") if bound else "",
        head=head["word"].lower() if head else "",
        second=(head["second"] or "").lower() if head else "",
        lead=lead["word"].lower() if lead else "",
        next_word=following[0].lower() if following else "",
    )


def _is_unit(found: re.Match[str], numeral: Numeral) -> bool:
    """One letter is a unit only right after digits ("20 m", never "five a day")."""
    spelling = found["unit"].lower()
    return spelling in UNITS and (len(spelling) > 1 or not numeral.words)


def _currency(match: re.Match[str]) -> str:
    if match["dollar"]:
        return DOLLARS.get(match["prefix"] or "", "$")
    if match["symbol"]:
        return SYMBOLS[match["symbol"]]
    code = match["code"].rstrip(".")
    return {"R": "ZAR", "Rs": "INR"}.get(code, code)


def _inherit(text: str, figures: list[Figure]) -> list[Figure]:
    """Give both ends of a range the kind and unit that only one of them shows: "£10-15"."""
    for index in reversed(range(len(figures) - 1)):
        first, second = figures[index], figures[index + 1]
        joint = text[first.end : second.start]
        if len(joint) > 6 or not _RANGE.fullmatch(joint):
            continue
        # Only sizes share their unit over a comma: "4, 5 and 7 quart", but "row 9, £96".
        shares = "," not in joint or (second.kind == "number" and not first.words)
        if first.kind == "number" and not first.unit and second.unit + second.kind != "number":
            factor = second.value / second.plain if second.plain else 1.0
            if shares:
                figures[index] = replace(
                    first, kind=second.kind, unit=second.unit, value=round(first.plain * factor, 6)
                )
            continue
        bare = second.kind == "number" and not second.unit and not second.words
        priced = bare and "," not in joint and second.head in ("", "off", "for", "per")
        if first.kind == "price" and priced:
            figures[index + 1] = replace(second, kind="price", unit=first.unit)
    return figures

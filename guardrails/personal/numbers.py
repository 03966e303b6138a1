"""Numbers that belong to one person: payment cards, bank accounts, identity numbers.

All are searched in normalised text. A number counts only where its own check digits, prefix and
length fit, and where no word before it says that it is an order or a product.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Found:
    """Personal data in a text: the rule it falls under and where it stands."""

    rule: str
    start: int
    end: int


_REFERENCE = re.compile(
    r"(?:\b(?:orders?|ref(?:erence)?|invoices?|tracking|bookings?|items?|models?|sku|parts?|isbn|ean"
    r"|upc|code|tickets?|polic(?:y|ies)|claims?|serial|batch|lot|imei|registered|company|charity|vat"
    r"|patent|product|parcel|shipment|case|consignment|doi|docket|article)\b"
    r"(?:\s(?:no|nos|nr|number|id|code|ref(?:erence)?))?\b|\b(?:no|nr)\b|#)[\s.:#]{0,3}$",
    re.IGNORECASE,
)
_BEFORE = 32

_LONG = re.compile(r"(?<![\w.,£$€-])[0-9](?:[ -]?[0-9]){11,18}(?![\w-]|[.,][0-9])")
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}(?:[ -]?[A-Za-z0-9]){11,30}(?![A-Za-z0-9])")

# Lengths of an IBAN by country. Source: SWIFT IBAN Registry, release 96.
_IBAN_LENGTHS = {
    **dict.fromkeys(["NO"], 15),
    **dict.fromkeys(["BE"], 16),
    **dict.fromkeys(["DK", "FI", "FK", "FO", "GL", "NL", "SD"], 18),
    **dict.fromkeys(["MK", "SI"], 19),
    **dict.fromkeys(["AT", "BA", "EE", "KZ", "LT", "LU", "MN", "XK"], 20),
    **dict.fromkeys(["CH", "CR", "HR", "LI", "LV"], 21),
    **dict.fromkeys(["BG", "BH", "DE", "GB", "GE", "IE", "ME", "RS", "VA"], 22),
    **dict.fromkeys(["AE", "GI", "IL", "IQ", "OM", "SO", "TL"], 23),
    **dict.fromkeys(["AD", "CZ", "ES", "MD", "PK", "RO", "SA", "SE", "SK", "TN", "VG"], 24),
    **dict.fromkeys(["LY", "PT", "ST"], 25),
    **dict.fromkeys(["IS", "TR"], 26),
    **dict.fromkeys(["BI", "DJ", "FR", "GR", "IT", "MC", "MR", "SM"], 27),
    **dict.fromkeys(["AL", "AZ", "BY", "CY", "DO", "GT", "HU", "LB", "NI", "PL", "SV"], 28),
    **dict.fromkeys(["BR", "EG", "PS", "QA", "UA"], 29),
    **dict.fromkeys(["JO", "KW", "MU"], 30),
    **dict.fromkeys(["MT", "SC", "YE"], 31),
    **dict.fromkeys(["LC"], 32),
    **dict.fromkeys(["RU"], 33),
}

_SORT_CODE = re.compile(
    r"\bsort[ -]?code[^0-9\n]{0,12}[0-9]{2}[ -]?[0-9]{2}[ -]?[0-9]{2}\b"
    r"|\b(?:routing|aba)(?: no\.?| number)?[^0-9\n]{0,8}[0-9]{9}\b"
    r"|\b(?:bank )?account (?:no\.?|number|#)[^0-9\n]{0,8}[0-9]{6,12}(?![\w-])",
    re.IGNORECASE,
)

# US Social Security numbers: no area 000, 666 or 9xx, no group 00, no serial 0000 (SSA, "SSN
# Randomization"). Without hyphens only where the words say what it is.
_SSN = re.compile(
    r"(?<![\w.-])(?!000|666|9)[0-9]{3}([ -])(?!00)[0-9]{2}\1(?!0000)[0-9]{4}(?![\w-])"
    r"|\b(?:ssn|social security)(?: no\.?| number| #)?[^0-9\n]{0,6}"
    r"(?!000|666|9)[0-9]{3}(?!00)[0-9]{2}(?!0000)[0-9]{4}(?![\w-])",
    re.IGNORECASE,
)
# US individual taxpayer numbers: 9xx-5x to 9xx-9x (IRS Publication 1915).
_ITIN = re.compile(r"(?<![\w.-])9[0-9]{2}-(?:5|6|7|8|9)[0-9]-[0-9]{4}(?![\w-])")
# UK National Insurance numbers (HMRC, NIM39110).
_NINO = re.compile(
    r"(?<![\w-])(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]"
    r"([ -]?)[0-9]{2}\1[0-9]{2}\1[0-9]{2}\1[A-D](?![\w-])",
    re.IGNORECASE,
)
# UK NHS numbers: ten digits, the last one modulo 11 (NHS Data Dictionary).
_NHS = re.compile(
    r"\bNHS(?: no\.?| number| #)?[^0-9\n]{0,6}([0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{4})\b", re.IGNORECASE
)
# Spanish DNI and NIE: eight digits, or X, Y, Z and seven, and a letter modulo 23.
_DNI = re.compile(r"(?<![\w-])([XYZ]-?[0-9]{7}|[0-9]{8})-?([A-HJ-NP-TV-Z])(?![\w-])", re.IGNORECASE)
_DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
# Italian codice fiscale.
_FISCAL = re.compile(
    r"(?<![\w-])[A-Z]{6}[0-9]{2}[ABCDEHLMPRST][0-9]{2}[A-Z][0-9]{3}[A-Z](?![\w-])", re.IGNORECASE
)
# French NIR: sex, year, month, place, order, and a key modulo 97.
_NIR = re.compile(
    r"(?<![\w-])([12] ?[0-9]{2} ?(?:0[1-9]|1[0-2]) ?[0-9]{2} ?[0-9]{3} ?[0-9]{3}) ?([0-9]{2})(?![\w-])"
)
# Documents, where the words name them.
_DOCUMENT = re.compile(
    r"\b(?:passport|driving licen[cs]e|driver'?s licen[cs]e|national id(?:entity)?(?: card)?"
    r"|medicare|tax id|national insurance)"
    r"(?: no\.?| number| #)?[\s:#]{1,3}(?=[A-Z0-9-]{0,8}[0-9]{4})[A-Z0-9-]{6,18}(?![\w-])",
    re.IGNORECASE,
)


def find(text: str) -> Iterator[Found]:
    """Cards, bank accounts and identity numbers in `text` (normalised), kind by kind."""
    yield from _cards(text)
    yield from _ibans(text)
    for match in _SORT_CODE.finditer(text):
        yield Found("bank_account", *match.span())
    for pattern in (_SSN, _ITIN, _NINO, _FISCAL, _DOCUMENT):
        for match in pattern.finditer(text):
            if not refers(text, match.start()):
                yield Found("identity_number", *match.span())
    for match in _NHS.finditer(text):
        if _nhs(digits_of(match[1])):
            yield Found("identity_number", *match.span(1))
    for match in _DNI.finditer(text):
        number = int(match[1].upper().translate(_NIE_DIGITS).replace("-", ""))
        if _DNI_LETTERS[number % 23] == match[2].upper() and not refers(text, match.start()):
            yield Found("identity_number", *match.span())
    for match in _NIR.finditer(text):
        if 97 - int(digits_of(match[1])) % 97 == int(match[2]):
            yield Found("identity_number", *match.span())


_NIE_DIGITS = str.maketrans("XYZ", "012")


def digits_of(text: str) -> str:
    """The digits of `text` alone."""
    return "".join(character for character in text if character in "0123456789")


def refers(text: str, start: int) -> bool:
    """Whether the words before `start` name an order, a product or the like."""
    return _REFERENCE.search(text[max(0, start - _BEFORE) : start]) is not None


def _cards(text: str) -> Iterator[Found]:
    for match in _LONG.finditer(text):
        if match[0].isdigit() and refers(text, match.start()):
            continue  # written in groups it is a card, whatever the word before it
        for size in (len(digits_of(match[0])), 19, 16, 15, 14, 13):
            end = _end_of(match, size)
            if end and _is_card(digits_of(text[match.start() : end])):
                yield Found("card", match.start(), end)
                break


def _end_of(match: re.Match[str], size: int) -> int | None:
    """Where the first `size` digits of `match` end, if a group of digits ends there."""
    count = 0
    for index, character in enumerate(match[0]):
        count += character.isdigit()
        if count == size:
            after = match[0][index + 1 : index + 2]
            return match.start() + index + 1 if not after.isdigit() else None
    return None


def _is_card(digits: str) -> bool:
    """Whether `digits` have a card's prefix, length and check digit (ISO/IEC 7812-1, Luhn).

    Prefixes and lengths are those that the networks publish: Visa, Mastercard, American Express,
    Discover, Diners Club, JCB, UnionPay, Maestro.
    """
    size, two, three, four = len(digits), int(digits[:2]), int(digits[:3]), int(digits[:4])
    fits = (
        (digits[0] == "4" and size in (13, 16, 19))
        or (size == 16 and (51 <= two <= 55 or 2221 <= four <= 2720 or 3528 <= four <= 3589))
        or (size == 15 and two in (34, 37))
        or (size in (14, 16) and (two in (36, 38, 39) or 300 <= three <= 305))
        or (16 <= size <= 19 and (four == 6011 or 644 <= three <= 649 or two in (62, 65)))
        or (16 <= size <= 19 and four in (5018, 5020, 5038, 5893, 6304, 6759, 6761, 6762, 6763))
    )
    return fits and len(set(digits)) > 1 and _luhn(digits)


def _luhn(digits: str) -> bool:
    doubled = [sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2]]
    return (sum(doubled) + sum(map(int, digits[-1::-2]))) % 10 == 0


def _ibans(text: str) -> Iterator[Found]:
    place = 0
    while match := _IBAN.search(text, place):
        place = match.start() + 2
        length = _IBAN_LENGTHS.get(match[0][:2].upper())
        if length is None:
            continue
        kept = 0
        for index, character in enumerate(match[0]):
            kept += character.isalnum()
            if kept == length:
                end = match.start() + index + 1
                if not text[end : end + 1].isalnum() and _is_iban(text[match.start() : end]):
                    yield Found("iban", match.start(), end)
                    place = end
                break


def _is_iban(text: str) -> bool:
    """ISO 13616: the first four characters moved to the end, letters as 10 to 35, modulo 97 is 1."""
    plain = re.sub(r"[ -]", "", text).upper()
    return int("".join(str(int(each, 36)) for each in plain[4:] + plain[:4])) % 97 == 1


def _nhs(digits: str) -> bool:
    rest = (
        11
        - sum(int(digit) * weight for digit, weight in zip(digits, range(10, 1, -1), strict=False))
        % 11
    )
    return rest % 11 == int(digits[9]) and rest != 10

"""Personal data: nothing that belongs to one person stands in a text that goes to many.

E-mail addresses, telephone numbers, payment cards, bank accounts, identity numbers, postal and IP
addresses, dates of birth. What the brief itself holds (the shop's hotline, its address) may be said.
What is personal about each reader belongs in a merge tag.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice

from guardrails.personal import contacts, numbers
from guardrails.personal.numbers import Found, digits_of
from guardrails.text import normalise
from guardrails.types import Brand, Brief, FieldName, Finding, Item, Result, Segment, Severity

_WHAT: Mapping[str, tuple[Severity, str]] = {
    "email": ("block", "an e-mail address"),
    "phone": ("block", "a telephone number"),
    "service_phone": ("review", "a service number"),
    "card": ("block", "the number of a payment card"),
    "iban": ("block", "the number of a bank account (IBAN)"),
    "bank_account": ("block", "the number of a bank account"),
    "identity_number": ("block", "an identity number"),
    "address": ("block", "a postal address"),
    "ip_address": ("block", "an IP address"),
    "birth_date": ("block", "a date of birth"),
    "numbers": ("review", "more numbers than can be told apart"),
}
MOST_FOUND = 50
"""Places in one text that are told apart; a text with more is data and no copy."""

_HINT = re.compile(r"[0-9@]|[\[({<]\s?at\b|\bdot\b", re.IGNORECASE)


class PersonalData:
    """Blocks personal data that the brief does not hold. Always applicable.

    Telephone numbers are read as they are dialled in the brand's jurisdictions, and as written
    with a + anywhere. A free or shared-cost number belongs to no person and asks for review. So
    does an address where there is no brief to say whose it is.
    """

    name = "personal_data"
    rules = frozenset(_WHAT)

    def run(self, items: Sequence[Item]) -> list[Result]:
        """Judge each text."""
        return [
            Result([each for name, text in item.fields() for each in self._judge(name, text, item)])
            for item in items
        ]

    def _judge(self, name: FieldName, text: str, item: Item) -> Iterator[Finding]:
        shown = normalise(text)
        plain = shown.text if shown.text.isascii() else _plain_digits(shown.text)
        if not _HINT.search(plain):
            return
        brand = item.brand
        where = contacts.regions(brand.jurisdictions if brand else ())
        found = list(islice(_find(plain, where), MOST_FOUND + 1))
        if not found:
            return
        if len(found) > MOST_FOUND:
            found[-1] = Found("numbers", found[-1].start, len(plain))
        held = _Held(item.brief, item.segment, brand)
        taken: list[tuple[int, int]] = []
        for each in found:
            start, end = each.start, each.end
            if any(start < other_end and other < end for other, other_end in taken):
                continue
            taken.append((start, end))
            if held.holds(each, plain[start:end]):
                continue
            severity, what = _WHAT[each.rule]
            if each.rule == "address" and item.brief is None:
                severity = "review"
            yield Finding(
                self.name, each.rule, severity, name, *shown.span(start, end),
                f"This looks like {what}, and the brief doesn't hold it.",
                "Take it out; what differs from reader to reader belongs in a merge tag.",
            )  # fmt: skip


def _find(text: str, where: Sequence[str]) -> Iterator[Found]:
    digits = sum(map(text.count, "0123456789"))
    return chain(numbers.find(text) if digits >= 5 else (), contacts.find(text, where))


def _plain_digits(text: str) -> str:
    """`text` with the digits of other scripts as 0 to 9, each in its place."""
    return "".join(
        str(unicodedata.decimal(each)) if each.isdecimal() and not each.isascii() else each
        for each in text
    )


class _Held:
    """What the brief says itself, in words and in digits."""

    def __init__(self, brief: Brief | None, segment: Segment | None, brand: Brand | None) -> None:
        parts = [brand.name] if brand else []
        if brief:
            parts += [brief.product, brief.summary, brief.cta, *brief.facts]
            if brief.offer:
                parts += [brief.offer.text, brief.offer.code or "", brief.offer.terms or ""]
        for each in (segment,) if segment else brief.segments if brief else ():
            parts += [each.description, *(tag.fallback for tag in each.merge_tags.values())]
        self._text = _words(normalise("\n".join(parts)).text)
        self._digits = [digits_of(group) for group in _GROUP.findall(self._text)]

    def holds(self, found: Found, written: str) -> bool:
        """Whether the brief says `written` too: as it stands, or the same in another form."""
        words = _words(written)
        if _stands(words, self._text):
            return True
        if found.rule == "address":  # 9 Candle St for 9 Candle Street
            return _stands(_KIND.sub("", words).strip(), _KIND.sub("", self._text))
        digits = digits_of(written)
        if found.rule in ("phone", "service_phone"):  # +44 20 7946 0018 for 020 7946 0018
            return any(digits[-9:] == group[-9:] for group in self._digits)
        return found.rule in ("card", "identity_number") and digits in self._digits


_GROUP = re.compile(r"\+?[0-9(](?:[ ().\-/]{0,3}[0-9]){5,22}")
_KIND = re.compile(r"\b(street|st|road|rd|avenue|ave|lane|ln|boulevard|blvd)\b\.?")


def _stands(words: str, text: str) -> bool:
    """Whether `words` stand in `text` by themselves: "4 Oak Street" doesn't in "14 Oak Street"."""
    return re.search(rf"(?<![\w.+@-]){re.escape(words)}(?![\w@-])", text) is not None


def _words(text: str) -> str:
    return re.sub(r"[\s,]+", " ", text.casefold()).strip(" .")


_UK = Brand(name="Harrow & Pine", jurisdictions=["UK"])
_BRIEF = Brief(
    product="lambswool jumpers",
    facts=["Questions? 020 7946 0018 or hello@harrow.example", "The shop is at 9 Candle Street"],
)
EXAMPLES_PASS = [
    Item("The first lambswool of the season", "Six undyed colours, and 15% off until Tuesday."),
    Item("Order 4111111111 has shipped", "Open 9-5, sizes 36-40, from £199 to £299.", brand=_UK),
    Item("Call +44 20 7946 0018", "Or write to hello@harrow.example", _BRIEF, None, _UK),
    Item("Come to 9 Candle Street", "We are @harrowandpine. ISBN 978-0-14-103614-4.", _BRIEF),
]
EXAMPLES_FAIL = [
    (Item("Write to jane.doe@example.com"), "email"),
    (Item("Write to jane [at] example [dot] com"), "email"),
    (Item("Call Jane on 020 7946 0018", brand=_UK), "phone"),
    (Item("Call us free on 0800 123 4567", brand=_UK), "service_phone"),
    (Item("Paid with 4111 1111 1111 1111"), "card"),
    (Item("Refund to GB29 NWBK 6016 1331 9268 19"), "iban"),
    (Item("Sort code 20-00-00, account number 55779911"), "bank_account"),
    (Item("Your SSN 219-09-9999 is on file"), "identity_number"),
    (Item("On its way to 14 Acacia Avenue, Leeds"), "address"),
    (Item("Login from 81.2.69.142"), "ip_address"),
    (Item("Born on 12 March 1984? A gift for you"), "birth_date"),
    (Item("12345678 " * 300), "numbers"),
]

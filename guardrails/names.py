"""Promo codes and proper names in a text, as far as capitals and neighbours show them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

_STOP = frozenset(
    (
        "i i'm i'd i'll i've a an the we our us you your yours it its he she they his her their my me "
        "this that these those and or but nor so yet for from to of in on at by with as if when then "
        "than how what who why where which is are was be can may do does did will would have has had "
        "not no yes all any every each some more most new now here there just only also please thanks "
        "thank hello hi hey dear good great ok okay oh ah well welcome sir madam mr mrs ms miss dr mx "
        "st ps re fw fwd read see get go come take make try let let's find choose shop book join meet "
        "start open use enter free first last next one two three four five six seven eight nine ten "
        "monday tuesday wednesday thursday friday saturday sunday mon tue tues wed thu thur thurs fri "
        "sat sun january february march april june july august september october november december "
        "jan feb mar apr jun jul aug sep sept oct nov dec christmas easter spring summer autumn winter "
        "today tonight tomorrow english internet email e-mail god earth"
    ).split()
)
ACRONYMS = frozenset(
    (
        "UK USA US EU GB NHS TV DIY FAQ FAQS VIP XXL XXXL XL XS XXS EV LED USB PDF CEO CFO HR IT AI API "
        "URL GPS PIN ID SMS RSVP ASAP BBQ DVD CD PC LCD OLED HD UHD GMT BST EST PST UTC CET EDT PDT AM "
        "PM AGM ISA VAT GST APR AER APY MOT SUV BBC ITV NYC LA DJ IBAN BPA UV SPF B2B B2C MP3 H2O 3D "
        "2D Q1 Q2 Q3 Q4 OMG LOL TLC BFF BYO DM PS RE FYI TBC TBA COVID-19 GDPR SEO CRM SQL CSV HTML "
        "IRS FDIC FDA PTO PTA GCSE GCSES MBA PHD STEM"
    ).split()
)
"""Capitals in ordinary use that are neither codes nor names."""

_NAME = re.compile(
    r"(?<=[^\W_,;)'&%] |[,;)'&%] )(?P<name>[^\W\d_a-zß-ÿ][^\W\d_]*(?:['-][^\W\d_]+)*)"
)
_CAPITAL_WORD = re.compile(r"\b[A-Z][a-z']+")
_LONG_WORD = re.compile(r"[^\W\d_]{4,}")
_SHOUTED = re.compile(r"(?<![\w-])[A-Z0-9]{3,}(?!\w|-\w|'(?!s\b)[a-z])")
_AFTER_CODE = re.compile(
    r"\bcode(?:\s(?:is|of|word))?:?\s[\"'(]?(?P<code>[^\W_][\w-]{2,})", re.IGNORECASE
)
_CODE_BEFORE = re.compile(
    r"\b(?:code|codes|use|using|enter|entering|apply|quote|quoting|with|type|redeem|add|say|try|via)"
    r"(?:\s(?:is|the\scode|the|your|our|code))?:?\s[\"'(]?$",
    re.IGNORECASE,
)
_CODE_AFTER = re.compile(
    r"[\"')]?\s(?:takes|gets|gives|saves|knocks|reduces|brings|cuts|makes|turns|drops|will\stake"
    r"|at\s(?:the\s)?checkout|for\s[£$€\d]|is\s(?:the|your)\scode|does|removes|unlocks|applies)"
)


@dataclass(frozen=True, slots=True)
class Token:
    """A word in `text[start:end]` that looks like a code or a name.

    `kind` is "code" where its neighbours say so or it mixes capitals and digits, "capitals" for
    another word all in capitals, "name" for a capitalised word in the middle of a sentence.
    """

    kind: Literal["code", "capitals", "name"]
    text: str
    start: int
    end: int


def tokens(text: str) -> Iterator[Token]:
    """What looks like a code or a name in `text`."""
    if text.islower():
        yield from _spoken_codes(text)
        return
    seen: set[int] = set()
    shouting = _is_shouting(text)
    for match in _SHOUTED.finditer(text):
        word, (start, end) = match[0], match.span()
        if word in ACRONYMS or word.isdigit():
            continue
        named = bool(
            _CODE_BEFORE.search(text[max(0, start - 24) : start])
            or _CODE_AFTER.match(text, end, end + 24)
        )
        mixed = any(each.isdigit() for each in word)
        if mixed or (named and not shouting):
            seen.add(start)
            yield Token("code", word, start, end)
        elif not shouting:
            seen.add(start)
            yield Token("capitals", word, start, end)
    for token in _spoken_codes(text):
        if token.start not in seen:
            seen.add(token.start)
            yield token
    if not shouting and not _is_title(text):
        for match in _NAME.finditer(text):
            if match.start() not in seen and match[0].lower() not in _STOP:
                if match[0] not in ACRONYMS and len(match[0]) > 1:
                    yield Token("name", match[0], *match.span())


def _spoken_codes(text: str) -> Iterator[Token]:
    """What follows the word "code", in any case, where it has a digit or a capital."""
    if "code" not in text.lower():
        return
    for match in _AFTER_CODE.finditer(text):
        word = match["code"]
        if word in ACRONYMS or word.islower():
            continue
        if word.lower() not in _STOP:
            yield Token("code", word, match.start("code"), match.end("code"))


def _is_shouting(text: str) -> bool:
    capitals = sum(1 for each in text if each.isupper())
    return capitals > 0.6 * sum(1 for each in text if each.isalpha())


def _is_title(text: str) -> bool:
    """Whether Most Words of a Line Have Capitals, so that a capital says nothing."""
    long = _LONG_WORD.findall(text)
    return len(long) > 2 and sum(1 for word in long if word[0].isupper()) > 0.6 * len(long)


def near(first: str, second: str, most: int = 2) -> bool:
    """Whether two short words differ by at most `most` letters put in, left out or changed."""
    if abs(len(first) - len(second)) > most or max(len(first), len(second)) > 40:
        return False
    row = list(range(len(second) + 1))
    for index, letter in enumerate(first, start=1):
        above, row[0] = row[0], index
        for place, other in enumerate(second, start=1):
            above, row[place] = (
                row[place],
                min(row[place] + 1, row[place - 1] + 1, above + (letter != other)),
            )
    return row[-1] <= most

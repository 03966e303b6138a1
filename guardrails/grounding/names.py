"""Promo codes and proper names in a text, as far as capitals and neighbours show them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from guardrails.grounding.numerals import listed

_STOP = frozenset(
    listed(
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
        "today tonight tomorrow english internet email e-mail god earth mum mom dad gran nan grandma "
        "granny a-line t-shirt t-shirts v-neck"
    )
)
ACRONYMS = frozenset(
    listed(
        "UK USA US EU GB NHS TV DIY FAQ FAQS VIP XXL XXXL XL XS XXS EV LED USB PDF CEO CFO HR IT AI API "
        "URL GPS PIN ID SMS RSVP ASAP BBQ DVD CD PC LCD OLED HD UHD GMT BST EST PST UTC CET EDT PDT AM "
        "PM AGM ISA VAT GST APR AER APY MOT SUV BBC ITV NYC LA DJ IBAN BPA UV SPF B2B B2C MP3 H2O 3D "
        "2D Q1 Q2 Q3 Q4 OMG LOL TLC BFF BYO DM PS RE FYI TBC TBA COVID-19 GDPR SEO CRM SQL CSV HTML "
        "IRS FDIC FDA PTO PTA GCSE GCSES MBA PHD STEM"
    )
)
"""Capitals in ordinary use that are neither codes nor names."""

_NAME = re.compile(
    r"(?<=[^\W_,;)'&%] |[,;)'&%] )(?P<name>[^\W\d_a-zß-ÿ][^\W\d_]*(?:['-][^\W\d_]+)*)"
)
_WORD = re.compile(r"[^\W\d_][\w'-]*")
_SMALL_WORDS = frozenset(
    listed("a an the and or but nor of in on at to for by from with as into over your our is it")
)
_AFTER_PLACE = re.compile(r"\b(?:in|at|from|by|with)\s$")
_NO_PLACE = frozenset(
    listed(
        "time style minutes hours days weeks store stores stock season bloom hand heart love home work "
        "house town mind code care pride comfort person full one two three ease confidence friends "
        "scratch anywhere start purpose design post mail bulk bed line app total"
    )
)
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


Kind = Literal["code", "capitals", "name", "spoken"]


@dataclass(frozen=True, slots=True)
class Token:
    """A word in `text[start:end]` that looks like a code or a name.

    `kind` is "code" where its neighbours say so or it mixes capitals and digits, "capitals" for
    another word all in capitals, "name" for a capitalised word in the middle of a sentence, and
    "spoken" for a plain word after the word "code", which may be the code in another case.
    """

    kind: Kind
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
        if _has_digit(word) or (named and not shouting):
            seen.add(start)
            yield Token("code", word, start, end)
        elif not shouting:
            seen.add(start)
            yield Token("capitals", word, start, end)
    for token in _spoken_codes(text):
        if token.start not in seen:
            seen.add(token.start)
            yield token
    if shouting:
        return
    title = _is_title(text)
    for match in _NAME.finditer(text):
        word, (start, end) = match[0], match.span()
        lowered = word.lower()
        if start in seen or lowered in _STOP or word in ACRONYMS or len(word) == 1:
            continue
        if title and (
            lowered in _NO_PLACE or not _AFTER_PLACE.search(text[max(0, start - 6) : start])
        ):
            continue
        yield Token("name", word, start, end)


def _spoken_codes(text: str) -> Iterator[Token]:
    """What follows the word "code", in any case."""
    if "code" not in text.lower():
        return
    for match in _AFTER_CODE.finditer(text):
        word = match["code"]
        if word in ACRONYMS or word in _STOP:
            continue
        kind: Kind = "spoken" if word.islower() and not _has_digit(word) else "code"
        yield Token(kind, word, match.start("code"), match.end("code"))


def _has_digit(word: str) -> bool:
    return any(each.isdigit() for each in word)


def _is_shouting(text: str) -> bool:
    """Whether most words are in capitals, so that capitals say nothing."""
    words = _WORD.findall(text)
    capitals = sum(1 for word in words if word.isupper() and len(word) > 1)
    return capitals > 2 and capitals > 0.6 * len(words)


def _is_title(text: str) -> bool:
    """Whether Most Words of a Line Have Capitals, so that a capital says little."""
    words = [word for word in _WORD.findall(text)[1:] if word not in _SMALL_WORDS]
    capitals = sum(1 for word in words if word[0].isupper())
    return capitals > 2 and capitals > 0.7 * len(words)


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

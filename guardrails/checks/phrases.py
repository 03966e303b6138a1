"""Phrases: what the brand bans, what the brief avoids, and the words the brand prefers.

Whole words count, whatever their case, accents, quotes or dashes. A plural is the phrase itself
("bargains" for "bargain"); another ending ("dropping" for "drop") may be a different word, so a
person decides. A phrase that the product's own name holds goes to review at most.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache

from guardrails.text import Normalised, normalise
from guardrails.types import Brand, Brief, FieldName, Finding, Item, Result, Severity

_GAP = re.compile(r"[\s\-]+")
_VOWEL_CONSONANT = re.compile(r".*[^aeiou][aeiou][bdgmnprt]")
_ENDINGS = "ed|er|ers|est|ing|ings|ly|ish|y|ness|able"
_AFTER_E = "d|r|rs|st|ly"


class Phrases:
    """Blocks `brand.banned_phrases` and `brief.must_avoid`; sends what `brand.preferred` replaces
    to review. Not applicable without a brand and a brief."""

    name = "phrases"
    rules = frozenset({"banned_phrase", "must_avoid", "preferred"})

    def run(self, items: Sequence[Item]) -> list[Result]:
        """Judge each text by its own brand and brief."""
        return [self._judge(item) for item in items]

    def _judge(self, item: Item) -> Result:
        brand, brief = item.brand, item.brief
        if brand is None and brief is None:
            return Result.not_applicable()
        named = normalise(_names(brand, brief)).text
        findings = []
        for name, text in item.fields():
            shown = normalise(text)
            found: dict[tuple[int, int], Finding] = {}
            for finding in self._findings(name, text, shown, brand, brief, named):
                found.setdefault((finding.start, finding.end), finding)
            findings += sorted(found.values(), key=lambda each: each.start)
        return Result(findings)

    def _findings(
        self,
        name: FieldName,
        text: str,
        shown: Normalised,
        brand: Brand | None,
        brief: Brief | None,
        named: str,
    ) -> Iterator[Finding]:
        """Findings in one field, the brand's bans first. Two may have the same span."""
        lists = []
        if brand:
            lists.append(("banned_phrase", "the brand bans", brand.banned_phrases))
        if brief:
            lists.append(("must_avoid", "the brief must avoid", brief.must_avoid))
        for rule, whose, phrases in lists:
            for phrase in phrases:
                for match, ending in _matches(phrase, shown.text):
                    start, end = shown.span(*match.span())
                    severity: Severity = "review" if ending or _holds(named, phrase) else "block"
                    message = f"“{text[start:end]}”: {whose} “{phrase}”."
                    yield Finding(
                        self.name, rule, severity, name, start, end, message, "Say it another way."
                    )
        for instead, preferred in (brand.preferred if brand else {}).items():
            if _holds(named, instead):
                continue
            right = [match.span() for match, _ in _matches(preferred, shown.text)]
            for match, ending in _matches(instead, shown.text):
                if _within(right, match.start(), match.end()):
                    continue  # "gift card" holds "card", which it is preferred to
                start, end = shown.span(*match.span())
                written = text[start:end]
                message = f"The brand says “{preferred}” and not “{instead}”."
                plural = not ending and written.lower().endswith("s") and not instead.endswith("s")
                better = _plural(preferred) if plural else preferred
                better = better.capitalize() if written.istitle() else better
                yield Finding(self.name, "preferred", "review", name, start, end, message, better)


def _matches(phrase: str, text: str) -> Iterator[tuple[re.Match[str], bool]]:
    """Where `phrase` stands in `text` (normalised), and whether with another ending."""
    pattern = _compiled(phrase)
    if pattern:
        for match in pattern.finditer(text):
            yield match, match["ending"] is not None


def _within(spans: Sequence[tuple[int, int]], start: int, end: int) -> bool:
    """Whether one of `spans` (in order, apart) holds all from `start` to `end`."""
    before = bisect_right(spans, start, key=lambda span: span[0])
    return before > 0 and end <= spans[before - 1][1]


def _holds(names: str, phrase: str) -> bool:
    """Whether `phrase` stands in the brand's or product's own name."""
    return bool(names) and next(_matches(phrase, names), None) is not None


@lru_cache(maxsize=4096)
def _compiled(phrase: str) -> re.Pattern[str] | None:
    """A pattern for `phrase` and the forms of its last word; None where it has no characters."""
    words = [re.escape(word) for word in _GAP.split(normalise(phrase).text.strip()) if word]
    if not words:
        return None
    *before, last = words
    before_pattern = "".join(rf"{word}[\s\-]{{1,3}}" for word in before)
    left = r"(?<!\w)" if words[0][0].isalnum() else ""
    if last.isalpha():
        tail = rf"(?:{_forms(last.lower())})(?!\w)"
    else:
        tail = last + (r"(?!\w)" if last[-1].isalnum() else "") + "(?P<ending>(?!))?"
    return re.compile(left + before_pattern + tail, re.IGNORECASE)


def _forms(word: str) -> str:
    """Alternatives for a word: itself and its plural or possessive, or (`ending`) other forms."""
    same = rf"{word}(?:'?s|es|s')?"
    other = [rf"{word}(?:{_ENDINGS})"]
    if len(word) < 3:
        return rf"{word}(?P<ending>(?!))?"
    if word.endswith("y"):
        same += f"|{word[:-1]}ies"
        other.append(rf"{word[:-1]}(?:ied|ier|iest|ily|iness)")
    if word.endswith("e"):
        other.append(rf"{word}(?:{_AFTER_E})|{word[:-1]}(?:ing|able)")
    if word.endswith("s") and not word.endswith("ss") and len(word) > 4:
        other.append(word[:-1])
    if _VOWEL_CONSONANT.fullmatch(word):
        other.append(rf"{word}{word[-1]}(?:{_ENDINGS})")
    return rf"{same}|(?P<ending>{'|'.join(other)})"


def _plural(word: str) -> str:
    if word.endswith(("s", "x", "ch", "sh")):
        return word if word.endswith("s") else f"{word}es"
    return f"{word[:-1]}ies" if re.search(r"[^aeiou]y$", word) else f"{word}s"


def _names(brand: Brand | None, brief: Brief | None) -> str:
    return "\n".join(filter(None, (brand.name if brand else "", brief.product if brief else "")))


_BRAND = Brand(
    name="Harrow & Pine", banned_phrases=["must-have", "drop"], preferred={"jumper": "sweater"}
)
_BRIEF = Brief(product="lambswool knitwear", must_avoid=["cosy"])
EXAMPLES_PASS = [
    Item("The first lambswool of the season", "Raindrops and a sweater", _BRIEF, None, _BRAND),
    Item("Jumpers from Hawick", brief=Brief(product="crew-neck jumpers"), brand=_BRAND),
]
EXAMPLES_FAIL = [
    (Item("A must have for autumn", brand=_BRAND), "banned_phrase"),
    (Item("New wool is dropping", brand=_BRAND), "banned_phrase"),
    (Item("Warm and COSY", brief=_BRIEF), "must_avoid"),
    (Item("Jumpers from Hawick", brand=_BRAND), "preferred"),
]

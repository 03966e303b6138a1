"""Profanity: swear words and slurs, written out or disguised.

A text is normalised (look-alikes, invisible characters, accents), then read token by token. A
token is looked up as it stands and, where it holds signs or repeats, as what it is a disguise of:
"sh1t", "f*ck", "fuuuck", "fu-ck". Letters with gaps ("s h i t") are joined. Only whole words
count, so Scunthorpe and cocktails pass. The words and levels stand in data files, see `lexicon`.
"""

import re
from collections.abc import Sequence

from guardrails.profanity import lexicon
from guardrails.profanity.disguises import Hit, Matcher, lower
from guardrails.text import Normalised, normalise
from guardrails.types import Brand, Brief, FieldName, Finding, Item, Result

_WORD = re.compile(r"[a-z0-9]+")


class Profanity:
    """Blocks strong words and slurs; sends mild and double-edged ones to review.

    A word that stands in the brand's name or the brief's product goes to review at most.
    """

    name = "profanity"
    rules = frozenset({"strong", "mild", "name", "in_name"})

    def __init__(self) -> None:
        self._lexicon = lexicon.load()
        self._matcher = Matcher(self._lexicon)

    def run(self, items: Sequence[Item]) -> list[Result]:
        """Judge each text. Always applicable."""
        return [
            Result(
                [
                    finding
                    for name, text in item.fields()
                    for finding in self._judge(name, text, item)
                ]
            )
            for item in items
        ]

    def _judge(self, name: FieldName, text: str, item: Item) -> list[Finding]:
        shown = normalise(text)
        hits = self._matcher.hits(lower(shown.text))
        if not hits:
            return []
        named = _named_words(item.brand, item.brief)
        return [self._finding(name, text, shown, hit, named) for hit in hits]

    def _finding(
        self, name: FieldName, text: str, shown: Normalised, hit: Hit, named: frozenset[str]
    ) -> Finding:
        start, end = shown.span(hit.start, hit.end)
        quoted = text[start:end]
        if hit.level == "block" and hit.word in named:
            return Finding(
                self.name, "in_name", "review", name, start, end,
                f"“{quoted}” is a swear word that also stands in the brand's or product's name.",
                "Check that it reads as the name.",
            )  # fmt: skip
        if hit.level == "block" and hit.word in self._lexicon.names and _is_name(shown.text, hit):
            return Finding(
                self.name, "name", "review", name, start, end,
                f"“{quoted}” is a swear word unless it is a name.",
                "Check that it reads as a name.",
            )  # fmt: skip
        if hit.level == "block":
            return Finding(
                self.name, "strong", "block", name, start, end,
                f"“{quoted}” is, or reads as, a swear word or a slur.",
                "Say it without this word.",
            )  # fmt: skip
        return Finding(
            self.name, "mild", "review", name, start, end,
            f"“{quoted}” may offend or suggest more than is meant.",
            "Use a plainer word, or approve it as it stands.",
        )  # fmt: skip


def _is_name(text: str, hit: Hit) -> bool:
    """Whether the hit is written as a name: a capital first, or with a possessive 's."""
    written = text[hit.start : hit.end]
    return written.istitle() or text[hit.end : hit.end + 2].lower() == "'s"


def _named_words(brand: Brand | None, brief: Brief | None) -> frozenset[str]:
    names = (brand.name if brand else "", brief.product if brief else "")
    return frozenset(_WORD.findall(lower(normalise(" ".join(names)).text)))


EXAMPLES_PASS = [
    Item("Scunthorpe cocktails, pots & pans", "Assess the Essex assortment and pass it on"),
    Item("Gay pride, and a queer film festival", "Lesbian authors, read aloud all month"),
    Item(
        "Extra virgin olive oil, chicken breast", "Screws, hemp rope and a weed fork for the garden"
    ),
    Item("Organ donation week", "Breast cancer: what a check-up finds"),
    Item("A 5hit combo on the A55", "Hello from U.S.A. to E. A. S. T."),
]
EXAMPLES_FAIL = [
    (Item("What a f u c k"), "strong"),
    (Item("A s.h.i.t sandwich"), "strong"),
    (Item("Sh1t happens"), "strong"),
    (Item("f*ck it, it's Friday"), "strong"),
    (Item("ｆｕｃｋ Mondays"), "strong"),
    (Item("Fuсk, with a Cyrillic letter"), "strong"),
    (Item("This is fuuuuck"), "strong"),
    (Item("$hitty weather?"), "strong"),
    (Item("Dick's Sporting Goods is here"), "name"),
    (Item("A damn good coat"), "mild"),
    (
        Item("Cock ties", brand=Brand(name="Cock & Sons"), brief=Brief(product="cock ties")),
        "in_name",
    ),
]

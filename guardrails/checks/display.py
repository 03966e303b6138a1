"""Display: what falls behind the cut of the inbox, client by client.

Clients cut by width. A finding says that the cut hides a figure, the code or a negation, without
which the rest may say something else; all else is a score: how many characters show where.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from guardrails.checks.merge_tags import Tag, tags
from guardrails.errors import PolicyError
from guardrails.types import (
    Brand,
    Brief,
    FieldName,
    Finding,
    Item,
    Limits,
    MergeTag,
    Offer,
    Option,
    Result,
    Segment,
)
from guardrails.widths import reaches, visible


@dataclass(frozen=True, slots=True)
class Client:
    """How much of a subject and a preview a client shows, in characters of mean width."""

    title: str
    subject: int
    preview: int


CLIENTS: Mapping[str, Client] = {
    "apple_phone": Client("Apple Mail on a phone", 48, 99),
    "gmail_phone": Client("Gmail on a phone", 37, 40),
    "gmail_desktop": Client("Gmail on a desktop", 70, 120),
    "outlook_desktop": Client("Outlook on a desktop", 60, 100),
}
"""Subjects and Apple Mail's preview: EmailTooltester, "Email Subject Line Character Limit" (measured
on an iPhone 14, a Pixel 7, an S22 Ultra and in browsers with a pangram); Outlook: general advice.
Previews elsewhere are general advice too: 40 characters at least, 100 to 120 on a desktop. They
differ from device to device, so they say how likely a cut is, not where exactly it is."""

_FIGURE = re.compile(
    r"[£$€¥]\s?[0-9](?:[0-9.,]*[0-9])?|[0-9](?:[0-9.,:/-]*[0-9])?(?:\s?%|\s?[€£])?"
)
_NEGATION = re.compile(
    r"\b(?:not|no|never|without|except|excl(?:uding|udes|\.)|unless|none|nothing|nobody|neither|nor"
    r"|cannot|[a-z]{2,8}n['’]t)\b",
    re.IGNORECASE,
)


class Display:
    """Asks for review where a cut hides what changes the sense. Always applicable.

    A subject is held to each client of `clients`; a preview, which phones cut early, to the client
    that shows the most. Tags count as their fallback and as the longest value to expect.
    `scores["display"]` holds the visible characters: {client: {"subject": n, "preview": n}}.
    """

    name = "display"
    rules = frozenset({"hidden_code", "hidden_figure", "hidden_negation"})

    def __init__(self, clients: Sequence[str] = tuple(CLIENTS)) -> None:
        """Take the names of the clients to hold texts to.

        Raises:
            PolicyError: a name that `CLIENTS` lacks.
        """
        unknown = [each for each in clients if each not in CLIENTS]
        if unknown or not clients:
            known = ", ".join(CLIENTS)
            raise PolicyError(f"display.clients: {unknown or 'empty'}; known are {known}.")
        self._clients = [(each, CLIENTS[each]) for each in clients]

    def options(self, brand: Brand) -> Mapping[str, Option]:  # noqa: ARG002
        """The clients that texts are held to."""
        return {"clients": Option(frozenset(name for name, _ in self._clients), "fewer")}

    def run(self, items: Sequence[Item]) -> list[Result]:
        """Judge each text."""
        return [self._judge(item) for item in items]

    def _judge(self, item: Item) -> Result:
        scores: dict[str, dict[str, int]] = {name: {} for name, _ in self._clients}
        findings: list[Finding] = []
        for field, text in item.fields():
            used = tags(text)
            shown = _Shown.fill(text, used, {})
            for name, client in self._clients:
                scores[name][field] = visible(shown.ends, _limit(client, field))
            hidden = self._hidden(field, shown, item)
            longest = _longest(item.segment) if used else {}
            if longest and not hidden:
                hidden = self._hidden(field, _Shown.fill(text, used, longest), item)
            findings += hidden
        return Result(findings, {"display": scores})

    def _hidden(self, field: FieldName, shown: "_Shown", item: Item) -> list[Finding]:
        clients = [client for _, client in self._clients]
        if field == "preview":
            clients = [max(clients, key=lambda client: client.preview)]
        # The cut that shows least comes first: it hides all that the others do.
        client = min(clients, key=lambda client: _limit(client, field))
        cut = visible(shown.ends, _limit(client, field))
        if cut >= len(shown.text):
            return []
        code = item.brief.offer.code if item.brief and item.brief.offer else None
        found = []
        for rule, what, start, end in _behind(shown.text, cut, code):
            said = shown.text[start:end]
            if rule != "hidden_negation" and self._elsewhere(said, field, item):
                continue
            where = " with the longest values" if shown.is_longest else ""
            found.append(
                Finding(
                    self.name, rule, "review", field, *shown.span(start, end),
                    f"{client.title} cuts the {field} after {cut} characters{where} and hides "
                    f"{what} “{said}”.",
                    "Say it earlier, or say less before it.",
                )
            )  # fmt: skip
        return found

    def _elsewhere(self, said: str, field: FieldName, item: Item) -> bool:
        """Whether the other field says it too, where every client shows it."""
        for name, text in item.fields():
            if name != field:
                least = min(_limit(client, name) for _, client in self._clients)
                shown = _Shown.fill(text, tags(text), {})
                return said in shown.text[: visible(shown.ends, least)]
        return False


@dataclass(frozen=True, slots=True)
class _Shown:
    """A text with its tags filled; `places[i]` is where character i stood in the text as given."""

    text: str
    ends: Sequence[int]
    places: Sequence[int]
    is_longest: bool

    @classmethod
    def fill(cls, text: str, used: Sequence[Tag], values: Mapping[str, str]) -> "_Shown":
        if not used:
            return cls(text, reaches(text), range(len(text) + 1), False)
        parts, places, at = [], [], 0
        for tag in used:
            value = values.get(tag.name, tag.fallback)
            parts += [text[at : tag.start], value]
            places += [*range(at, tag.start), *[tag.start] * len(value)]
            at = tag.end
        filled = "".join(parts) + text[at:]
        return cls(filled, reaches(filled), [*places, *range(at, len(text) + 1)], bool(values))

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where `text[start:end]` stands in the text as given."""
        first, last = self.places[start], self.places[end - 1]
        return first, max(last + 1, first)


def _limit(client: Client, field: FieldName) -> int:
    return client.subject if field == "subject" else client.preview


def _longest(segment: Segment | None) -> dict[str, str]:
    named = segment.merge_tags.items() if segment else ()
    return {name: tag.longest for name, tag in named if len(tag.longest) > len(tag.fallback)}


def _behind(text: str, cut: int, code: str | None) -> Iterator[tuple[str, str, int, int]]:
    """What counts behind the cut: rule, what it is, and its place; each rule once."""
    place = text.find(code) if code else -1
    if code and place + len(code) > cut:
        yield "hidden_code", "the code", place, place + len(code)
    for rule, what, pattern in (
        ("hidden_figure", "the figure", _FIGURE),
        ("hidden_negation", "the word", _NEGATION),
    ):
        for match in pattern.finditer(text):
            within_code = code and place >= 0 and place <= match.start() < place + len(code)
            if match.end() > cut and not within_code and match[0] not in text[:cut]:
                yield rule, what, *match.span()
                break


_SEGMENT = Segment(merge_tags={"city": MergeTag(fallback="town", longest="Stratford-upon-Avon")})
_BRIEF = Brief(offer=Offer(code="FIRSTLAYER"), limits=Limits(subject=60))
EXAMPLES_PASS = [
    Item("The first lambswool of the season", "Six undyed colours, and 15% off until Tuesday."),
    Item("Six undyed colours, all spun in our own mill", "From £85."),
    Item("The lambswool jumpers you asked for at £85", "£85, in six undyed colours."),
    Item('Wool has come to {{ city | default: "town" }} by road', segment=_SEGMENT),
]
EXAMPLES_FAIL = [
    (Item("The first lambswool jumpers of the season at £85"), "hidden_figure"),
    (Item("The jumpers of the season, now with FIRSTLAYER", None, _BRIEF), "hidden_code"),
    (Item("Your order from our mill in Hawick will not come"), "hidden_negation"),
    (
        Item('Wool has come to {{ city | default: "town" }} for £85', segment=_SEGMENT),
        "hidden_figure",
    ),
]

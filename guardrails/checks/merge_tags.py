"""Merge tags: canonical Liquid with a fallback, `{{ first_name | default: "there" }}`, and no other.

Whatever else looks like a tag would reach readers as it stands, or be run by the campaign tool as
code. A line must read well with the fallback and with the longest value to expect; no value at all
never shows, since a fallback is demanded.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from guardrails.dialects import CODE, DIALECTS, ENDS, HINT
from guardrails.readings import clumsy, starts_low
from guardrails.text import normalise
from guardrails.types import FieldName, Finding, Item, MergeTag, Result, Segment

CANONICAL = re.compile(r'\{\{\s*([a-z][a-z0-9_]*)\s*\|\s*default:\s*"([^"{}]*)"\s*\}\}')
"""A tag as it must be: its name and its fallback."""

_DOUBLE = re.compile(r"\{\{([^{}]*)\}\}")
_BARE = re.compile(r"\s*(\w+)\s*")
_DOTTED = re.compile(r"\s*\w+(?:\.\w+)+\s*(?:\|.*)?", re.DOTALL)
_HELPER = re.compile(r"\s*[#/>&!^~]|\s*(?:insert|defaultIfEmpty|if|else|each|unless|with)\b")
_CODE = re.compile(r"__|[()\[\]=+;`\\]|\d\s*[*/-]\s*\d|\b(?:config|self|request|constructor|env)\b")
_DEFAULT_ODDLY = re.compile(
    r"\s*([\w-]+(?: \w+)?)\s*(?:\|\s*default\b|\|\||\bor\b|\?\?)\s*:?"
    r"\s*(?:'([^'\"]*)'|[“”\"]([^“”\"]*)[“”\"]|([\w '-]*))\s*",
    re.IGNORECASE,
)
_FILTERED = re.compile(r"\s*(\w+)\s*\|.*", re.DOTALL)
_CODE_IN_FALLBACK = re.compile(r"[<>|\\\[\]`]|%%|\$[({]|://")
LONGEST_FALLBACK = 60
"""Characters: a fallback stands for a name, a place or a number, and a subject holds 50."""


@dataclass(frozen=True, slots=True)
class Tag:
    """A canonical tag: its place in the text, its name, its fallback."""

    start: int
    end: int
    name: str
    fallback: str


def tags(text: str) -> list[Tag]:
    """The canonical tags of `text`, in order."""
    if "{{" not in text:
        return []
    return [Tag(m.start(), m.end(), m[1], m[2]) for m in CANONICAL.finditer(text)]


def fill(text: str, values: Mapping[str, str] | None = None) -> str:
    """`text` with each canonical tag as its value in `values`, or else as its fallback."""
    known = values or {}
    return CANONICAL.sub(lambda tag: known.get(tag[1], tag[2]), text) if "{{" in text else text


class MergeTags:
    """Blocks tags that no campaign tool could fill in; sends clumsy fallbacks to review.

    Names are judged by the segment's tags; without a segment, by those of all the brief's
    segments; without either, only the form of the tags is judged.
    """

    name = "merge_tags"
    rules = frozenset(
        (
            *("not_canonical", "other_dialect", "unbalanced", "unknown_tag", "empty_fallback"),
            *("fallback_differs", "clumsy_fallback", "no_fallback", "template_code", "filter"),
            *("clumsy_value", "fallback_code"),
        )
    )

    def run(self, items: Sequence[Item]) -> list[Result]:
        """Judge each text. Always applicable: a text without tags passes."""
        return [
            Result([each for name, text in item.fields() for each in self._judge(name, text, item)])
            for item in items
        ]

    def _judge(self, name: FieldName, text: str, item: Item) -> Iterator[Finding]:
        if not text.isascii():
            shown = normalise(text)
            for index, character in enumerate(shown.text):
                start, end = shown.span(index, index + 1)
                if character in "{}" and text[start:end] != character:
                    yield self._block(
                        name, "not_canonical", start, end,
                        "These braces only look like braces, so no campaign tool fills the tag in.",
                        "Type { and } themselves.",
                    )  # fmt: skip
                    return
        if not HINT.search(text):
            return
        canonical = tags(text)
        rest = _blanked(text, [(tag.start, tag.end) for tag in canonical])
        for tag, (before, after) in zip(canonical, _surroundings(text, canonical), strict=True):
            yield from self._judge_tag(name, tag, item)
            yield from self._read(name, tag, item, before, after)
        for dialect, pattern in DIALECTS:
            matches = list(pattern.finditer(rest))
            for match in matches:
                yield self._block(
                    name, "other_dialect", *match.span(),
                    f"“{match[0]}” is a tag in another form ({dialect}).",
                    "Take it out." if dialect in CODE else _canonical_for(_name_in(match[0])),
                )  # fmt: skip
            if matches:
                rest = _blanked(rest, [match.span() for match in matches])
        others = list(_DOUBLE.finditer(rest))
        for match in others:
            yield self._judge_other(name, match)
        rest = _blanked(rest, [match.span() for match in others])
        braces = re.search(r"[{}]+", rest)
        opened = braces or ENDS.search(rest)
        if opened:
            yield self._block(
                name, "unbalanced", *opened.span(),
                f"“{opened[0]}” opens or closes a tag that is not whole.",
                "Complete the tag, or take the braces out.",
            )  # fmt: skip

    def _judge_tag(self, name: FieldName, tag: Tag, item: Item) -> Iterator[Finding]:
        """The tag by itself: its name and its fallback."""
        allowed = _allowed(item)
        if allowed is not None and tag.name not in allowed:
            listed = ", ".join(sorted(allowed)) or "none"
            yield self._block(
                name, "unknown_tag", tag.start, tag.end,
                f"This segment has no merge tag “{tag.name}”. It has: {listed}.",
                "Use one of the segment's tags, or write the line without it.",
            )  # fmt: skip
        if _CODE_IN_FALLBACK.search(tag.fallback) or len(tag.fallback) > LONGEST_FALLBACK:
            yield self._block(
                name, "fallback_code", tag.start, tag.end,
                "The fallback is no plain word: code, another tag, an address or a whole text.",
                _canonical_for(tag.name),
            )  # fmt: skip
        if not tag.fallback.strip():
            yield self._review(
                name, "empty_fallback", tag, "The tag's fallback is empty.",
                _canonical_for(tag.name),
            )  # fmt: skip
        wanted = item.segment.merge_tags.get(tag.name) if item.segment else None
        if wanted and wanted.fallback and tag.fallback.strip() and wanted.fallback != tag.fallback:
            yield self._review(
                name, "fallback_differs", tag,
                f"The fallback is “{tag.fallback}”; the segment's is “{wanted.fallback}”.",
                _canonical_for(tag.name, wanted.fallback),
            )  # fmt: skip

    def _read(
        self, name: FieldName, tag: Tag, item: Item, before: str, after: str
    ) -> Iterator[Finding]:
        """The line around the tag, with its fallback and with the longest value to expect."""
        trouble = clumsy(before, tag.fallback, after)
        if not trouble and starts_low(before, tag.fallback) and not _writes_low(item, name):
            trouble = "starts with a small letter"
        if trouble:
            yield self._review(
                name, "clumsy_fallback", tag,
                f"Where the reader has no {tag.name.replace('_', ' ')}, the line {trouble}.",
                "Change the fallback or the words around the tag.",
            )  # fmt: skip
            return
        known = item.segment.merge_tags.get(tag.name) if item.segment else None
        trouble = clumsy(before, known.longest, after) if known and known.longest else None
        if known and trouble:
            yield self._review(
                name, "clumsy_value", tag,
                f"With “{known.longest}” as the {tag.name.replace('_', ' ')}, the line {trouble}.",
                "Change the words around the tag.",
            )  # fmt: skip

    def _judge_other(self, name: FieldName, match: re.Match[str]) -> Finding:
        """What is wrong with `{{ ... }}` that is not canonical."""
        inner = match[1]
        span = match.span()
        oddly = _DEFAULT_ODDLY.fullmatch(inner)
        if oddly:
            fixed = _canonical_for(_snake(oddly[1]), oddly[2] or oddly[3] or oddly[4] or "there")
            message = "The tag is not in the canonical form: small letters, a colon, double quotes."
            return self._block(name, "not_canonical", *span, message, fixed)
        bare = _BARE.fullmatch(inner)
        if bare:
            message = f"The tag “{bare[1]}” has no fallback for readers without a value."
            return self._block(name, "no_fallback", *span, message, _canonical_for(bare[1]))
        if _DOTTED.fullmatch(inner) or _HELPER.match(inner):
            message = f"“{match[0]}” is a tag in another form (HubSpot, Handlebars or the like)."
            return self._block(
                name, "other_dialect", *span, message, _canonical_for(_name_in(inner))
            )
        if _CODE.search(inner):
            message = f"“{match[0]}” is template code, which a campaign tool might run."
            return self._block(name, "template_code", *span, message, "Take it out.")
        filtered = _FILTERED.fullmatch(inner)
        if filtered:
            message = "The only filter allowed is default, with a fallback in double quotes."
            return self._block(name, "filter", *span, message, _canonical_for(filtered[1]))
        message = f"“{match[0]}” is no merge tag."
        return self._block(name, "not_canonical", *span, message, _canonical_for("first_name"))

    def _block(
        self, field: FieldName, rule: str, start: int, end: int, message: str, suggestion: str
    ) -> Finding:
        return Finding(self.name, rule, "block", field, start, end, message, suggestion)

    def _review(
        self, field: FieldName, rule: str, tag: Tag, message: str, suggestion: str
    ) -> Finding:
        return Finding(self.name, rule, "review", field, tag.start, tag.end, message, suggestion)


def _allowed(item: Item) -> set[str] | None:
    """Names of the tags that may stand in the item; None where nothing says so."""
    if item.segment:
        return set(item.segment.merge_tags)
    if item.brief and item.brief.segments:
        return {name for segment in item.brief.segments for name in segment.merge_tags}
    return None


def _surroundings(text: str, canonical: Sequence[Tag]) -> list[tuple[str, str]]:
    """What stands before and after each tag once all tags are filled with their fallbacks."""
    line = ""
    values = []
    place = 0
    for tag in canonical:
        line += text[place : tag.start]
        values.append((len(line), len(line) + len(tag.fallback)))
        line += tag.fallback
        place = tag.end
    line += text[place:]
    return [(line[:start], line[end:]) for start, end in values]


def _name_in(tag: str) -> str:
    """A canonical name out of a tag in another form: `*|FNAME|*` is first_name."""
    words = re.findall(r"[A-Za-z][A-Za-z0-9]*", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", tag))
    letters = "".join(words).lower()
    for name, signs in (("first_name", ("fname", "first")), ("last_name", ("lname", "last"))):
        if any(sign in letters for sign in signs):
            return name
    return "first_name" if "name" in letters else "_".join(words[-2:]).lower() or "first_name"


def _writes_low(item: Item, field: FieldName) -> bool:
    """Whether the text starts its lines with small letters on purpose: the other field does, or
    most of the brand's example lines."""
    others = [text for name, text in item.fields() if name != field]
    lines = others or [*(item.brand.on_voice if item.brand else ())]
    low = sum(line.lstrip()[:1].islower() for line in lines)
    return low * 2 > len(lines)


def _snake(name: str) -> str:
    """`FirstName`, `first-name` and `first name` as a canonical name."""
    return re.sub(r"\W+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)).lower()


def _canonical_for(name: str, fallback: str = "there") -> str:
    return f'{{{{ {name} | default: "{fallback}" }}}}'


def _blanked(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """`text` with `spans` as spaces, every other character in its place."""
    if not spans:
        return text
    parts = []
    place = 0
    for start, end in spans:
        parts += [text[place:start], " " * (end - start)]
        place = end
    return "".join(parts) + text[place:]


_SEGMENT = Segment(merge_tags={"first_name": MergeTag(fallback="friend")})
EXAMPLES_PASS = [
    Item('Hello {{ first_name | default: "friend" }}, the wool is in', segment=_SEGMENT),
    Item("The first lambswool of the season", "100% wool, 20% off [New] & * terms"),
    Item('Hello {{ first_name | default: "there" }}, the wool is in'),
]
_ITEM = Segment(merge_tags={"item": MergeTag(fallback="jumper", longest="umbrella")})
EXAMPLES_FAIL = [
    (Item("Hello {{ first_name }}"), "no_fallback"),
    (Item("Hello {{ first_name | default: 'there' }}"), "not_canonical"),
    (Item('Hello {{ first_name | default: "there" | upcase }}'), "filter"),
    (Item("Hello *|FNAME|*"), "other_dialect"),
    (Item("Hello %%FirstName%%"), "other_dialect"),
    (Item("Hello {{ contact.firstname }}"), "other_dialect"),
    (Item("Hello {contactfield=firstname|there}"), "other_dialect"),
    (Item("Hello {{${first_name}}}"), "other_dialect"),
    (Item("Hello [First Name]"), "other_dialect"),
    (Item("Hello <%= first_name %>"), "other_dialect"),
    (Item("{% if vip %}Hello{% endif %}"), "other_dialect"),
    (Item("Hello {{ first_name"), "unbalanced"),
    (Item("Hello {{ 7*7 }}"), "template_code"),
    (Item('Hello {{ first_name | default: "" }}, hello'), "empty_fallback"),
    (Item('{{ city | default: "town" }} sale', segment=_SEGMENT), "unknown_tag"),
    (Item('Hi {{ first_name | default: "there" }}', segment=_SEGMENT), "fallback_differs"),
    (Item('Hi there {{ first_name | default: "there" }}'), "clumsy_fallback"),
    (Item('Hello {{ first_name | default: "%%name%%" }}'), "fallback_code"),
    (Item('A {{ item | default: "jumper" }} for you', segment=_ITEM), "clumsy_value"),
]

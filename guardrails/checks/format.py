"""Format: what no reader should see, whatever the text says.

Lengths, broken characters, chatter and prompt text left behind by a language model, and the marks
of a text that is shouted, padded, repeated or cut off.
"""

import itertools
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from guardrails.checks.merge_tags import fill, tags
from guardrails.leftovers import RULES
from guardrails.text import Normalised, normalise
from guardrails.types import (
    Brand,
    FieldName,
    Finding,
    Item,
    Limits,
    MergeTag,
    Option,
    Result,
    Segment,
    Severity,
)

MAX_SUBJECT, MAX_PREVIEW = 50, 90
"""Lengths in characters that fit most mail clients, used where there is no brief."""

LONGEST = 1000
"""Most characters that a policy may allow: no mail client shows more."""

SHOUTED_LETTERS = 10
"""Capitals from which a line is shouted (Stalwart's rule: 10 letters and more than one word)."""


_BREAKS = frozenset("\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")
_OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_BROKEN = re.compile(
    "\ufffd|â€|Ã[\x80-\xbf©¨ª¼¶¤±§®¢]|Â[\xa0£®©·°]|ï»¿|[\ufffe\uffff\ue000-\uf8ff]"
)
_ODD = re.compile(r"[^\x20-\x7e]")
_UNSEEN = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5")
_DOMAIN = re.compile(
    r"https?:|www\.\w|\w\.(?:com|org|net|io|co|uk|eu|info|biz|shop|store|app|dev|de|fr)(?![\w-])", re.IGNORECASE
)  # fmt: skip
_WORD = re.compile(r"\w+(?:'\w+)*")

# Words that are said twice on purpose.
_TWICE = frozenset(
    (
        *("had", "that", "bye", "very", "so", "no", "ha", "ho", "yes"),
        *("really", "many", "far", "now", "knock", "night", "chop", "hear", "there"),
        *("please", "go", "long", "big", "more", "much", "boo", "wow", "yum"),
        *("same", "tut", "win", "new", "again", "never", "oh", "hey", "la"),
        *("tick", "ding", "well", "aye", "cha", "yo", "pom", "choo", "wakey"),
        *("can", "half", "hip", "run", "softly", "mini", "super"),
    )
)


class Format:
    """Blocks texts that are broken, too long or not copy; sends careless ones to review."""

    name = "format"

    @property
    def rules(self) -> frozenset[str]:
        """Every rule that its findings may name."""
        return _RULES

    def __init__(self, max_subject: int = MAX_SUBJECT, max_preview: int = MAX_PREVIEW) -> None:
        """Take the lengths (characters) to hold texts to that come without a brief."""
        self._limits = Limits(subject=max_subject, preview=max_preview)

    def options(self, brand: Brand) -> Mapping[str, Option]:  # noqa: ARG002
        """The lengths allowed without a brief."""
        return {
            "max_subject": Option(float(self._limits.subject), "higher", 1, LONGEST),
            "max_preview": Option(float(self._limits.preview), "higher", 1, LONGEST),
        }

    def run(self, items: Sequence[Item]) -> list[Result]:
        """Judge each text. Always applicable."""
        return [self._judge(item) for item in items]

    def _judge(self, item: Item) -> Result:
        findings: list[Finding] = []
        for name, text in item.fields():
            add = _Adder(name, text, findings)
            shown = normalise(text)
            self._length(add, item)
            _characters(add)
            _edges(add)
            filled = shown if not tags(text) else normalise(fill(text))
            if text and not any(map(str.isalnum, filled.text)):
                add("no_words", "block", 0, len(text), f"The {name} has no words.", "Write some.")
            _patterns(add, shown)
            _exclamations(add, shown)
            _shouting(add, shown)
            _repeats(add, shown)
            if name == "subject":
                _addresses(add, item)
        if item.preview:
            _same(_Adder("preview", item.preview, findings), item.subject)
        return Result(findings)

    def _length(self, add: "_Adder", item: Item) -> None:
        """A brief's limits block; without a brief the usual ones ask for review.

        Merge tags count as their fallback; the longest value that a segment names asks for review.
        """
        limits = item.brief.limits if item.brief else self._limits
        limit = limits.subject if add.field == "subject" else limits.preview
        size = len(fill(add.text))
        if size > limit:
            message = f"The {add.field} has {size} characters; at most {limit} are allowed."
            start = max(0, len(add.text) - (size - limit))
            severity: Severity = "block" if item.brief else "review"
            add("too_long", severity, start, len(add.text), message, f"Cut {size - limit}.")
            return
        used = tags(add.text)
        longest = len(fill(add.text, _longest(item.segment))) if used else size
        if longest > limit:
            message = (
                f"With the longest values the {add.field} has {longest} characters of {limit}."
            )
            first = used[0]
            add("long_value", "review", first.start, first.end, message, f"Cut {longest - limit}.")


@dataclass(frozen=True, slots=True)
class _Adder:
    """Collects the findings of one field."""

    field: FieldName
    text: str
    findings: list[Finding]

    def __call__(
        self, rule: str, severity: Severity, start: int, end: int, message: str, suggestion: str
    ) -> None:
        finding = Finding(Format.name, rule, severity, self.field, start, end, message, suggestion)
        self.findings.append(finding)


def _longest(segment: Segment | None) -> dict[str, str]:
    named = segment.merge_tags.items() if segment else ()
    return {name: max(tag.longest, tag.fallback, key=len) for name, tag in named if tag.longest}


def _patterns(add: _Adder, shown: Normalised) -> None:
    for rule in RULES:
        match = rule.search(shown.text) if add.field in rule.fields else None
        if match:
            span = shown.span(*match.span())
            add(rule.id, rule.severity, *span, rule.message, rule.suggestion)


def _characters(add: _Adder) -> None:
    """Line breaks, control and override characters, surrogates, broken and invisible ones.

    One finding for each kind, over its first run.
    """
    text = add.text
    if text.isascii() and text.isprintable():
        return
    kinds: dict[str, list[int]] = {}
    for match in _ODD.finditer(text):
        kind = _kind(text, match.start())
        if kind:
            place = kinds.setdefault(kind, [match.start(), match.start()])
            if place[1] == match.start():
                place[1] += 1
    for kind, (start, end) in kinds.items():
        severity, message, suggestion = _CHARACTERS[kind]
        add(kind, severity, start, end, message, suggestion)
    broken = _BROKEN.search(text)
    if broken:
        add("broken_character", "block", *broken.span(), "A character is broken.", "Type it again.")


_CHARACTERS: dict[str, tuple[Severity, str, str]] = {
    "line_break": ("block", "There is a line break.", "Write one line."),
    "control_character": ("block", "There is a control character.", "Take it out."),
    "lone_surrogate": ("block", "There is half a character.", "Type it again."),
    "direction_override": (
        "block",
        "A hidden mark turns the reading direction, so the text shows otherwise than it is.",
        "Take it out.",
    ),
    "hidden_in_word": ("block", "A word holds a hidden character.", "Type the word again."),
    "invisible": ("review", "There are characters that can't be seen.", "Take them out."),
}


_RULES = frozenset(
    (
        *(rule.id for rule in RULES),
        *_CHARACTERS,
        *("broken_character", "too_long", "long_value", "no_words", "edge_space", "exclamations"),
        *("shouting", "repeated_words", "address", "repeats_subject"),
    )
)


def _kind(text: str, index: int) -> str | None:
    """What is wrong with the character at `index`, if anything."""
    character = text[index]
    if character in _BREAKS:
        return "line_break"
    if character in _OVERRIDES:
        return "direction_override"
    category = unicodedata.category(character)
    if category == "Cc":
        return "control_character"
    if category == "Cs":
        return "lone_surrogate"
    if category != "Cf" and character not in _UNSEEN:
        return None
    before, after = text[index - 1 : index], text[index + 1 : index + 2]
    if _joins(character, before, after):
        return None
    return "hidden_in_word" if _is_latin(before) and _is_latin(after) else "invisible"


def _joins(character: str, before: str, after: str) -> bool:
    """Whether an invisible character does its work: joins emoji, or letters of another script;
    spells a flag; shows the direction of a right-to-left word."""
    if "\U000e0020" <= character <= "\U000e007f":
        return before == "\U0001f3f4" or "\U000e0020" <= before <= "\U000e007e"
    if character in "\u200c\u200d":
        if not before or not after or before.isascii() or after.isascii():
            return False
        return before in "\ufe0f" or unicodedata.category(before)[0] in "SM" or before.isalpha()
    if character in "\u200e\u200f\u061c":
        return any(unicodedata.bidirectional(each) in {"R", "AL"} for each in before + after)
    return "\u0600" <= character <= "\u0605"


def _is_latin(character: str) -> bool:
    return character.isalpha() and character < "\u0530"


def _edges(add: _Adder) -> None:
    text = add.text
    body = text.strip()
    if body and text != body:
        if text[-1].isspace():
            start = len(text.rstrip())
            add("edge_space", "review", start, len(text), "It ends with a space.", "Take it out.")
        if text[0].isspace():
            end = len(text) - len(text.lstrip())
            add("edge_space", "review", 0, end, "It starts with a space.", "Take it out.")


def _exclamations(add: _Adder, shown: Normalised) -> None:
    runs = list(re.finditer(r"!+", shown.text))
    if len(runs) > 1:
        message = "More than one exclamation mark looks like spam."
        add("exclamations", "review", *shown.span(*runs[1].span()), message, "Keep one at most.")


def _shouting(add: _Adder, shown: Normalised) -> None:
    text = re.sub(r"\{\{[^{}]*\}\}", " ", shown.text)
    letters = [each for each in text if each.isalpha()]
    shouted = len(letters) >= SHOUTED_LETTERS and all(map(str.isupper, letters))
    if shouted and len([word for word in text.split() if any(map(str.isalpha, word))]) > 1:
        message = "The whole line is in capitals."
        add("shouting", "review", 0, len(add.text), message, "Use capitals where a sentence does.")


def _repeats(add: _Adder, shown: Normalised) -> None:
    """A word, or two or three words, said twice in a row with nothing but a space between."""
    words = list(_WORD.finditer(shown.text))
    plain = [word[0].lower() for word in words]
    if len(set(plain)) == len(plain):
        return
    joined = [shown.text[a.end() : b.start()].isspace() for a, b in itertools.pairwise(words)]
    for count in (1, 2, 3):
        for index in range(len(words) - 2 * count + 1):
            again = index + count
            if (
                plain[index:again] == plain[again : again + count]
                and all(joined[index : again + count - 1])
                and not (count == 1 and (plain[index] in _TWICE or not plain[index].isalpha()))
                and not (count > 1 and len(set(plain[index:again])) == 1)
            ):
                span = shown.span(words[again].start(), words[again + count - 1].end())
                said = " ".join(plain[index:again])
                add("repeated_words", "review", *span, f"“{said}” stands twice.", "Say it once.")
                return


def _addresses(add: _Adder, item: Item) -> None:
    """A web or mail address in the subject, unless it is the brand's own name."""
    if "." not in add.text and "://" not in add.text and "@" not in add.text:
        return
    own = " ".join(
        (item.brand.name if item.brand else "", item.brief.product if item.brief else "")
    )
    for match in re.finditer(r"\S+", add.text):
        word = match[0].strip("()[]<>,.;:!?\"'“”‘’")
        if word and word.lower() in own.lower():
            continue
        _, at, host = word.rpartition("@")
        if (at and "." in host) or _DOMAIN.search(word):
            message = "An address in the subject looks like spam."
            add("address", "review", *match.span(), message, "Leave addresses to the mail's body.")
            return


def _same(add: _Adder, subject: str) -> None:
    """The preview stands right after the subject, so it should not say the same."""
    first = [word.lower() for word in _WORD.findall(normalise(subject).text)]
    second = [word.lower() for word in _WORD.findall(normalise(add.text).text)]
    if not first or not second:
        return
    shared = len(set(first) & set(second)) / len(set(first) | set(second))
    begins = len(first) >= 3 and second[: len(first)] == first
    if first == second or begins or (shared >= 0.8 and min(len(first), len(second)) >= 4):
        message = "The preview repeats the subject, and both show side by side."
        add("repeats_subject", "review", 0, len(add.text), message, "Use it to say one thing more.")


_LONG_NAME = Segment(merge_tags={"name": MergeTag(fallback="you", longest="x" * 50)})

EXAMPLES_PASS = [
    Item("The first lambswool of the season", "Six undyed colours, and 15% off until Tuesday."),
    Item("That's it, it's Friday!", "Here are 4 ways to wear linen – one for every day"),
    Item('Hello {{ first_name | default: "there" }} 👨‍👩‍👧', "Café crème, £3.50. 2 for 1?"),
]
EXAMPLES_FAIL = [
    (Item("x" * 51), "too_long"),
    (Item('{{ name | default: "you" }}, look', segment=_LONG_NAME), "long_value"),
    (Item("Use only what the brief says"), "prompt_text"),
    (Item("Two\nlines"), "line_break"),
    (Item("A bell\a"), "control_character"),
    (Item("Half \ud83d"), "lone_surrogate"),
    (Item("Turned \u202eround"), "direction_override"),
    (Item("Hid\u200bden"), "hidden_in_word"),
    (Item("Padded", "out \u200c\u200c\u200c"), "invisible"),
    (Item("Broken â€™ mark"), "broken_character"),
    (Item("Sure, here is a subject line"), "model_chatter"),
    (Item("As an AI, I can't say"), "model_chatter"),
    (Item("Here are 4"), "model_chatter"),
    (Item("Subject: the wool is in"), "label"),
    (Item("Facts: spun in Hawick"), "label"),
    (Item("The wool is in<|im_end|>"), "special_token"),
    (Item("Hello [Name]"), "placeholder"),
    (Item("Save XX% today"), "placeholder"),
    (Item("Meet the {product}"), "placeholder"),
    (Item("Lorem ipsum dolor"), "placeholder"),
    (Item("<b>Bold</b> news"), "markup"),
    (Item("🎉🎉!"), "no_words"),
    (Item("The the wool is in"), "repeated_words"),
    (Item("The wool is in and"), "cut_off"),
    (Item("THE WOOL IS IN TODAY"), "shouting"),
    (Item("Really!!"), "punctuation_run"),
    (Item("New! Wool! In!"), "exclamations"),
    (Item("The wool is in", "The wool is in"), "repeats_subject"),
    (Item("See www.example.com today"), "address"),
    (Item("The wool is in "), "edge_space"),
    (Item("The  wool is in"), "spacing"),
]

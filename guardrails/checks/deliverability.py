"""Deliverability: what mail filters and readers take for spam.

It adds to `format`, which has whole lines in capitals, rows of "!" and "?", addresses and hidden
characters, and to `intent`, which judges what a text pretends. The sources are the public tests of
SpamAssassin (rules/20_head_tests.cf, 20_phrases.cf) and Stalwart (subject.sieve), and Gmail's sender
guidelines.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from guardrails.text import Normalised, normalise
from guardrails.types import Brand, Brief, FieldName, Finding, Item, Option, Result, Severity

MOST_EMOJI = 3
"""Emoji in a subject from which on more ask for review: about one in thirteen characters."""

CAPITALS = 0.5
"""Share of capitals among at least 10 letters from which a line that is not all in capitals shouts
too. Words that the brief or the brand writes in capitals don't count."""

_REPLY = re.compile(
    r"^\W*(?:re|fwd?|fw|aw|wg|antw|sv|vs|tr|rv|odp|vb)(?:\s?[\[(]\d{1,2}[\])])?\s?:", re.IGNORECASE
)
_GAPPY = re.compile(
    r"(?<![\w.'&-])(?:[A-Za-z]([ _*~|\-])\1{0,2}){3,40}[A-Za-z](?![\w'.&-])"
    r"|(?<![\w.])(?:[a-z][.]){3,40}[a-z](?![\w.])|(?<![\w.])(?:[A-Z][.]){5,40}[A-Z](?![\w.])"
)
_CURRENCY_RUN = re.compile(r"[$£€¥]{2,}|[$£€¥](?: [$£€¥])+")
_MARK_RUN = re.compile(r"[*~=#>^|+]{3,}|\.{4,}|-{3,}|(?:[*~>] ){2,}[*~>]")
_FREE = re.compile(r"(?<![\w-])FREE(?![\w-])")
_ENCODED = re.compile(r"=\?[\w-]{1,30}\?[bq]\?[^?\s]{0,200}\?=", re.IGNORECASE)
_SHORT_LINK = re.compile(
    r"(?<![\w.])(?:bit\.ly|tinyurl\.com|goo\.gl|t\.co|ow\.ly|is\.gd|buff\.ly|rebrand\.ly|cutt\.ly)/\w",
    re.IGNORECASE,
)
_PHRASE = re.compile(
    r"\b(?:click (?:here|below|this)|dear (?:friend|sir or madam|beneficiary|customer)|as seen on"
    r"(?: tv| oprah)|make money (?:fast|online|now)|(?:extra|fast|easy) cash\b|million (?:us )?dollars"
    r"|100% free|this (?:is not|isn't) (?:spam|a scam)|not (?:spam|a scam)|you are receiving this"
    r"|act (?:now|immediately)|order now!|buy now!|call now!|urgent(?:ly)? (?:reply|response)"
    r"|meet singles|work at home|opt[ -]in now|one[- ]time mailing|undisclosed recipients?)(?!\w)",
    re.IGNORECASE,
)
_PIECES = (
    *(
        "click",
        "dear ",
        "seen on",
        "money",
        "cash",
        "dollars",
        "100% free",
        "spam",
        "scam",
        "receiving",
    ),
    *(
        "act now",
        "act imm",
        "now!",
        "urgent",
        "singles",
        "work at",
        "opt",
        "mailing",
        "undisclosed",
    ),
)
"""One of these stands in every text that `_PHRASE` fits."""
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
_TAG = re.compile(r"\{\{[^{}]*\}\}")
_ODD_SCRIPT = re.compile("[\u0370-\u03ff\u0400-\u058f\u13a0-\u13ff\ua4d0-\ua4ff]")
_STYLED = re.compile(
    "[\U0001d400-\U0001d7ff\u24b6-\u24e9\U0001f130-\U0001f189\uff21-\uff3a\uff41-\uff5a]"
    "(?:.?[\U0001d400-\U0001d7ff\u24b6-\u24e9\U0001f130-\U0001f189\uff21-\uff3a\uff41-\uff5a])+"
)
_EMOJI = re.compile(
    "(?:[\U0001f1e6-\U0001f1ff]{2}|[\U0001f300-\U0001faff\u2600-\u27bf\u2b50\u2b55\u231a\u231b\u23e9-\u23f3]"
    "[\ufe0f\U0001f3fb-\U0001f3ff]*(?:\u200d[\U0001f300-\U0001faff\u2600-\u27bf]\ufe0f?)*)"
)
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"


class Deliverability:
    """Blocks reply marks on mail that answers nothing, look-alike letters and encoded words; sends
    what spam tests count to review. Always applicable."""

    name = "deliverability"
    rules = frozenset(
        (
            *("capitals", "currency_run", "emoji", "encoded_word", "free_in_capitals", "gappy"),
            *(
                "look_alikes",
                "mark_run",
                "reply_mark",
                "short_link",
                "spam_phrase",
                "styled_letters",
            ),
        )
    )

    def __init__(self, max_emoji: int = MOST_EMOJI) -> None:
        self._max_emoji = max_emoji

    def options(self, brand: Brand) -> Mapping[str, Option]:  # noqa: ARG002
        """How many emoji are not too many."""
        return {"max_emoji": Option(float(self._max_emoji), "higher", 0, 100)}

    def run(self, items: Sequence[Item]) -> list[Result]:
        """Judge each text."""
        return [
            Result([each for name, text in item.fields() for each in self._judge(name, text, item)])
            for item in items
        ]

    def _judge(self, name: FieldName, text: str, item: Item) -> Iterator[Finding]:
        shown = normalise(text)
        if not text.isascii():
            yield from self._letters(name, text)
        plain = shown.text
        if "{{" in plain:
            plain = _TAG.sub(lambda tag: " " * len(tag[0]), plain)
        lowered = plain.lower()
        for rule, pattern, message, suggestion in _PATTERNS:
            if pattern is _PHRASE and not any(piece in lowered for piece in _PIECES):
                continue
            match = pattern.search(plain)
            if match and not (rule == "gappy" and _spells_alphabet(match[0])):
                yield self._found(rule, "review", name, shown, match, message, suggestion)
        encoded = _ENCODED.search(shown.text) if "=?" in shown.text else None
        if encoded:
            yield self._found(
                "encoded_word", "block", name, shown, encoded,
                "This is the encoded form of a header, which would show as it stands.",
                "Write the text itself.",
            )  # fmt: skip
        yield from self._capitals(name, plain, shown, item)
        if name == "subject":
            yield from self._subject(text, shown, item)
        elif "." in text:
            link = _SHORT_LINK.search(shown.text)
            if link:
                yield self._found(
                    "short_link", "review", name, shown, link,
                    "A shortened link hides where it leads, and filters distrust it.",
                    "Leave links to the mail's body.",
                )  # fmt: skip

    def _subject(self, text: str, shown: Normalised, item: Item) -> Iterator[Finding]:
        reply = _REPLY.search(shown.text)
        if reply:
            intent = item.brief.intent if item.brief else None
            severity: Severity = "review" if intent in (None, "transactional") else "block"
            yield self._found(
                "reply_mark", severity, "subject", shown, reply,
                f"“{reply[0].strip()}” says that this answers or forwards a mail; Gmail forbids it "
                "unless it does.",
                "Take the mark out.",
            )  # fmt: skip
        emoji = [] if text.isascii() else list(_EMOJI.finditer(text))
        if len(emoji) > self._max_emoji:
            first, last = emoji[self._max_emoji].start(), emoji[-1].end()
            message = f"There are {len(emoji)} emoji; more than {self._max_emoji} look like spam."
            yield Finding(
                self.name, "emoji", "review", "subject", first, last, message, "Keep one or two."
            )

    def _letters(self, name: FieldName, text: str) -> Iterator[Finding]:
        """Letters that only look like others: of another script in a Latin word, or styled."""
        styled = _STYLED.search(text)
        if styled:
            yield Finding(
                self.name, "styled_letters", "review", name, *styled.span(),
                "These are mathematical or enclosed letters: screen readers spell them out or skip "
                "them, and filters distrust them.",
                "Type plain letters.",
            )  # fmt: skip
        if not _ODD_SCRIPT.search(text):
            return
        for word in _WORD.finditer(text):
            odd = [each for each in word[0] if _ODD_SCRIPT.match(each)]
            latin = any(each.isalpha() and each < "\u0250" for each in word[0])
            if latin and any(normalise(each).text.isascii() for each in odd):
                yield Finding(
                    self.name, "look_alikes", "block", name, *word.span(),
                    f"“{word[0]}” mixes letters of two scripts that look alike, as phishing does.",
                    "Type the word again.",
                )  # fmt: skip
                return

    def _capitals(
        self, name: FieldName, text: str, shown: Normalised, item: Item
    ) -> Iterator[Finding]:
        if sum(map(str.isupper, text)) < 4:
            return
        own = _own_capitals(item)
        words = [word for word in _WORD.finditer(text) if word[0] not in own]
        letters = [each for word in words for each in word[0] if each.isalpha()]
        upper = [each for each in letters if each.isupper()]
        loud = [word for word in words if len(word[0]) > 1 and word[0].isupper()]
        if len(letters) >= 10 and len(loud) > 1 and CAPITALS <= len(upper) / len(letters) < 1:
            span = shown.span(loud[0].start(), loud[-1].end())
            yield Finding(
                self.name, "capitals", "review", name, *span,
                "More than half of the letters are capitals.", "Use capitals where a sentence does.",
            )  # fmt: skip
            return
        free = _FREE.search(text) if name == "subject" and "FREE" not in own else None
        if free:
            yield self._found(
                "free_in_capitals", "review", name, shown, free,
                "“FREE” in capitals counts as spam.", "Write “free”.",
            )  # fmt: skip

    def _found(
        self,
        rule: str,
        severity: Severity,
        field: FieldName,
        shown: Normalised,
        match: re.Match[str],
        message: str,
        suggestion: str,
    ) -> Finding:
        span = shown.span(*match.span())
        return Finding(self.name, rule, severity, field, *span, message, suggestion)


_PATTERNS = (
    ("gappy", _GAPPY, "A word is spelled with gaps, as spam is.", "Write the word."),
    ("currency_run", _CURRENCY_RUN, "Currency signs in a row count as spam.", "Name the sum."),
    ("mark_run", _MARK_RUN, "Marks in a row look like spam.", "Take them out."),
    ("spam_phrase", _PHRASE, "Spam tests count this phrase.", "Say what there is to do or see."),
)


def _own_capitals(item: Item) -> frozenset[str]:
    """Words that the brief and the brand's name write in capitals: codes, names, abbreviations."""
    parts = [item.brand.name] if item.brand else []
    if item.brief:
        parts += [item.brief.product, item.brief.summary, item.brief.cta, *item.brief.facts]
        if item.brief.offer:
            parts += [item.brief.offer.text, item.brief.offer.code or ""]
    return frozenset(word for word in _WORD.findall(" ".join(parts)) if word.isupper())


def _spells_alphabet(text: str) -> bool:
    return "".join(filter(str.isalpha, text)).lower() in _ALPHABET


_PROMOTION = Brief(intent="promotional")
EXAMPLES_PASS = [
    Item("The first lambswool of the season", "Six undyed colours, and 15% off until Tuesday."),
    Item("News from the U.S.A. and the R.E.M. fan club", "A B C D: letters for beginners"),
    Item("Really? Yes! 🎉", "Feel free to call. Made by NASA in the UK."),
    Item("Re-think your wardrobe", "µm, kΩ and Москва"),
]
EXAMPLES_FAIL = [
    (Item("Re: your jumper", None, _PROMOTION), "reply_mark"),
    (Item("FWD: our sale"), "reply_mark"),
    (Item("F R E E jumpers"), "gappy"),
    (Item("Make $$$ with wool"), "currency_run"),
    (Item("*** Wool is in ***"), "mark_run"),
    (Item("Click here for wool"), "spam_phrase"),
    (Item("HUGE WOOL SALE is on NOW"), "capitals"),
    (Item("A FREE jumper for you"), "free_in_capitals"),
    (Item("Wool 🎉🎉🎉🎉 is in"), "emoji"),
    (Item("𝗡𝗲𝘄 wool"), "styled_letters"),
    (Item("Your pаypal account"), "look_alikes"),
    (Item("=?UTF-8?Q?Wool?= is in"), "encoded_word"),
    (Item("Wool is in", "See bit.ly/wool"), "short_link"),
]

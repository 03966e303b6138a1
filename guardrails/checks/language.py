"""Language: the text is in the brief's language, as far as a line so short can tell.

A naive Bayes model over letter sequences (py3langid) gives each of 41 languages a probability. A
finding needs the brief's language to be all but ruled out; names, loan words and lines too short
to tell leave it open and pass.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from py3langid.langid import MODEL_FILE, LanguageIdentifier

from guardrails.types import Brand, Brief, FieldName, Finding, Item, Option, Result

RULED_OUT = 0.02
"""Probability of the brief's language below which subject and preview together are not in it."""

RULED_OUT_ALONE = 0.005
"""The same for one field by itself, beside another that is in the language."""

ENOUGH_WORDS = 4
"""Words from which a text in Latin letters can be told: fewer are often names and loan words."""

LANGUAGES = (
    *("ar", "bg", "ca", "cs", "cy", "da", "de", "el", "en", "es", "et", "fa", "fi", "fr", "ga"),
    *("he", "hi", "hr", "hu", "id", "is", "it", "ja", "ko", "lt", "lv", "nl", "no", "pl", "pt"),
    *("ro", "ru", "sk", "sl", "sr", "sv", "th", "tr", "uk", "vi", "zh"),
)
"""Languages that a text is compared with: those that most mail is written in. Among all 139 that
the model knows, short lines are too often taken for a rare one."""

ENGLISH = frozenset(
    (
        *("the", "and", "your", "you", "with", "of", "our", "for", "from", "this", "that", "is"),
        *("are", "it's", "we've", "you're", "they're", "their", "they", "what", "when", "how"),
        *("have", "has", "been", "will", "can", "get", "now", "new", "out", "up", "more"),
        *("these", "off", "by", "it", "at", "my", "not", "only", "before", "until", "every"),
        *("which", "who", "why", "than", "its", "here", "here's", "there", "there's", "that's"),
        *("don't", "you'll", "i'm", "just", "free", "day", "if", "two", "where", "be", "we"),
        *("we're", "we'll", "each", "any", "some", "through"),
    )
)
"""Words of English that are frequent in it and rare in other languages."""

ENOUGH_ENGLISH = 2
"""Different ones of these words from which a text is English without asking the model."""

# Languages so close that a short line of one may be taken for another: they count together.
_CLOSE = (
    {"no", "nb", "nn", "da"},
    {"hr", "bs", "sr", "sl"},
    {"id", "ms"},
    {"cs", "sk"},
    {"es", "ca", "gl"},
    {"pt", "gl"},
    {"nl", "af", "fy"},
    {"bg", "mk"},
    {"uk", "be", "ru"},
)
_NAMES = {
    "en": "English", "de": "German", "fr": "French", "es": "Spanish", "it": "Italian",
    "nl": "Dutch", "pt": "Portuguese", "sv": "Swedish", "da": "Danish", "no": "Norwegian",
    "nb": "Norwegian", "pl": "Polish", "cs": "Czech", "fi": "Finnish", "hu": "Hungarian",
    "tr": "Turkish", "ro": "Romanian", "ru": "Russian", "uk": "Ukrainian", "el": "Greek",
    "ja": "Japanese", "zh": "Chinese", "ko": "Korean", "ar": "Arabic", "he": "Hebrew", "hi": "Hindi",
}  # fmt: skip

_TAGS = re.compile(r"\{\{[^{}]*\}\}|\S*[@/]\S*|\S*[A-Za-z]\.[A-Za-z]\S*")
_LATIN = re.compile(r"[A-Za-z]")
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
LONGEST = 1000
"""Characters of a field that are looked at."""


class Language:
    """Asks for review where a text is not in the brief's language.

    Not applicable without a brief, or where its language is not among the model's. `ruled_out` is
    the probability of that language, from 0 to 1, below which a text is not in it.
    """

    name = "language"
    rules = frozenset({"other_language"})

    def __init__(self, ruled_out: float = RULED_OUT) -> None:
        self._ruled_out = ruled_out

    def options(self, brand: Brand) -> Mapping[str, Option]:  # noqa: ARG002
        """How improbable the brief's language is where a text is not in it."""
        return {"ruled_out": Option(self._ruled_out, "lower", 0, 1)}

    def run(self, items: Sequence[Item]) -> list[Result]:
        """Judge each text by its brief's language: both fields at once, then each by itself."""
        return [self._judge(item) for item in items]

    def _judge(self, item: Item) -> Result:
        if item.brief is None:
            return Result.not_applicable()
        wanted = item.brief.language.lower().replace("_", "-").split("-")[0]
        fields = item.fields()
        if wanted == "en" and all(_is_english(text) for _, text in fields):
            return Result()
        accepted = _accepted(wanted)
        if not accepted:
            return Result.not_applicable()
        plain = [(name, _words(text, item)) for name, text in fields]
        whole = " ".join(text for _, text in plain)
        if not (wanted == "en" and _is_english(whole)):
            if whole.count(" ") < ENOUGH_WORDS - 1 and _LATIN.search(whole):
                return Result()
            other = self._other(whole, accepted, self._ruled_out)
            if other:
                return Result([self._finding(item, "subject", wanted, other)])
        for name, text in plain if len(plain) > 1 else ():
            if text.count(" ") >= ENOUGH_WORDS - 1 and not (wanted == "en" and _is_english(text)):
                other = self._other(text, accepted, self._ruled_out * RULED_OUT_ALONE / RULED_OUT)
                if other:
                    return Result([self._finding(item, name, wanted, other)])
        return Result()

    def _other(self, text: str, accepted: frozenset[str], limit: float) -> str | None:
        """The language of `text` where it is surely none of the accepted ones."""
        if not text:
            return None
        ranked = _identifier().rank(text)
        if ranked[0][0] in accepted:
            return None
        share = sum(probability for language, probability in ranked if language in accepted)
        return ranked[0][0] if share < limit else None

    def _finding(self, item: Item, name: FieldName, wanted: str, other: str) -> Finding:
        text = dict(item.fields())[name]
        message = f"The brief wants {_named(wanted)}; this looks like {_named(other)}."
        return Finding(
            self.name, "other_language", "review", name, 0, len(text), message,
            f"Write it in {_named(wanted)}, or correct the brief's language.",
        )  # fmt: skip


@lru_cache(maxsize=1)
def _identifier() -> LanguageIdentifier:
    """The model, loaded where the first text needs it (0.8 s)."""
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(LANGUAGES)
    return identifier


@lru_cache(maxsize=256)
def _accepted(wanted: str) -> frozenset[str]:
    """The codes that count as `wanted`; none where the model doesn't know it."""
    close = {wanted}.union(*(group for group in _CLOSE if wanted in group))
    known = close & set(_identifier().labels)
    return frozenset(known)


def _words(text: str, item: Item) -> str:
    """`text` as far as it can tell a language: no tags, addresses, names of brand and product."""
    plain = _TAGS.sub(" ", text[:LONGEST])
    for name in (item.brand.name if item.brand else "", item.brief.product if item.brief else ""):
        if name and name in plain:
            plain = plain.replace(name, " ")
    words = _WORD.findall(plain.replace("’", "'"))
    return " ".join(words)


def _is_english(text: str) -> bool:
    return len(ENGLISH.intersection(text[:LONGEST].lower().split())) >= ENOUGH_ENGLISH


def _named(code: str) -> str:
    return _NAMES.get(code, f"the language “{code}”")


_BRIEF = Brief(language="en")
_GERMAN = Brief(language="de-AT")
EXAMPLES_PASS = [
    Item("The first lambswool of the season", "Six undyed colours", _BRIEF),
    Item("Prosecco, prosciutto, pesto", "Three things we brought back from Italy.", _BRIEF),
    Item("Die neuen Pullover sind da", "Sechs Naturfarben, gesponnen in Hawick.", _GERMAN),
    Item("FIRSTLAYER", "XS to XXL", _BRIEF),
]
EXAMPLES_FAIL = [
    (Item("Die neuen Pullover sind da", "Sechs Naturfarben.", _BRIEF), "other_language"),
    (Item("Votre commande est en route", None, _BRIEF), "other_language"),
    (Item("Новые свитеры уже здесь", None, _BRIEF), "other_language"),
    (Item("The first lambswool of the season is here", None, _GERMAN), "other_language"),
]

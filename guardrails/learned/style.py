"""How a line is written, whatever it is about: 47 plain features of style."""

import re
import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FORMAL = _words(
    "shall whom upon regarding concerning kindly please therefore hence thus furthermore moreover "
    "accordingly pursuant hereby may must should available provide provided receive ensure enable "
    "enables leverage solutions solution optimise optimize utilise customers valued inform "
    "informed delighted pleased announce opportunity"
)
CASUAL = _words(
    "hey hi yay wow omg lol guys gonna wanna gotta yeah yep nope ok okay cool awesome amazing super "
    "mega fab vibes vibe bestie babe folks mate cheers ta psst oops ooh ahh haha soz totally "
    "literally obsessed love dope lit slay fam kinda sorta stuff y'all"
)
HYPE = _words(
    "amazing incredible unbelievable insane epic ultimate best biggest huge massive stunning "
    "unmissable exclusive revolutionary game changer deals deal save sale free now hurry today "
    "last chance don't miss grab steal must-have hottest perfect never ever everything crazy wow "
    "unlock discover elevate transform"
)
ANTIQUE = _words("shall upon whom thus herewith pray madam sir ought")
FUNCTION = _words(
    "the a an of and or but to for in on at with by from as is are was were be been have has had "
    "will would can could not no it its this that these those there here what who how why when if "
    "so just only all some any your you we our us i my me they their he she"
)
FIRST = _words("i my me mine i'm i've i'll")
OURS = _words("we our us ours we've we're we'll")
READER = _words("you your yours you're you'll you've")

EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff]")
WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
LETTERS = re.compile(r"[^\W\d_]+")
SENTENCE = re.compile(r"[^.!?]+")
DRAWN_OUT = re.compile(r"(.)\1\1")
PILED_UP = re.compile(r"[!?]{2}")
IMPERATIVE = re.compile(
    r"\W*(?:get|grab|shop|save|discover|unlock|meet|try|join|come|see|take|make|don't|give|say|find"
    r"|start|book|go|enjoy)\b"
)
LONGEST = 10_000
"""Characters looked at; nobody's subject line is longer."""

NAMES: Sequence[str] = (
    "length in characters",
    "number of words",
    "length of sentences",
    "length of words",
    "repeated words",
    "exclamation marks",
    "number of exclamation marks",
    "questions",
    "full stop at the end",
    "full stops",
    "commas",
    "colons",
    "semicolons",
    "dashes",
    "dots trailing off",
    "brackets",
    "quotation marks",
    "ampersands",
    "slashes",
    "plus or equals signs",
    "percentages",
    "asterisks or hash signs",
    "number of emoji",
    "emoji",
    "digits",
    "numbers",
    "capital letters",
    "words in capitals",
    "Title Case",
    "a small letter at the start",
    "contractions",
    "the word I",
    "the word we",
    "the word you",
    "the word one",
    "formal words",
    "casual words",
    "sales words",
    "plain small words",
    "long words",
    "short words",
    "drawn-out letters",
    "piled-up punctuation",
    "a command at the start",
    "abstract nouns",
    "old-fashioned words",
    "adverbs",
)


def style(text: str) -> NDArray[np.float32]:
    """Style features of `text`, in the order of NAMES: shape (47,), each between 0 and about 5."""
    text = unicodedata.normalize("NFC", text[:LONGEST]).replace("’", "'")
    low = text.lower()
    words = WORD.findall(low)
    raw = LETTERS.findall(text)
    characters, count = max(len(text), 1), max(len(words), 1)
    sentences = max(sum(1 for each in SENTENCE.findall(text) if each.strip()), 1)
    emoji = len(EMOJI.findall(text))

    def share(of: frozenset[str]) -> float:
        return sum(word in of for word in words) / count

    values = [
        min(len(text) / 50, 5),
        min(len(words) / 10, 5),
        min(len(words) / sentences / 10, 5),
        sum(map(len, words)) / count / 5,
        len(set(words)) / count,
        "!" in text,
        min(text.count("!"), 3),
        "?" in text,
        text.rstrip().endswith("."),
        min(text.count(".") / count * 3, 5),
        min(text.count(",") / count * 5, 5),
        ":" in text,
        ";" in text,
        "—" in text or "–" in text or " - " in text,
        "…" in text or "..." in text,
        "(" in text,
        '"' in text or "“" in text,
        "&" in text,
        "/" in text,
        "+" in text or "=" in text,
        "%" in text,
        "*" in text or "#" in text,
        min(emoji, 3),
        emoji > 0,
        sum(character.isdigit() for character in text) / characters * 10,
        any(character.isdigit() for character in text),
        sum(character.isupper() for character in text) / characters * 10,
        sum(len(word) > 1 and word.isupper() for word in raw) / max(len(raw), 1) * 3,
        sum(word[0].isupper() for word in raw[1:]) / max(len(raw) - 1, 1) * 2,
        text[:1].islower(),
        sum("'" in word for word in words) / count * 5,
        share(FIRST) * 5,
        share(OURS) * 5,
        share(READER) * 5,
        share(frozenset({"one", "one's"})) * 5,
        share(FORMAL) * 5,
        share(CASUAL) * 5,
        share(HYPE) * 3,
        share(FUNCTION),
        sum(len(word) >= 8 for word in words) / count * 2,
        sum(len(word) <= 3 for word in words) / count * 2,
        DRAWN_OUT.search(low) is not None,
        PILED_UP.search(text) is not None,
        IMPERATIVE.match(low) is not None,
        sum(
            word.endswith(("tion", "tions", "ment", "ity", "ance", "ence", "ise", "ize"))
            for word in words
        )
        / count
        * 4,
        share(ANTIQUE) * 5,
        sum(word.endswith("ly") for word in words) / count * 4,
    ]
    return np.array(values, dtype=np.float32)


def styles(texts: Sequence[str]) -> NDArray[np.float32]:
    """Style features of each of `texts`: shape (len(texts), 47)."""
    if not texts:
        return np.zeros((0, len(NAMES)), dtype=np.float32)
    return np.stack([style(text) for text in texts])

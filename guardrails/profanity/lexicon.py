"""The words that the profanity check knows: better-profanity's list, with our levels and exceptions."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal, TypeVar

K = TypeVar("K")
V = TypeVar("V")

Level = Literal["block", "review"]

DATA = resources.files("guardrails") / "data"
BASE = ("better_profanity", "profanity_wordlist.txt")

_ENDINGS = (
    *("s", "es", "ed", "er", "ers", "in", "ing", "ings", "y", "ier", "iest", "ish", "able"),
    *("head", "heads", "face", "faces", "wit", "wits", "tard", "tards"),
)
_AFTER_DOUBLED = ("ed", "er", "ers", "in", "ing", "ings", "y", "ier", "iest")
_SHORT_SYLLABLE = re.compile(r".*[^aeiou][aeiou][bdgmnprt]")
_GAPS = re.compile(r"[\s\-_.]+")
_TRIPLE = re.compile(r"(.)\1\1")
_RUNS = re.compile(r"(.)\1*", re.DOTALL)

# Digits and signs that stand for letters; 1, ! and | are read both as i and as l.
_SIGNS = {"0": "o", "3": "e", "4": "a", "5": "s", "6": "g", "7": "t", "8": "b", "9": "g"}
_SIGNS |= {"@": "a", "$": "s", "+": "t"}
LEET = (
    str.maketrans({**_SIGNS, "1": "i", "!": "i", "|": "i"}),
    str.maketrans({**_SIGNS, "1": "l", "!": "l", "|": "l"}),
)


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Words in lower case and their levels. Innocent words are not in it."""

    words: Mapping[str, Level]
    """Words of letters and digits."""

    signs: Mapping[str, Level]
    """Spellings with other signs in them, as "sh!+"."""

    phrases: Mapping[str, tuple[tuple[tuple[str, ...], Level | None], ...]]
    """By first word: the words of each phrase, and its level; None where it is innocent."""

    stems: frozenset[str]
    """Strong words, with their endings, that are also looked for masked, doubled and split."""

    inside: tuple[str, ...]
    """Strong words that are looked for inside longer ones."""

    names: frozenset[str]
    """Words that are names when they are written as one."""

    innocent: frozenset[str]
    """Words never flagged, even where they look like another one stretched."""

    stretched: Mapping[str, tuple[str, ...]]
    """By the word with each repeated letter written once: the words it may stand for."""

    masked: Mapping[tuple[str, int], tuple[str, ...]]
    """Words of four letters or more, by first letter and length."""

    beginnings: Mapping[str, int]
    """By the first three letters: the length of the longest word that begins so."""


@cache
def load() -> Lexicon:
    """Read the package's list and our three files, once."""
    review: dict[str, Level] = {}
    block: dict[str, Level] = {}
    stems: set[str] = set()
    names: set[str] = set()
    inside: list[str] = []
    for entry in entries("profanity_review.txt"):
        word = entry.lstrip("^")
        if entry.startswith("^"):
            names.add(word)
        else:
            review |= dict.fromkeys(_with_endings(word), "review")
    for entry in entries("profanity_block.txt"):
        if entry.startswith("*"):
            inside.append(entry[1:])
            continue
        forms = _with_endings(entry.lstrip("="))
        block |= dict.fromkeys(forms, "block")
        if entry.startswith("=") or entry.endswith("~"):
            stems |= forms
    innocent = frozenset(entries("profanity_exceptions.txt"))
    levels: dict[str, Level] = {**block, **review}
    for word in base_words():
        if word not in levels:
            levels[word] = _level_of_spelling(word, levels)
    for word in innocent:
        levels.pop(word, None)
    words = {word: level for word, level in levels.items() if word.isalnum()}
    return Lexicon(
        words=words,
        signs={word: level for word, level in levels.items() if _has_signs(word)},
        phrases=_by_first_word(levels, innocent),
        stems=frozenset(stems & words.keys()),
        inside=tuple(inside),
        names=frozenset(names),
        innocent=innocent,
        stretched=_grouped((once(word), word) for word in words if word.isalpha()),
        masked=_grouped(
            ((word[0], len(word)), word) for word in words if word.isalpha() and len(word) > 3
        ),
        beginnings={word[:3]: len(word) for word in sorted(words, key=len) if len(word) > 2},
    )


def once(word: str) -> str:
    """`word` with each repeated letter written once: "fuuuck" is "fuck", "ass" is "as"."""
    return _RUNS.sub(r"\1", word)


def runs(word: str) -> list[int]:
    """How often each letter of `once(word)` stands in `word`."""
    return [len(match[0]) for match in _RUNS.finditer(word)]


def entries(name: str) -> Iterator[str]:
    """The entries of one of our files, with their marks."""
    for line in (DATA / name).read_text("utf-8").splitlines():
        if not line.startswith("#"):
            yield from filter(None, (entry.strip() for entry in line.split(",")))


def base_words() -> Iterator[str]:
    """The package's own list, without what a rule finds: letters with gaps, drawn-out spellings."""
    package, name = BASE
    for line in (resources.files(package) / name).read_text("utf-8").splitlines():
        word = line.strip().lower().rstrip("*")
        drawn_out = _TRIPLE.search(word) and len(once(word)) > 1
        if word and not drawn_out and max(map(len, _GAPS.split(word))) > 1:
            yield word


def _level_of_spelling(word: str, levels: Mapping[str, Level]) -> Level:
    """The level of a word of the base list that no file names: that of the word it spells."""
    spaced = _GAPS.sub(" ", word)
    if spaced in levels:
        return levels[spaced]
    for table in LEET:
        plain = word.translate(table)
        if plain in levels:
            return levels[plain]
    return "block"


def _with_endings(entry: str) -> set[str]:
    if not entry.endswith("~"):
        return {entry}
    word = entry[:-1]
    forms = {word, *(word + ending for ending in _ENDINGS)}
    if word.endswith("e"):
        forms |= {word[:-1] + ending for ending in _AFTER_DOUBLED}
    if _SHORT_SYLLABLE.fullmatch(word):
        forms |= {word + word[-1] + ending for ending in _AFTER_DOUBLED}
    return forms


def _has_signs(word: str) -> bool:
    return not _GAPS.sub("", word).isalnum()


def _by_first_word(
    levels: Mapping[str, Level], innocent: frozenset[str]
) -> dict[str, tuple[tuple[tuple[str, ...], Level | None], ...]]:
    """Entries of several words, hyphens read as spaces, the innocent ones among them."""
    found: dict[tuple[str, ...], Level | None] = {}
    for entry, level in [*levels.items(), *((entry, None) for entry in innocent)]:
        parts = tuple(_GAPS.split(entry))
        if len(parts) > 1 and not _has_signs(entry):
            found[parts] = level
    return _grouped((parts[0], (parts, level)) for parts, level in found.items())


def _grouped(pairs: Iterator[tuple[K, V]]) -> dict[K, tuple[V, ...]]:
    groups: dict[K, list[V]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return {key: tuple(values) for key, values in groups.items()}

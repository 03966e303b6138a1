"""Profanity: swear words and slurs, written out or disguised.

A text is normalised (look-alikes, invisible characters, accents), then read token by token. A
token is looked up as it stands and, where it holds signs or repeats, as what it is a disguise of:
"sh1t", "f*ck", "fuuuck", "fu-ck". Letters with gaps ("s h i t") are joined. Only whole words
count, so Scunthorpe and cocktails pass. The words and levels stand in data files, see `lexicon`.
"""

import itertools
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from guardrails import lexicon
from guardrails.lexicon import LEET, Level
from guardrails.text import Normalised, normalise
from guardrails.types import Brand, Brief, FieldName, Finding, Item, Result

# Signs that stand for a letter in a swear word alone; elsewhere they have a use of their own.
_ODD = str.maketrans(
    {
        **{chr(0x1F1E6 + i): chr(97 + i) for i in range(26)},  # flag letters
        **dict(zip("€¢¥§μβßθ×¡", "ecysubboxi", strict=True)),
    }
)

_TOKEN = re.compile(r"\S+")
_WORD = re.compile(r"[a-z0-9]+")
_PIECE = re.compile(r"[a-z0-9@$!|+]+")
_EDGE = "'\"“”.,;:?()[]{}<>…-_~/\\&^%#*"
_END = "'\".,;:?()[]{}<>…-_/\\!"
_DOUBLE = re.compile(r"([a-z])\1")
_TRIPLE = re.compile(r"([a-z])\1\1")
_WORD_AND_NUMBER = re.compile(r"([a-z]+)[0-9]+")
_GAP = re.compile(r"[\s\-_.']{1,3}")

# "f*ck": signs for any letter. "f-ck", "f.ck": a dash or stop only in place of a vowel.
_MASK = frozenset("*#%&^@!$~?+•·�")
_DASH = frozenset("-_.")
_MASKED = re.compile(r"[a-z]+[*#%&^@!$~?+•·�\-_.]+[a-z*#%&^@!$~?+•·�\-_.]*")
_STARRED = {"f": "fuck", "c": "cunt", "s": "shit"}

# One or two letters, a gap, one or two letters ... ("f u c k", "s.h.i.t", "fu ck").
_SPLIT = re.compile(
    r"(?<![a-z0-9])(?:[a-z0-9@$!]{1,2}[^a-z0-9@$!]{1,3})+[a-z0-9@$!]{1,2}(?![a-z0-9])"
)
_FRAGMENT = re.compile(r"[a-z0-9@$!]{1,2}")
_SPLIT_LETTERS = 16
"""Longest split word looked for, in fragments."""

_LONGEST = 40
"""Longest token read for disguises, in characters; longer ones are read part by part alone."""


@dataclass(frozen=True, slots=True)
class _Hit:
    start: int
    end: int
    word: str
    level: Level


class Profanity:
    """Blocks strong words and slurs; sends mild and double-edged ones to review.

    A word that stands in the brand's name or the brief's product goes to review at most.
    """

    name = "profanity"

    def __init__(self) -> None:
        self._lexicon = lexicon.load()
        # Most tokens of a text have been met before. Bounded: 50,000 tokens of 40 characters.
        self._token = lru_cache(maxsize=50_000)(self._read)

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
        hits = self._hits(_lower(shown.text))
        if not hits:
            return []
        named = _named_words(item.brand, item.brief)
        return [self._finding(name, text, shown, hit, named) for hit in hits]

    def _finding(
        self, name: FieldName, text: str, shown: Normalised, hit: _Hit, named: frozenset[str]
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

    def _hits(self, text: str) -> list[_Hit]:
        """What is found in `text` (normalised, lower case), by place; none overlap."""
        reads = [
            self._token(token) if len(token) <= _LONGEST else self._read(token)
            for token in text.split()
        ]
        hits: list[_Hit] = []
        if any(found for found, _ in reads):
            for match, (found, _) in zip(_TOKEN.finditer(text), reads, strict=True):
                place = match.start()
                hits += (_Hit(place + h.start, place + h.end, h.word, h.level) for h in found)
        hits += self._split(text)
        if hits or any(first_words for _, first_words in reads):
            phrases = list(self._phrases(text))
            hits += [hit for hit, level in phrases if level is not None]
            hits = _outside(hits, [hit for hit, level in phrases if level is None])
        return _apart(hits) if len(hits) > 1 else hits

    def _read(self, token: str) -> tuple[tuple[_Hit, ...], tuple[str, ...]]:
        """Hits in one token, and the words in it that begin a phrase."""
        lex = self._lexicon
        if token.isalpha():
            hit = self._word(token, 0)
            return ((hit,) if hit else ()), ((token,) if token in lex.phrases else ())
        first_words = tuple(word for word in _WORD.findall(token) if word in lex.phrases)
        return tuple(self._disguised(token)), first_words

    def _word(self, word: str, start: int) -> _Hit | None:
        """A plain run of letters: itself, stretched, or with a strong word inside."""
        lex = self._lexicon
        level = lex.words.get(word)
        if level:
            return _Hit(start, start + len(word), word, level)
        if word in lex.innocent:
            return None
        meant = self._stretched(word) if _DOUBLE.search(word) else None
        meant = meant or next((inside for inside in lex.inside if inside in word), None)
        if meant is None:
            return None
        return _Hit(start, start + len(word), meant, lex.words.get(meant, "block"))

    def _stretched(self, word: str) -> str | None:
        """The word that `word` repeats letters of. A single doubled letter only counts for stems."""
        if len(word) > _LONGEST * 2:
            word = _TRIPLE.sub(r"\1\1", word[: _LONGEST * 2])
        known = self._lexicon.stretched.get(lexicon.once(word))
        if known is None:
            return None
        if not _TRIPLE.search(word):
            known = tuple(each for each in known if each in self._lexicon.stems)
        lengths = lexicon.runs(word)
        for each in known:
            if all(a >= b for a, b in zip(lengths, lexicon.runs(each), strict=True)):
                return each
        return None

    def _disguised(self, token: str) -> Iterator[_Hit]:
        """Hits in a token that holds something other than letters."""
        lex = self._lexicon
        core = token.strip(_EDGE)
        start = token.find(core) if core else 0
        if core in lex.signs:
            yield _Hit(start, start + len(core), core, lex.signs[core])
            return
        masked = self._masked(token.lstrip(_EDGE).rstrip(_END))
        if masked:
            start = len(token) - len(token.lstrip(_EDGE))
            yield _Hit(start, start + len(masked), masked, lex.words[masked])
            return
        found = False
        for match in _PIECE.finditer(core):
            for hit in self._piece(match[0], start + match.start()):
                if hit.word == "cum" and core[match.start() - 1 : match.end() + 1] == "-cum-":
                    continue  # "kitchen-cum-diner"
                found = True
                yield hit
        if found or len(token) > _LONGEST:
            return
        joined = re.sub(r"[-_.*]+", "", core)
        if joined != core and joined in lex.stems:
            yield _Hit(start, start + len(core), joined, lex.words[joined])

    def _piece(self, piece: str, start: int) -> Iterator[_Hit]:
        """A run of letters, digits and signs that stand for letters."""
        if piece.isalpha():
            hit = self._word(piece, start)
            if hit:
                yield hit
            return
        if piece.isdigit():
            return
        core = piece.rstrip("!|+")
        for run in (core, core.lstrip("!|+@"), core.strip("!|+@$")):
            offset = start + piece.find(run)
            numbered = _WORD_AND_NUMBER.fullmatch(run)
            word = numbered[1] if numbered else run
            hit = self._word(word, offset) if word.isalpha() else None
            meant = None if hit else self._leet(run)
            if meant:
                hit = _Hit(offset, offset + len(run), meant, self._lexicon.words[meant])
            if hit:
                yield hit
                return
        for match in re.finditer(r"[a-z]{4,}", piece):
            hit = None if match[0] == piece else self._word(match[0], start + match.start())
            if hit:
                yield hit

    def _leet(self, run: str) -> str | None:
        """The word that digits and signs in `run` spell: "sh1t", "$hit".

        A number before a word is a number ("a 5hit combo"), unless more letters are digits too;
        and two letters or more must be letters, so that road and model numbers ("A55") pass.
        """
        lex = self._lexicon
        if run in lex.words or run in lex.signs:
            return run if run in lex.words else None
        if len(run) > _LONGEST:
            return None
        letters = sum(map(str.isalpha, run))
        digits = sum(map(str.isdigit, run))
        if digits and (len(run) < 4 or letters < 2 or letters * 5 < len(run) * 2):
            return None
        if letters == 0 or (run[0].isdigit() and len(run) - letters < 2):
            return None
        for table in LEET:
            word = run.translate(table)
            if word in lex.words:
                return word
            stretched = self._stretched(word) if word.isalpha() and _TRIPLE.search(word) else None
            if stretched:
                return stretched
        return None

    def _masked(self, core: str) -> str | None:
        """The stem that `core` hides letters of: "f*ck", "sh**"."""
        if len(core) > _LONGEST or not _MASKED.fullmatch(core):
            return None
        if core[1:] == "***":
            return _STARRED.get(core[0])
        if sum(map(str.isalpha, core)) < 2:
            return None
        for word in self._lexicon.masked.get((core[0], len(core)), ()):
            if len(word) >= 4 and all(map(_may_be, core, word)):
                return word
        return None

    def _split(self, text: str) -> Iterator[_Hit]:
        """Words written with gaps after every letter or two."""
        lex = self._lexicon
        for match in _SPLIT.finditer(text):
            fragments = list(_FRAGMENT.finditer(match[0]))
            joined = "".join(fragment[0] for fragment in fragments)
            spelled = tuple({joined.translate(table): None for table in LEET})
            begins = [0, *itertools.accumulate(len(fragment[0]) for fragment in fragments)]
            index = 0
            while index < len(fragments):
                first = begins[index]
                readings = [s for s in spelled if s[first : first + 3] in lex.beginnings]
                last = min(index + _SPLIT_LETTERS, len(fragments)) if readings else index
                for after in range(last, index + 1, -1):
                    start = match.start() + fragments[index].start()
                    end = match.start() + fragments[after - 1].end()
                    written = joined[first : begins[after]]
                    words = [reading[first : begins[after]] for reading in readings]
                    singles = len(written) == after - index
                    whole = after - index == len(fragments)
                    word = next((w for w in words if self._counts(w, singles, whole)), None)
                    if (
                        word
                        and sum(map(str.isalpha, written)) * 2 >= len(written)
                        and (singles or _one_gap(text[start:end]))
                    ):
                        yield _Hit(start, end, word, lex.words[word])
                        index = after - 1
                        break
                index += 1

    def _counts(self, word: str, singles: bool, whole: bool) -> bool:
        """Whether `word`, found split, is one. Two-letter parts only count for stems, and a short
        or mild word only where nothing else is split around it: initials are split too."""
        level = self._lexicon.words.get(word)
        if level is None:
            return False
        if len(word) >= 4 and word in self._lexicon.stems:
            return True
        return singles and (whole or (len(word) >= 4 and level == "block"))

    def _phrases(self, text: str) -> Iterator[tuple[_Hit, Level | None]]:
        """Phrases of the lists in `text`; the level is None for an innocent one."""
        words = list(_WORD.finditer(text))
        for index, first in enumerate(words):
            for parts, level in self._lexicon.phrases.get(first[0], ()):
                run = words[index : index + len(parts)]
                if tuple(word[0] for word in run) != parts:
                    continue
                gaps = (text[a.end() : b.start()] for a, b in itertools.pairwise(run))
                if all(map(_GAP.fullmatch, gaps)):
                    yield (
                        _Hit(first.start(), run[-1].end(), " ".join(parts), level or "review"),
                        level,
                    )


def _lower(text: str) -> str:
    """`text` in lower case, each character in its place, with odd signs read as letters."""
    if text.isascii():
        return text.lower()
    lower = text.lower()
    if len(lower) != len(text):
        lower = "".join(low if len(low := each.lower()) == 1 else each for each in text)
    return lower.translate(_ODD)


def _may_be(seen: str, letter: str) -> bool:
    return seen == letter or seen in _MASK or (seen in _DASH and letter in "aeiou")


def _outside(hits: list[_Hit], innocent: list[_Hit]) -> list[_Hit]:
    """`hits` without those that lie within an innocent phrase."""
    starts = [phrase.start for phrase in innocent]
    ends = list(itertools.accumulate((phrase.end for phrase in innocent), max))
    kept = []
    for hit in hits:
        before = bisect_right(starts, hit.start)
        if not before or ends[before - 1] < hit.end:
            kept.append(hit)
    return kept


def _one_gap(split: str) -> bool:
    """Whether the gaps in `split` are all the same, and no stop in a sentence: not "Sh, it's"."""
    gaps = set(_FRAGMENT.sub(" ", split).split(" ")) - {""}
    return len(gaps) <= 1 and gaps <= {"-", "_", ".", "*", "·"}


def _apart(hits: Sequence[_Hit]) -> list[_Hit]:
    """`hits` in order, without those that overlap a stronger or longer one."""
    kept: list[_Hit] = []
    for hit in sorted(hits, key=lambda h: (h.start, h.level == "review", h.start - h.end)):
        if not kept or hit.start >= kept[-1].end:
            kept.append(hit)
        elif (hit.level, hit.start - hit.end) < (kept[-1].level, kept[-1].start - kept[-1].end):
            kept[-1] = hit
    return kept


def _is_name(text: str, hit: _Hit) -> bool:
    """Whether the hit is written as a name: a capital first, or with a possessive 's."""
    written = text[hit.start : hit.end]
    return written.istitle() or text[hit.end : hit.end + 2].lower() == "'s"


def _named_words(brand: Brand | None, brief: Brief | None) -> frozenset[str]:
    names = (brand.name if brand else "", brief.product if brief else "")
    return frozenset(_WORD.findall(_lower(normalise(" ".join(names)).text)))


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

"""Disguises: swear words in a text, written out or hidden behind signs, gaps and repeats."""

import itertools
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from guardrails.profanity import lexicon
from guardrails.profanity.lexicon import LEET, Level, Lexicon

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
_AFTER_NUMBER = frozenset(("hit", "hits", "hitter", "hitting", "itch", "itches", "its"))
_GAP = re.compile(r"[\s\-_.']{1,3}")

# "f*ck": signs for any letter. "f-ck", "f.ck": a dash or stop only in place of a vowel.
_MASK = frozenset("*#%&^@!$~?+•·�")
_DASH = frozenset("-_.")
_MASKED = re.compile(r"[a-z]+[*#%&^@!$~?+•·�\-_.]+[a-z*#%&^@!$~?+•·�\-_.]*")
_LETTERS_AND_STARS = frozenset("*#abcdefghijklmnopqrstuvwxyz")
_STARRED = {"f": "fuck", "c": "cunt", "s": "shit"}

# One or two letters, a gap, one or two letters ... ("f u c k", "s.h.i.t", "fu ck").
_SPLIT = re.compile(r"(?<![a-z0-9])(?:[a-z0-9@$]{1,2}[^a-z0-9@$]{1,3})+[a-z0-9@$]{1,2}(?![a-z0-9])")
_FRAGMENT = re.compile(r"[a-z0-9@$]{1,2}")
_LONGEST = 40
"""Longest token read for disguises, in characters; longer ones are read part by part alone."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A word of the lexicon, where a text shows it: `text[start:end]`."""

    start: int
    end: int
    word: str
    level: Level


class Matcher:
    """Finds the words of a lexicon. Safe to share between threads."""

    def __init__(self, words: Lexicon) -> None:
        self._lexicon = words
        # Most tokens of a text have been met before. Bounded: 50,000 tokens of 40 characters.
        self._token = lru_cache(maxsize=50_000)(self._read)

    def hits(self, text: str) -> list[Hit]:
        """What is found in `text` (normalised, through `lower`), by place; none overlap."""
        reads = [
            self._token(token) if len(token) <= _LONGEST else self._read(token)
            for token in text.split()
        ]
        hits: list[Hit] = []
        if any(found for found, _ in reads):
            for match, (found, _) in zip(_TOKEN.finditer(text), reads, strict=True):
                place = match.start()
                hits += (Hit(place + h.start, place + h.end, h.word, h.level) for h in found)
        hits += self._split(text)
        if hits or any(first_words for _, first_words in reads):
            phrases = list(self._phrases(text))
            hits += [hit for hit, level in phrases if level is not None]
            hits = _outside(hits, [hit for hit, level in phrases if level is None])
        return _apart(hits) if len(hits) > 1 else hits

    def _read(self, token: str) -> tuple[tuple[Hit, ...], tuple[str, ...]]:
        """Hits in one token, and the words in it that begin a phrase."""
        lex = self._lexicon
        if token.isalpha():
            hit = self._word(token, 0)
            return ((hit,) if hit else ()), ((token,) if token in lex.phrases else ())
        first_words = tuple(word for word in _WORD.findall(token) if word in lex.phrases)
        return tuple(self._disguised(token)), first_words

    def _word(self, word: str, start: int) -> Hit | None:
        """A plain run of letters: itself, stretched, or with a strong word inside."""
        lex = self._lexicon
        level = lex.words.get(word)
        if level:
            return Hit(start, start + len(word), word, level)
        if word in lex.innocent:
            return None
        meant = self._stretched(word) if _DOUBLE.search(word) else None
        meant = meant or next((inside for inside in lex.inside if inside in word), None)
        if meant is None:
            return None
        return Hit(start, start + len(word), meant, lex.words.get(meant, "block"))

    def _stretched(self, word: str) -> str | None:
        """The word that `word` repeats letters of. A single doubled letter only counts in
        strong words of some length."""
        if len(word) > _LONGEST * 2:
            word = _TRIPLE.sub(r"\1\1", word[: _LONGEST * 2])
        known = self._lexicon.stretched.get(lexicon.once(word))
        if known is None:
            return None
        if not _TRIPLE.search(word):
            known = tuple(filter(self._is_strong, known))
        lengths = lexicon.runs(word)
        for each in known:
            if all(a >= b for a, b in zip(lengths, lexicon.runs(each), strict=True)):
                return each
        return None

    def _is_strong(self, word: str) -> bool:
        lex = self._lexicon
        return word in lex.stems or (len(word) >= 5 and lex.words[word] == "block")

    def _disguised(self, token: str) -> Iterator[Hit]:
        """Hits in a token that holds something other than letters."""
        lex = self._lexicon
        core = token.strip(_EDGE)
        start = token.find(core) if core else 0
        if core in lex.signs:
            yield Hit(start, start + len(core), core, lex.signs[core])
            return
        masked = self._masked(token.lstrip(_EDGE).rstrip(_END))
        if masked:
            start = len(token) - len(token.lstrip(_EDGE))
            yield Hit(start, start + len(masked), masked, lex.words[masked])
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
            yield Hit(start, start + len(core), joined, lex.words[joined])

    def _piece(self, piece: str, start: int) -> Iterator[Hit]:
        """A run of letters, digits and signs that stand for letters."""
        if piece.isalpha():
            hit = self._word(piece, start)
            if hit:
                yield hit
            return
        if piece.isdigit():
            return
        core = piece.rstrip("!|+")
        for run in (core, core.lstrip("!|+@"), core.strip("!|+@$"), piece):
            offset = start + piece.find(run)
            numbered = _WORD_AND_NUMBER.fullmatch(run)
            word = numbered[1] if numbered else run
            hit = self._word(word, offset) if word.isalpha() else None
            meant = None if hit else self._leet(run)
            if meant:
                hit = Hit(offset, offset + len(run), meant, self._lexicon.words[meant])
            if hit:
                yield hit
                return
        for match in re.finditer(r"[a-z]{4,}", piece):
            hit = None if match[0] == piece else self._word(match[0], start + match.start())
            if hit:
                yield hit

    def _leet(self, run: str) -> str | None:
        """The word that digits and signs in `run` spell: "sh1t", "$hit".

        A number before an ordinary word is a number ("a 5hit combo"), and two letters or more must be letters, so that road and model numbers ("A55") pass.
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
        if letters == 0 or (run[0].isdigit() and run[1:] in _AFTER_NUMBER):
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
        """The word that `core` hides letters of: "f*ck", "sh**".

        A word that is no stem only counts with stars inside: at the end it may be a footnote's.
        """
        if len(core) > _LONGEST or not _MASKED.fullmatch(core):
            return None
        if core[1:] == "***":
            return _STARRED.get(core[0])
        if sum(map(str.isalpha, core)) < 2:
            return None
        inside = core[-1].isalpha() and set(core) <= _LETTERS_AND_STARS
        for word in self._lexicon.masked.get((core[0], len(core)), ()):
            if all(map(_may_be, core, word)) and (word in self._lexicon.stems or inside):
                return word
        return None

    def _split(self, text: str) -> Iterator[Hit]:
        """Words written with gaps after every letter or two."""
        lex = self._lexicon
        for match in _SPLIT.finditer(text):
            fragments = list(_FRAGMENT.finditer(match[0]))
            joined = "".join(fragment[0] for fragment in fragments)
            spelled = tuple({joined.translate(table): None for table in LEET})
            begins = [0, *itertools.accumulate(len(fragment[0]) for fragment in fragments)]
            index = 0
            while index < len(fragments):
                after, word = self._split_word(spelled, begins, index)
                if word:
                    start = match.start() + fragments[index].start()
                    end = match.start() + fragments[after - 1].end()
                    written = joined[begins[index] : begins[after]]
                    singles = len(written) == after - index
                    lettered = sum(map(str.isalpha, written)) * 2 >= len(written)
                    if lettered and (singles or _one_gap(text[start:end])):
                        yield Hit(start, end, word, lex.words[word])
                        index = after
                        continue
                index += 1

    def _split_word(
        self, spelled: Sequence[str], begins: Sequence[int], index: int
    ) -> tuple[int, str | None]:
        """The longest word that the fragments from `index` on spell, and the index after it."""
        lex = self._lexicon
        first = begins[index]
        lengths = [lex.beginnings.get(each[first : first + 3], 0) for each in spelled]
        last = min(index + max(lengths), len(begins) - 1)
        for after in range(last, index + 1, -1):
            for reading in spelled:
                word = reading[first : begins[after]]
                if word in lex.words:
                    singles = len(word) == after - index
                    if self._counts(word, singles, _alone(reading, begins, index, after)):
                        return after, word
        return index, None

    def _counts(self, word: str, singles: bool, alone: bool) -> bool:
        """Whether `word`, found split, is meant. Two-letter parts only count for stems, and a short
        or mild word only where no other single letter is beside it: initials are split too."""
        if len(word) >= 4 and word in self._lexicon.stems:
            return True
        strong = len(word) >= 4 and self._lexicon.words[word] == "block"
        return singles and (alone or strong)

    def _phrases(self, text: str) -> Iterator[tuple[Hit, Level | None]]:
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
                        Hit(first.start(), run[-1].end(), " ".join(parts), level or "review"),
                        level,
                    )


def lower(text: str) -> str:
    """`text` in lower case, each character in its place, with odd signs read as letters."""
    if text.isascii():
        return text.lower()
    lower = text.lower()
    if len(lower) != len(text):
        lower = "".join(low if len(low := each.lower()) == 1 else each for each in text)
    return lower.translate(_ODD)


def _may_be(seen: str, letter: str) -> bool:
    return seen == letter or seen in _MASK or (seen in _DASH and letter in "aeiou")


def _outside(hits: list[Hit], innocent: list[Hit]) -> list[Hit]:
    """`hits` without those that lie within an innocent phrase."""
    starts = [phrase.start for phrase in innocent]
    ends = list(itertools.accumulate((phrase.end for phrase in innocent), max))
    kept = []
    for hit in hits:
        before = bisect_right(starts, hit.start)
        if not before or ends[before - 1] < hit.end:
            kept.append(hit)
    return kept


def _alone(reading: str, begins: Sequence[int], index: int, after: int) -> bool:
    """Whether no single letter stands before fragment `index` or from `after` on; "a", "i" may."""
    lengths = [b - a for a, b in itertools.pairwise(begins[max(0, index - 1) : after + 2])]
    before = index == 0 or lengths[0] > 1 or reading[begins[index] - 1] in "ai"
    return before and (after == len(begins) - 1 or lengths[-1] > 1)


def _one_gap(split: str) -> bool:
    """Whether the gaps in `split` are all the same, and no stop in a sentence: not "Sh, it's"."""
    gaps = set(_FRAGMENT.sub(" ", split).split(" ")) - {""}
    return len(gaps) <= 1 and gaps <= {"-", "_", ".", "*", "·"}


def _apart(hits: Sequence[Hit]) -> list[Hit]:
    """`hits` in order, without those that overlap a stronger or longer one."""
    kept: list[Hit] = []
    for hit in sorted(hits, key=lambda h: (h.start, h.level == "review", h.start - h.end)):
        if not kept or hit.start >= kept[-1].end:
            kept.append(hit)
        elif (hit.level, hit.start - hit.end) < (kept[-1].level, kept[-1].start - kept[-1].end):
            kept[-1] = hit
    return kept

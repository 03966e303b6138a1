"""Words and pieces of words as hashed features: what a sentence embedding smooths away."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

WORD_SPACE = 2**14
CHARACTER_SPACE = 2**13
SPACE = WORD_SPACE + CHARACTER_SPACE
"""Columns of the hashed features: words first, then characters."""

LONGEST = 10_000
"""Characters of a field that are looked at; nobody's subject line is longer."""
LONGEST_WORD = 20

TOKEN = re.compile(r"\w+(?:'\w+)?|[^\w\s]")
DIGIT = re.compile(r"\d")
CHARACTERS = (2, 3, 4, 5)

MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
MIXER = np.uint64(0xBF58476D1CE4E5B9)
"""Constants of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014)."""

Row = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Columns, each once, and their damped signed counts."""


def features(subject: str, preview: str) -> Row:
    """Hashed n-grams of one text.

    Words alone, in pairs and in threes, and words with their field, since "Re:" means something at
    the start of a subject alone; then pieces of 2 to 5 characters. Digits all count as 0: the shape
    of a number tells, its value doesn't. Each n-gram has a sign from its hash, so that collisions
    cancel out on average; counts are damped to ln(1 + count).
    """
    grams: list[str] = []
    hashes: list[NDArray[np.uint64]] = []
    for field, text in (("s", subject), ("p", preview)):
        low = DIGIT.sub("0", text[:LONGEST].lower().replace("’", "'"))
        words = ["^", *(word[:LONGEST_WORD] for word in TOKEN.findall(low)), "$"]
        grams += words
        grams += map(" ".join, pairwise(words))
        grams += map(" ".join, zip(words, words[1:], words[2:], strict=False))
        grams += [f"{field}:{word}" for word in words]
        hashes += _pieces(f" {' '.join(low.split())} ")
    codes = np.array([crc32(gram.encode("utf-8", "surrogatepass")) for gram in grams], np.uint64)
    pieces = np.concatenate(hashes)
    columns = np.concatenate([codes % WORD_SPACE, WORD_SPACE + pieces % CHARACTER_SPACE])
    signs = np.concatenate([codes >> np.uint64(31), pieces >> np.uint64(63)])
    counts = np.bincount(
        columns.astype(np.int64), weights=np.where(signs == 1, 1.0, -1.0), minlength=SPACE
    )
    found = np.flatnonzero(counts)
    damped = np.sign(counts[found]) * np.log1p(np.abs(counts[found]))
    return found, damped.astype(np.float32)


def _pieces(text: str) -> Iterator[NDArray[np.uint64]]:
    """A 64-bit hash for each piece of each length in `text`."""
    characters = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    characters = characters.astype(np.uint64)
    for length in CHARACTERS:
        count = max(len(characters) - length + 1, 0)
        hashed = np.full(count, length, np.uint64)
        for offset in range(length):
            hashed = hashed * MULTIPLIER + characters[offset : offset + count]
        hashed ^= hashed >> np.uint64(29)
        hashed *= MIXER
        yield hashed ^ (hashed >> np.uint64(32))


def rows(subjects: Sequence[str], previews: Sequence[str]) -> list[Row]:
    """Hashed n-grams of many texts."""
    return [features(*each) for each in zip(subjects, previews, strict=True)]

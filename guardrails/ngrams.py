"""Words and pieces of words as hashed features: what a sentence embedding smooths away."""

import re
from collections import Counter
from collections.abc import Sequence
from zlib import crc32

WORD_SPACE = 2**14
CHARACTER_SPACE = 2**13
SPACE = WORD_SPACE + CHARACTER_SPACE
"""Columns of the hashed features: words first, then characters."""

LONGEST = 10_000
"""Characters of a field that are looked at; nobody's subject line is longer."""

TOKEN = re.compile(r"\w+(?:'\w+)?|[^\w\s]")
DIGIT = re.compile(r"\d")
CHARACTERS = (2, 3, 4, 5)


def columns(subject: str, preview: str, context: str | None = None) -> dict[int, float]:
    """Hashed n-grams of one text and how often each occurs: {column: signed count}.

    Words alone, in pairs and in threes, and words with their field, since "Re:" means something at
    the start of a subject alone; then pieces of 2 to 5 characters. Digits all count as 0: the shape
    of a number tells, its value doesn't. With a `context` (the intent of the brief) each word of
    the subject also counts together with it.
    """
    counts: Counter[int] = Counter()
    for field, text in (("s", subject), ("p", preview)):
        low = DIGIT.sub("0", text[:LONGEST].lower().replace("’", "'"))
        words = ["^", *(word[:20] for word in TOKEN.findall(low)), "$"]
        grams = [*words, *map(" ".join, zip(words, words[1:], strict=False))]
        grams += map(" ".join, zip(words, words[1:], words[2:], strict=False))
        grams += [f"{field}:{word}" for word in words]
        if context is not None and field == "s":
            grams += [f"{context}|{word}" for word in words]
        _add(counts, grams, 0, WORD_SPACE)
        padded = f" {' '.join(low.split())} "
        for length in CHARACTERS:
            pieces = [padded[at : at + length] for at in range(len(padded) - length + 1)]
            _add(counts, pieces, WORD_SPACE, CHARACTER_SPACE)
    return {column: float(count) for column, count in counts.items() if count}


def _add(counts: Counter[int], grams: Sequence[str], first: int, space: int) -> None:
    """Count `grams`, each with a sign from its hash, so that collisions cancel out on average."""
    for gram, times in Counter(grams).items():
        code = crc32(gram.encode("utf-8", "surrogatepass"))
        counts[first + code % space] += times if code & 0x80000000 else -times

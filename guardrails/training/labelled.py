"""The labelled lines in guardrails/data, and which of them are for training, choosing, testing."""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import Any, Literal

from guardrails.types import Brand, Intent

Split = Literal["train", "validation", "test"]

WORD = re.compile(r"[^\W\d_]{3,}")
PAIRED = ("more",)
"""Files in which near-minimal pairs stand next to each other."""
BLOCK = 20
"""Neighbouring lines of such a file that share a split."""
DRESSED = ("deceptive_reply", "fake_transactional")
ALIKE = 0.6
"""Share of common words (Jaccard) from which two lines count as near-duplicates."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """One line with its labels. `disallowed` is None where the line is allowed.

    `intent` is what the line reads like; `brief_intent` is that of the campaign it stands in.
    Lines of one `group` (a brand's copy, near-duplicates, a block of pairs) share their split.
    """

    subject: str
    preview: str
    intent: Intent
    disallowed: str | None
    subtle: bool
    source: str
    split: Split
    brief_intent: Intent
    group: str


@dataclass(frozen=True, slots=True)
class Voice:
    """A brand of the corpus with the copy that was written for it: (subject, preview)."""

    brand: Brand
    sector_file: str
    variants: Sequence[tuple[str, str]]
    split: Split


def split_of(key: str) -> Split:
    """70% train, 15% validation, 15% test, by the SHA-256 of `key`: stable wherever it runs."""
    part = int(hashlib.sha256(key.encode()).hexdigest(), 16) % 100
    return "train" if part < 70 else "validation" if part < 85 else "test"


def _rows(path: Traversable) -> Iterator[dict[str, Any]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip():
            yield json.loads(line)


def _files(folder: Traversable) -> list[Traversable]:
    return sorted(
        (path for path in folder.iterdir() if path.name.endswith(".jsonl")), key=lambda p: p.name
    )


def voices(data: Traversable) -> list[Voice]:
    """The brands of `data`/corpus, split by their slug."""
    found = []
    for path in _files(data / "corpus"):
        for row in _rows(path):
            brand = Brand.model_validate(row["brand"])
            variants = [
                (each["subject"], each["preview"])
                for brief in row["briefs"]
                for each in brief["variants"]
            ]
            found.append(Voice(brand, path.name, variants, split_of(brand.slug)))
    return found


def intents(data: Traversable) -> list[Labelled]:
    """All lines with an intent: the corpus split by brand, `data`/intent with near-duplicates and
    near-minimal pairs kept together in one split."""
    found = []
    for path in _files(data / "corpus"):
        for row in _rows(path):
            split = split_of(row["brand"]["slug"])
            found += [
                Labelled(
                    v["subject"],
                    v["preview"],
                    b["intent"],
                    None,
                    False,
                    "corpus",
                    split,
                    b["intent"],
                    row["brand"]["slug"],
                )
                for b in row["briefs"]
                for v in b["variants"]
            ]
    rows = [
        (path.name.removesuffix(".jsonl"), number, row)
        for path in _files(data / "intent")
        for number, row in enumerate(_rows(path))
    ]
    keys = together(
        [f"{row['subject']}\n{row['preview']}" for *_, row in rows],
        [f"{name} {number // BLOCK}" if name in PAIRED else None for name, number, _ in rows],
    )
    found += [
        Labelled(
            row["subject"],
            row["preview"],
            row["intent"],
            row["disallowed"],
            row["subtle"],
            name,
            split_of(key),
            row.get("brief_intent") or _brief_intent(row),
            key,
        )
        for (name, _, row), key in zip(rows, keys, strict=True)
    ]
    return found


def _brief_intent(row: dict[str, Any]) -> Intent:
    """The campaign of a line that names none: what only plays a notice or an answer sells."""
    intent: Intent = "promotional" if row["disallowed"] in DRESSED else row["intent"]
    return intent


def together(texts: Sequence[str], blocks: Sequence[str | None] = ()) -> list[str]:
    """A key for each text; near-duplicates, directly or through others, have the same key.

    So have texts of the same block, where `blocks` names one for each text.
    """
    words = [frozenset(WORD.findall(text.lower())) for text in texts]
    holders: dict[str, list[int]] = defaultdict(list)
    for index, each in enumerate(words):
        for word in each:
            holders[word].append(index)
    first: dict[str, int] = {}
    leader = [
        first.setdefault(block, index) if block else index
        for index, block in enumerate(blocks or [None] * len(texts))
    ]

    def find(index: int) -> int:
        while leader[index] != index:
            index = leader[index]
        return index

    for index, each in enumerate(words):
        common: dict[int, int] = defaultdict(int)
        for word in each:
            for other in holders[word]:
                if other < index:
                    common[other] += 1
        for other, shared in common.items():
            if shared >= ALIKE * len(each | words[other]):
                leader[find(index)] = find(other)
    return [texts[find(index)] for index in range(len(texts))]


def data_sha256(data: Traversable, folders: Sequence[str]) -> str:
    """SHA-256 over the labelled files in `folders` of `data`, by name."""
    digest = hashlib.sha256()
    for folder in folders:
        for path in _files(data / folder):
            digest.update(f"{folder}/{path.name}\0".encode() + path.read_bytes())
    return digest.hexdigest()

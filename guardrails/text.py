"""Text as a reader sees it: normalised, with a map back to the text as it was given."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Normalised:
    """`text` as a reader sees it; `offsets[i]` is where character i stood in the original.

    `offsets` has one more entry than `text`: the length of the original.
    """

    text: str
    offsets: Sequence[int]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The span of the original that shows as `text[start:end]`."""
        if start == end:
            return self.offsets[start], self.offsets[start]
        return self.offsets[start], self.offsets[end - 1] + 1


def normalise(text: str) -> Normalised:
    """NFKC, invisible characters out, quotes and dashes plain; case is kept."""
    characters: list[str] = []
    offsets: list[int] = []
    for index, character in enumerate(text):
        for each in unicodedata.normalize("NFKC", character):
            if unicodedata.category(each) == "Cf":
                continue
            characters.append({"’": "'", "‘": "'", "“": '"', "”": '"'}.get(each, each))
            offsets.append(index)
    return Normalised("".join(characters), (*offsets, len(text)))

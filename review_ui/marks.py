"""Findings as notes, and a text cut into the pieces that they mark."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from copygen.models import Finding


@dataclass(frozen=True, slots=True)
class Note:
    """A finding as a page shows it. `words` is empty where it points at a place without words."""

    number: int
    check: str
    rule: str
    severity: str
    field: str
    start: int
    end: int
    words: str
    message: str
    suggestion: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of a text under the same notes. `last_of`: numbers of the notes that end with it."""

    text: str
    notes: tuple[Note, ...]
    last_of: tuple[int, ...]

    @property
    def severity(self) -> str:
        """The gravest of its notes' severities; empty without any."""
        if not self.notes:
            return ""
        return "block" if any(note.severity == "block" for note in self.notes) else "review"

    @property
    def messages(self) -> str:
        """What its notes say, one line each."""
        return "\n".join(note.message for note in self.notes)


def notes_of(findings: Iterable[Finding], subject: str, preview: str) -> list[Note]:
    """Notes in reading order, numbered from 1; spans are held to the text."""
    texts = {"subject": subject, "preview": preview}
    ordered = sorted(
        findings, key=lambda each: (each.field != "subject", each.start, each.end, each.id or 0)
    )
    notes = []
    for number, finding in enumerate(ordered, start=1):
        text = texts.get(finding.field, "")
        start = min(max(finding.start, 0), len(text))
        end = min(max(finding.end, start), len(text))
        notes.append(
            Note(
                number,
                finding.check,
                finding.rule,
                finding.severity,
                finding.field,
                start,
                end,
                text[start:end],
                finding.message + (" (excepted)" if finding.waived_by else ""),
                finding.suggestion,
            )
        )
    return notes


def marked(text: str, notes: Sequence[Note], field: str) -> list[Piece]:
    """`text` cut wherever a note of `field` starts or ends. The pieces joined are the text."""
    own = [note for note in notes if note.field == field and note.words]
    cuts = sorted({0, len(text), *(note.start for note in own), *(note.end for note in own)})
    pieces = []
    for start, end in itertools.pairwise(cuts):
        over = tuple(note for note in own if note.start < end and note.end > start)
        ends = tuple(note.number for note in over if note.end == end)
        pieces.append(Piece(text[start:end], over, ends))
    return pieces

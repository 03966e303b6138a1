from hypothesis import given
from hypothesis import strategies as st

from copygen.models import Finding
from review_ui.marks import marked, notes_of


def finding(start: int, end: int, field: str = "subject", severity: str = "review") -> Finding:
    return Finding(
        variant_id="v",
        check="c",
        rule="r",
        severity=severity,
        field=field,
        start=start,
        end=end,
        message=f"{start}-{end}",
        suggestion="",
    )


def test_overlapping_findings_share_the_words_they_have_in_common() -> None:
    text = "20% off must-have jumpers"
    notes = notes_of([finding(0, 17), finding(8, 25, severity="block")], text, "")
    pieces = marked(text, notes, "subject")
    assert [(piece.text, [note.number for note in piece.notes]) for piece in pieces] == [
        ("20% off ", [1]),
        ("must-have", [1, 2]),
        (" jumpers", [2]),
    ]
    assert [piece.last_of for piece in pieces] == [(), (1,), (2,)]
    assert [piece.severity for piece in pieces] == ["review", "block", "block"]


def test_a_finding_without_words_marks_nothing_and_keeps_its_number() -> None:
    notes = notes_of([finding(3, 3), finding(0, 2)], "abcdef", "")
    assert [(note.number, note.words) for note in notes] == [(1, "ab"), (2, "")]
    assert [piece.text for piece in marked("abcdef", notes, "subject") if piece.notes] == ["ab"]


def test_findings_of_the_preview_come_after_the_subjects() -> None:
    notes = notes_of([finding(0, 1, "preview"), finding(2, 3)], "abc", "xyz")
    assert [note.words for note in notes] == ["c", "x"]
    assert [piece.text for piece in marked("xyz", notes, "preview")] == ["x", "yz"]


SPANS = st.lists(st.tuples(st.integers(-2, 12), st.integers(-2, 12)), max_size=6)


@given(st.text(max_size=10), SPANS)
def test_pieces_joined_are_the_text_whatever_the_spans(
    text: str, spans: list[tuple[int, int]]
) -> None:
    notes = notes_of([finding(start, end) for start, end in spans], text, "")
    pieces = marked(text, notes, "subject")
    assert "".join(piece.text for piece in pieces) == text
    ended = sorted(number for piece in pieces for number in piece.last_of)
    assert ended == [note.number for note in notes if note.words]

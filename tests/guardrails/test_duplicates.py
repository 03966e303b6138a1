"""Near-duplicates are found among texts and against earlier ones."""

import pytest

from guardrails.checks.duplicates import Duplicates
from guardrails.errors import PolicyError
from guardrails.similarity import Index, near_duplicates, similarity
from guardrails.types import Copy, Item
from tests.labelled import corpus

CHECK = Duplicates()
TEXT = "The first lambswool of the season is in, in six undyed colours"
EARLIER = [
    Copy(subject="The wool is in", preview="Six undyed colours, spun in Hawick for the winter."),
    Copy(subject="Jumpers for the first frost", preview="15% off until Tuesday."),
]


def test_the_same_words_are_alike_whatever_their_case_and_punctuation() -> None:
    assert similarity(TEXT, TEXT.upper().replace(",", "!")) == 1.0
    assert similarity(TEXT, "Jumpers for the first frost, 15% off until Tuesday") < 0.1
    assert similarity("", "...") == 1.0


def test_near_duplicates_are_pairs_in_order() -> None:
    edited = TEXT.replace("six", "seven")
    pairs = near_duplicates([TEXT, "Something else entirely here", edited, TEXT])
    assert [(earlier, later) for earlier, later, _ in pairs] == [(0, 2), (0, 3), (2, 3)]
    assert pairs[1][2] == 1.0


def test_the_index_finds_what_comparing_all_pairs_finds() -> None:
    texts = [f"{item.subject}\n{item.preview}" for item in corpus()[:300]]
    texts += [text.replace("the", "a") for text in texts[:100]]
    slow = {
        (earlier, later)
        for later in range(len(texts))
        for earlier in range(later)
        if similarity(texts[earlier], texts[later]) >= 0.55
    }
    assert slow
    assert {(earlier, later) for earlier, later, _ in near_duplicates(texts, 0.55)} == slow


def test_different_variants_of_a_brief_are_seldom_near_duplicates() -> None:
    items = corpus()[:1000]
    index = Index.of([f"{item.subject}\n{item.preview}" for item in items])
    near = sum(len(index.alike(f"{item.subject}\n{item.preview}")) > 1 for item in items)
    assert near <= 10


def test_a_text_that_was_written_before_asks_for_review() -> None:
    again = Item(
        "The wool is in!", "Six undyed colours, spun in Hawick for winter.", earlier=EARLIER
    )
    other = Item("A scarf for Sunday", "Knitted on our oldest frame.", earlier=EARLIER)
    subject = Item("The wool is in", "A scarf knitted on our oldest frame.", earlier=EARLIER)
    results = CHECK.run([again, other, subject])
    assert [[each.rule for each in result.findings] for result in results] == [
        ["near_duplicate"],
        [],
        ["same_subject"],
    ]
    assert "The wool is in" in results[0].findings[0].message
    assert results[0].scores["duplicates"] > 0.55
    assert results[1].scores["duplicates"] == 0.0


def test_without_earlier_texts_there_is_nothing_to_judge_by() -> None:
    assert not CHECK.run([Item("The wool is in")])[0].applicable


def test_a_share_outside_its_range_is_refused() -> None:
    with pytest.raises(PolicyError, match="alike"):
        Duplicates(alike=1.5)

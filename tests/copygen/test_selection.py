"""Choosing the best distinct candidates."""

from itertools import combinations

import pytest

from copygen.generation.selection import (
    NEAR_DUPLICATE,
    REVIEW_PENALTY,
    Scored,
    choose,
    choose_blocked,
    score,
)
from guardrails.types import Finding, Report


def report(verdict: str = "pass") -> Report:
    """A report made by hand."""
    findings = ()
    if verdict != "pass":
        findings = (Finding("word", "word", verdict, "subject", 0, 1, "A word."),)
    return Report(findings, {}, {}, "0" * 64)


def scored(seed: int, text: str, value: float = 0.0, verdict: str = "pass") -> Scored:
    subject, preview = text.split("\n")
    return Scored(seed, subject, preview, report(verdict), value)


def test_the_best_come_first(texts: list[str]) -> None:
    values = [0.1, 3.0, 2.0, 5.0]
    candidates = [scored(i, texts[i], value) for i, value in enumerate(values)]
    assert [each.seed for each in choose(candidates, 3)] == [3, 1, 2]


def test_no_more_are_chosen_than_asked_for(texts: list[str]) -> None:
    candidates = [scored(i, text) for i, text in enumerate(texts)]
    assert len(choose(candidates, 3)) == 3
    assert len(choose(candidates, 100)) == len(texts)
    assert choose(candidates, 0) == []
    assert choose([], 3) == []


def test_blocked_candidates_are_never_chosen(texts: list[str]) -> None:
    candidates = [
        scored(0, texts[0], 9.0, "block"),
        scored(1, texts[1], 0.0),
        scored(2, texts[2], 0.0, "review"),
    ]
    assert {each.seed for each in choose(candidates, 3)} == {1, 2}
    assert [each.seed for each in choose_blocked(candidates, 3)] == [0]


def test_what_passes_goes_before_what_needs_review(texts: list[str]) -> None:
    candidates = [
        scored(0, texts[0], REVIEW_PENALTY / 2, "review"),
        scored(1, texts[1], 0.0),
    ]
    assert [each.seed for each in choose(candidates, 2)] == [1, 0]


@pytest.mark.parametrize(
    "other",
    [
        "Lambswool is back\nSomething else altogether stands here.",
        "LAMBSWOOL is back\nSomething else altogether stands here.",
        "Lambswool is back again\nSix undyed colours for you.",
    ],
)
def test_of_two_that_are_nearly_the_same_the_better_one_stays(other: str) -> None:
    first = scored(0, "Lambswool is back\nSix undyed colours for you.", 1.0)
    second = scored(1, other, 2.0)
    assert choose([first, second], 2) == [second]


def test_chosen_ones_are_distinct(texts: list[str]) -> None:
    words = " ".join(texts).replace("\n", " ").split()
    candidates = [
        scored(
            i,
            f"{' '.join(words[i : i + 5])}\n{' '.join(words[i + 5 : i + 12])}",
            (i * 37 % 11) / 10,
        )
        for i in range(len(words) - 12)
    ]
    chosen = choose(candidates, 20)
    assert len(chosen) > 5
    for one, other in combinations(chosen, 2):
        assert one.subject.casefold() != other.subject.casefold()
        shared = len(one.words() & other.words()) / len(one.words() | other.words())
        assert shared < NEAR_DUPLICATE


def test_a_different_text_goes_before_a_similar_one_of_the_same_score() -> None:
    candidates = [
        scored(0, "Six undyed colours from Hawick\nWarm wool for the autumn days", 1.0),
        scored(1, "Six undyed colours for October\nWarm wool in every size", 1.0),
        scored(2, "Made slowly at one old mill\nThe yarn keeps its shape", 1.0),
    ]
    assert [each.seed for each in choose(candidates, 3)] == [0, 2, 1]


def test_the_order_of_the_candidates_does_not_matter(texts: list[str]) -> None:
    candidates = [scored(i, text) for i, text in enumerate(texts)]
    assert choose(candidates, 4) == choose(candidates[::-1], 4)


def test_a_text_that_the_brief_makes_likely_scores_higher() -> None:
    assert score(-1.0, -3.0) > score(-1.0, -1.5) > score(-2.0, -2.5)

"""Choosing the best n distinct candidates of a segment."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from guardrails.types import Report

GAIN_WEIGHT = 0.5
"""Weight of how much the brief raises a text's likelihood, beside the likelihood itself (the
ranking that the adapter's card found best by eye)."""

REVIEW_PENALTY = 0.5
"""Taken off the score, in nats per token, of a candidate that the guardrails want reviewed."""

SIMILARITY_WEIGHT = 1.0
"""Taken off for full overlap with a candidate already chosen."""

NEAR_DUPLICATE = 0.7
"""Share of words in common (Jaccard) from which two texts count as the same."""

WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Scored:
    """A well-formed candidate with its report. `score`: higher is better, nats per token."""

    seed: int
    subject: str
    preview: str
    report: Report
    score: float

    def words(self) -> frozenset[str]:
        """Its words, in lower case."""
        return frozenset(WORD.findall(f"{self.subject} {self.preview}".casefold()))


def score(logprob: float, without_brief: float) -> float:
    """How good a text is: likely given the brief, and likely because of the brief.

    Both are mean natural log-probabilities of its tokens, the second after the brand line alone.
    """
    return logprob + GAIN_WEIGHT * (logprob - without_brief)


def choose(candidates: Sequence[Scored], count: int) -> list[Scored]:
    """Up to `count` of the candidates that are not blocked, no two nearly the same, best first.

    Each choice takes the highest score less penalties for being up for review and for overlap with
    what is chosen already (maximal marginal relevance, Carbonell and Goldstein 1998).
    """
    return _greedy([each for each in candidates if each.report.verdict != "block"], count)


def choose_blocked(candidates: Sequence[Scored], count: int) -> list[Scored]:
    """Up to `count` of the blocked candidates, to show what is in the way where too few pass."""
    return _greedy([each for each in candidates if each.report.verdict == "block"], count)


def _greedy(candidates: Sequence[Scored], count: int) -> list[Scored]:
    chosen: list[Scored] = []
    rest = [_Rest(each) for each in sorted(candidates, key=lambda each: (-each.score, each.seed))]
    while rest and len(chosen) < count:
        best = max(rest, key=lambda each: each.worth)
        chosen.append(best.candidate)
        rest = [each for each in rest if each.set_apart(best)]
    return chosen


class _Rest:
    """A candidate that is not chosen yet, and what it is still worth beside the chosen ones."""

    def __init__(self, candidate: Scored) -> None:
        self.candidate = candidate
        self.subject = candidate.subject.casefold()
        self.words = candidate.words()
        self.overlap = 0.0
        review = REVIEW_PENALTY if candidate.report.verdict == "review" else 0.0
        self.value = candidate.score - review

    @property
    def worth(self) -> float:
        return self.value - SIMILARITY_WEIGHT * self.overlap

    def set_apart(self, chosen: "_Rest") -> bool:
        """Take one that is chosen into account; False where both are nearly the same."""
        union = self.words | chosen.words
        overlap = len(self.words & chosen.words) / len(union) if union else 1.0
        self.overlap = max(self.overlap, overlap)
        return self.subject != chosen.subject and overlap < NEAR_DUPLICATE

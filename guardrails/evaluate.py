"""How good the trained checks are on the test split: `python -m guardrails evaluate`.

The test split is never used to fit, to set thresholds or to choose.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable

import numpy as np

from guardrails.checks.intent import IntentCheck
from guardrails.embeddings import Reader
from guardrails.learned.heads import DISALLOWED, INTENTS, Array, Head
from guardrails.learned.voice import Lines, VoiceHead, unit
from guardrails.training.labelled import Labelled, Split, intents, voices
from guardrails.training.voice import Corpus, cases, gather
from guardrails.types import Brief, Item, Result


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` of `total`, with the 95% interval of Wilson (1927)."""

    hits: int
    total: int

    def __str__(self) -> str:
        if not self.total:
            return "none"
        low, high = wilson(self.hits, self.total)
        return f"{self.hits / self.total:.3f} [{low:.3f}, {high:.3f}] of {self.total}"


def wilson(hits: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's interval for the share `hits` / `total`, at 95% by default.

    Source: E. B. Wilson, Probable Inference, JASA 22 (1927), 209-212.
    """
    share = hits / total
    middle = share + z * z / (2 * total)
    reach = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    return max((middle - reach) / scale, 0.0), min((middle + reach) / scale, 1.0)


def auc(good: Sequence[float], bad: Sequence[float]) -> float:
    """How often a good one scores above a bad one; ties count half. NaN where one kind is missing."""
    if not good or not bad:
        return math.nan
    values = np.array([*good, *bad])
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    above = ranks[: len(good)].sum() - len(good) * (len(good) + 1) / 2
    return float(above / (len(good) * len(bad)))


def macro_f1(truth: Sequence[str], answers: Sequence[str], labels: Sequence[str]) -> float:
    """Mean over `labels` of the harmonic mean of precision and recall."""
    scores = []
    for label in labels:
        hits = sum(t == label == a for t, a in zip(truth, answers, strict=True))
        named = sum(t == label for t in truth) + sum(a == label for a in answers)
        scores.append(2 * hits / named if named else 0.0)
    return sum(scores) / len(scores)


def evaluate(data: Traversable, embed: Reader, split: Split = "test") -> list[str]:
    """The table, line by line."""
    return [*intent_table(data, embed, split), "", *voice_table(data, embed, split)]


def intent_table(data: Traversable, embed: Reader, split: Split) -> list[str]:
    """The intent check: allowed lines with their brief and without, disallowed without."""
    lines = [line for line in intents(data) if line.split == split]
    check = IntentCheck(embed)
    bare = check.run([Item(line.subject, line.preview) for line in lines])
    briefed = check.run(
        [Item(line.subject, line.preview, Brief(intent=line.intent)) for line in lines]
    )
    allowed = [i for i, line in enumerate(lines) if line.disallowed is None]
    bad = [i for i, line in enumerate(lines) if line.disallowed is not None]
    rows = [
        f"intent, {split} split: {len(allowed)} allowed lines, {len(bad)} disallowed",
        *_flagged("  no brief", bare, lines, allowed, bad),
        *_flagged("  own brief", briefed, lines, allowed, bad),
    ]
    for source in sorted({line.source for line in lines}):
        of = [i for i in allowed if lines[i].source == source]
        if of:
            truth = [lines[i].intent for i in of]
            answers = [_best(bare[i], INTENTS) for i in of]
            rows.append(
                f"  macro-F1 of the four intents, {source}: {macro_f1(truth, answers, INTENTS):.3f}"
            )
    truth = [lines[i].intent for i in allowed]
    answers = [_best(bare[i], INTENTS) for i in allowed]
    rows.append(f"  macro-F1 of the four intents, all: {macro_f1(truth, answers, INTENTS):.3f}")
    named = [lines[i].disallowed or "" for i in bad]
    guessed = [_best(bare[i], DISALLOWED) for i in bad]
    rows.append(f"  macro-F1 of the ten disallowed: {macro_f1(named, guessed, DISALLOWED):.3f}")
    risk = [sum(result.scores["intent"][label] for label in DISALLOWED) for result in bare]
    rows.append(
        f"  AUC, disallowed against allowed: {auc([risk[i] for i in bad], [risk[i] for i in allowed]):.3f}"
    )
    for label in DISALLOWED:
        of = [i for i in bad if lines[i].disallowed == label]
        rows.append(f"  recall of {label}: {Share(_count(bare, of), len(of))}")
    return rows


def _flagged(
    name: str,
    results: Sequence[Result],
    lines: Sequence[Labelled],
    allowed: Sequence[int],
    bad: Sequence[int],
) -> list[str]:
    found, wrong = _count(results, bad), _count(results, allowed)
    rows = [
        f"{name}: recall {Share(found, len(bad))}",
        f"{name}: precision {Share(found, found + wrong)}",
        f"{name}: false positives {Share(wrong, len(allowed))}",
        f"{name}: allowed blocked {Share(_count(results, allowed, 'block'), len(allowed))}",
        f"{name}: disallowed blocked {Share(_count(results, bad, 'block'), len(bad))}",
    ]
    for source in sorted({line.source for line in lines}):
        good, ill = ([i for i in group if lines[i].source == source] for group in (allowed, bad))
        if good:
            rows.append(
                f"{name}: false positives, {source} {Share(_count(results, good), len(good))}"
            )
        if ill:
            rows.append(f"{name}: recall, {source} {Share(_count(results, ill), len(ill))}")
    return rows


def _count(results: Sequence[Result], of: Sequence[int], severity: str = "") -> int:
    """How many of the results at `of` have a finding, of one severity if it is named."""
    return sum(any(severity in ("", each.severity) for each in results[i].findings) for i in of)


def _best(result: Result, labels: Sequence[str]) -> str:
    scores: dict[str, float] = result.scores["intent"]
    return max(labels, key=lambda label: scores[label])


def voice_table(data: Traversable, embed: Reader, split: Split) -> list[str]:
    """The brand-voice check on brands that nothing was fitted on, beside two plainer methods."""
    head = VoiceHead(Head.load("brand_voice"))
    corpus = gather([voice for voice in voices(data) if voice.split == split], embed)
    lines = corpus.lines(head)
    rows = [f"brand_voice, {split} split: {len(corpus.brands)} brands"]
    for count, with_off in ((12, True), (12, False), (5, True), (5, False)):
        rows += _voice_rows(corpus, head, lines, count, with_off)
    return rows


def _voice_rows(
    corpus: Corpus, head: VoiceHead, lines: Lines, count: int, with_off: bool
) -> list[str]:
    found: dict[str, dict[str, list[float]]] = {}
    for _, kind, text, on, off, _ in cases(corpus, np.random.default_rng(1), count, with_off):
        item, near, far = lines.at(text), lines.at(on), lines.at(off)
        answers = {
            "MiniLM centroid": _centroid(item, near),
            "on against off": _centroid(item, near) - (_centroid(item, far) if off else 0.0),
            "head": head.probability(item, near, far),
        }
        for method, value in answers.items():
            found.setdefault(method, {}).setdefault(kind, []).append(value)
    name = f"  {count} on{' + 6 off' if with_off else ' alone'}"
    rows = []
    for method, by in found.items():
        if method == "on against off" and not with_off:
            continue
        rows.append(
            f"{name}, {method}: AUC own copy against off-voice lines {auc(by['own'], by['off']):.3f}, "
            f"own example lines against off-voice lines {auc(by['line'], by['off']):.3f}, "
            f"own copy against other brands' {auc(by['own'], by.get('foreign', [])):.3f}"
        )
    limit = head.threshold(with_off)
    for kind, what in (
        ("own", "own copy"),
        ("off", "off-voice lines"),
        ("foreign", "other brands'"),
    ):
        values = found["head"].get(kind, [])
        rows.append(
            f"{name}, head: sent to review, {what} {Share(sum(v < limit for v in values), len(values))}"
        )
    return rows


def _centroid(item: Lines, lines: Lines) -> float:
    middle: Array = unit(lines.embeddings.mean(axis=0))
    return float((item.embeddings @ middle).mean())

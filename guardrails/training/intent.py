"""Training the intent head: own layers and a linear part, weighed against each other on lines that
neither has seen."""

from collections.abc import Sequence
from importlib.resources.abc import Traversable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guardrails.embeddings import WEIGHTS_SHA256, Reader, Reading, plain
from guardrails.learned.heads import DISALLOWED, INTENTS, Array, Head, softmax
from guardrails.learned.intents import Texts, combined
from guardrails.training import linear
from guardrails.training.labelled import Labelled, data_sha256, intents

SEED = 20_250

BLOCKED_SHARE, REVIEWED_SHARE = 0.01, 0.11
"""Of allowed lines that look dangerous or everyday (those of `intent/`), how many may be blocked
and how many reviewed."""
MISMATCH_SHARE = 0.01
"""Of allowed lines with their own brief, how many may be reviewed as a mismatch."""

SOURCE_WEIGHTS = {
    "corpus": 1.0,
    "disallowed": 1.5,
    "hard_negatives": 2.0,
    "extra": 2.5,
    "more": 2.5,
}
"""How much a line of each file counts: the corpus outnumbers what was written to be hard."""

Labels = NDArray[np.int64]
Places = NDArray[np.int64]
Logits = dict[str, Array]
"""Logits by what they tell: "intents" (n, 4) and "disallowed" (n, 11)."""

NAMES = ("intents", "disallowed")


def gather(lines: Sequence[Labelled], embed: Reader) -> Texts:
    """`lines` as the head sees them, each with its brief's intent."""
    subjects = [plain(line.subject) for line in lines]
    previews = [plain(line.preview) for line in lines]
    contexts = [line.brief_intent for line in lines]
    return Texts(subjects, previews, contexts, _read(subjects, embed), _read(previews, embed))


def _read(texts: Sequence[str], embed: Reader) -> list[Reading | None]:
    """Readings of `texts`, their states in half precision; none where there is no text."""
    found = embed.read(list(texts))
    return [
        Reading(reading.embedding, reading.states.astype(np.float16)) if text else None
        for text, reading in zip(texts, found, strict=True)
    ]


def disallowed_labels(lines: Sequence[Labelled]) -> Labels:
    """0 for an allowed line, else 1 + the place of its label in DISALLOWED."""
    return np.array([1 + DISALLOWED.index(x.disallowed) if x.disallowed else 0 for x in lines])


def intent_labels(lines: Sequence[Labelled]) -> Labels:
    """The place of each line's intent in INTENTS."""
    return np.array([INTENTS.index(line.intent) for line in lines])


class Fitted:
    """Both parts fitted to the lines at `places`."""

    def __init__(self, lines: Sequence[Labelled], texts: Texts, places: Places, seed: int) -> None:
        from guardrails.learned.joint import Joint
        from guardrails.training import joint

        chosen, some = [lines[i] for i in places], texts.at(places.tolist())
        weights = np.array([SOURCE_WEIGHTS[line.source] for line in chosen], dtype=np.float32)
        pairs = list(zip(some.subject_readings, some.preview_readings, strict=True))
        self.layers = joint.fit(chosen, pairs, weights, seed)
        self._joint = Joint(self.layers)
        rows = linear.table(some)
        allowed = np.flatnonzero([line.disallowed is None for line in chosen])
        self.linear = {
            "intents": linear.fit(
                rows.at(allowed), intent_labels(chosen)[allowed], weights[allowed]
            ),
            "disallowed": linear.fit(rows, disallowed_labels(chosen), weights),
        }

    def logits(self, texts: Texts) -> tuple[Logits, Logits]:
        """Of the layers and of the linear part."""
        pairs = list(zip(texts.subject_readings, texts.preview_readings, strict=True))
        rows = linear.table(texts)
        return (
            dict(zip(NAMES, self._joint.logits(pairs, texts.contexts), strict=True)),
            {name: each.logits(rows) for name, each in self.linear.items()},
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All parts by name, as they are shipped."""
        named: dict[str, NDArray[Any]] = {
            f"joint.{name}": weight.numpy().astype(np.float16)
            for name, weight in self.layers.items()
        }
        for name, each in self.linear.items():
            named |= {f"{name}.{part}": array for part, array in each.arrays().items()}
        return named


def calibrate(joint: Array, beside: Array, labels: Labels) -> Array:
    """The mix of two logits (see `combined`) whose probabilities fit `labels` best."""
    from scipy.optimize import minimize  # type: ignore[import-untyped]

    def mix(values: NDArray[np.float64]) -> Array:
        # Of the shifts, only that of the first label, "allowed" or "promotional", is free.
        shifts = np.zeros(joint.shape[1])
        shifts[0] = values[2]
        return np.asarray([*np.exp(values[:2]), *shifts], dtype=np.float32)

    def loss(values: NDArray[np.float64]) -> float:
        found = softmax(combined(joint, beside, mix(values)))
        return float(-np.log(found[np.arange(len(labels)), labels] + 1e-9).mean())

    return mix(minimize(loss, np.array([0.0, -1.0, 0.0]), method="Nelder-Mead").x)


def train(data: Traversable, embed: Reader) -> Head:
    """Fit the head on the train lines of `data`; what weighs, calibrates and bounds it is chosen on
    the validation lines."""
    lines = intents(data)
    known = [line for line in lines if line.split == "train"]
    unseen = [line for line in lines if line.split == "validation"]
    fitted = Fitted(known, gather(known, embed), np.arange(len(known)), SEED)
    held_out, mixes = mixed(unseen, *fitted.logits(gather(unseen, embed)))
    thresholds = choose(unseen, held_out)
    return Head(
        fitted.arrays() | {f"{name}.mix": mix for name, mix in mixes.items()},
        {
            "labels": [*INTENTS, *DISALLOWED],
            "data_sha256": data_sha256(data, ["corpus", "intent"]),
            "embedding_sha256": WEIGHTS_SHA256,
            "seed": SEED,
            "thresholds": thresholds,
            "figures": figures(unseen, held_out, thresholds),
        },
    )


def mixed(
    lines: Sequence[Labelled], joint: Logits, beside: Logits
) -> tuple[Logits, dict[str, Array]]:
    """Calibrated probabilities and the mixes they use, fitted to `lines`."""
    allowed = np.array([line.disallowed is None for line in lines])
    mixes = {
        "intents": calibrate(
            joint["intents"][allowed], beside["intents"][allowed], intent_labels(lines)[allowed]
        ),
        "disallowed": calibrate(
            joint["disallowed"], beside["disallowed"], disallowed_labels(lines)
        ),
    }
    found = {name: softmax(combined(joint[name], beside[name], mixes[name])) for name in NAMES}
    return found, mixes


def quantile(values: Array, share: float) -> float:
    """The value that `share` of `values` lies above."""
    return float(np.quantile(values, 1 - share))


def choose(lines: Sequence[Labelled], held_out: Logits) -> dict[str, float]:
    """Thresholds that keep to the shares of allowed lines, on predictions of unseen lines."""
    risk = 1 - held_out["disallowed"][:, 0]
    allowed = np.array([line.disallowed is None for line in lines])
    hard = risk[allowed & np.array([line.source != "corpus" for line in lines])]
    gap = gaps(lines, held_out)[allowed]
    return {
        "block": quantile(hard, BLOCKED_SHARE),
        "review": quantile(hard, BLOCKED_SHARE + REVIEWED_SHARE),
        "mismatch": max(quantile(gap, MISMATCH_SHARE), 0.5),
    }


def gaps(lines: Sequence[Labelled], held_out: Logits) -> Array:
    """How much likelier another intent is than the brief's."""
    found = held_out["intents"]
    wanted = [INTENTS.index(line.brief_intent) for line in lines]
    return np.asarray(found.max(axis=1) - found[np.arange(len(lines)), wanted], dtype=np.float32)


def figures(
    lines: Sequence[Labelled], held_out: Logits, thresholds: dict[str, float]
) -> dict[str, float]:
    """What unseen lines say of the head: macro-F1, calibration errors and shares of lines."""
    from sklearn.metrics import f1_score

    risk = 1 - held_out["disallowed"][:, 0]
    allowed = np.array([line.disallowed is None for line in lines])
    corpus = np.array([line.source == "corpus" for line in lines])
    truth, answers = intent_labels(lines), held_out["intents"].argmax(axis=1)
    found = {
        "calibration_error_risk": calibration_error(risk, ~allowed),
        "calibration_error_intents": calibration_error(
            held_out["intents"].max(axis=1)[allowed], (truth == answers)[allowed]
        ),
    }
    for name, of in (("corpus", corpus), ("written_apart", ~corpus)):
        rows = of & allowed
        found[f"{name}_macro_f1"] = f1_score(truth[rows], answers[rows], average="macro")
    for source in sorted({line.source for line in lines}):
        of = np.array([line.source == source for line in lines])
        for name, rows in (("allowed", of & allowed), ("disallowed", of & ~allowed)):
            if rows.any():
                for what, limit in (("flagged", "review"), ("blocked", "block")):
                    share = (risk[rows] >= thresholds[limit]).mean()
                    found[f"{source}_{name}_{what}"] = float(share)
    return {name: round(float(value), 4) for name, value in found.items()}


def calibration_error(probabilities: Array, happened: NDArray[np.bool_], bins: int = 15) -> float:
    """Expected calibration error: the mean gap between what was said and what happened, over
    `bins` equal stretches of probability (Naeini et al., AAAI 2015)."""
    place = np.minimum((probabilities * bins).astype(int), bins - 1)
    gap = 0.0
    for number in range(bins):
        of = place == number
        if of.any():
            gap += of.mean() * abs(probabilities[of].mean() - happened[of].mean())
    return float(gap)

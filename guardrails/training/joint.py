"""Fine-tuning the intent check's own layers above the shared ones."""

import random
import sys
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from guardrails import transformer
from guardrails.embeddings import load_encoder
from guardrails.learned.heads import DISALLOWED, INTENTS
from guardrails.learned.joint import LAYERS, PREVIEW, Pair, length, logits, pack
from guardrails.minilm import SHARED
from guardrails.training.labelled import Labelled

EPOCHS = 5
BATCH = 32
RATE, HEAD_RATE = 2e-4, 1e-3
DROPOUT = 0.1
SMOOTHING = 0.05
CORPUS_SHARE = 0.3
"""Share of the corpus' lines that each epoch draws: they are many, and most are easy."""
UNKNOWN, OTHER = 0.45, 0.25
"""How often a line is shown without its brief's intent, and a disallowed one with any intent: it
is disallowed whatever the campaign, and the campaign alone must not give it away."""
ALONE = 0.08
"""How often an unsubtle line is shown without its preview, as some texts come."""


def start(generator: torch.Generator) -> dict[str, Tensor]:
    """The weights that training starts from: the encoder's top layers and fresh answers."""

    def fresh(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator) * 0.02

    encoder = load_encoder()
    weights = {
        f"{number}.{name}": weight.clone()
        for number in range(LAYERS)
        for name, weight in encoder.layer_weights(SHARED + number).items()
    }
    for name, labels in (("intents", len(INTENTS)), ("disallowed", 1 + len(DISALLOWED))):
        weights[f"{name}.weight"] = fresh(labels, transformer.WIDTH)
        weights[f"{name}.bias"] = torch.zeros(labels)
    weights["kinds"] = torch.cat(
        [fresh(PREVIEW - 1, transformer.WIDTH), torch.zeros(2, transformer.WIDTH)]
    )
    return {name: weight.requires_grad_() for name, weight in weights.items()}


def fit(
    lines: Sequence[Labelled],
    pairs: Sequence[Pair],
    weights: NDArray[np.float32],
    seed: int,
) -> dict[str, Tensor]:
    """The layers fitted to `lines`, whose readings are `pairs`."""
    model = start(torch.Generator().manual_seed(seed))
    torch.manual_seed(seed)  # for dropout
    draw = random.Random(seed)  # noqa: S311
    intents = torch.tensor([INTENTS.index(line.intent) for line in lines])
    risks = torch.tensor([_risk(line) for line in lines])
    loads = torch.from_numpy(weights)
    counts = torch.bincount(intents[risks == 0], minlength=len(INTENTS)).clamp(min=1)
    rarity = (counts.sum() / counts / len(INTENTS)).sqrt()
    layers = [weight for name, weight in model.items() if name[0].isdigit()]
    rest = [weight for name, weight in model.items() if not name[0].isdigit()]
    optimiser = torch.optim.AdamW(
        [{"params": layers, "lr": RATE}, {"params": rest, "lr": HEAD_RATE}], weight_decay=0.02
    )
    total = EPOCHS * sum(1 for _ in _batches(lines, pairs, random.Random(seed)))  # noqa: S311
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(1.0, (step + 1) / (0.06 * total), max(0.0, 1 - step / total))
    )
    for epoch in range(EPOCHS):
        losses = []
        for batch in _batches(lines, pairs, draw):
            shown = [_shown(lines[i], pairs[i], draw) for i in batch]
            order = sorted(range(len(batch)), key=lambda i: length(shown[i][0]))
            at = torch.tensor([batch[i] for i in order])
            packed = pack([shown[i][0] for i in order], [shown[i][1] for i in order])
            with torch.autocast("cpu", torch.bfloat16):
                answers = logits(model, packed, DROPOUT)
            loss = _loss(*answers, intents[at], risks[at], loads[at], rarity)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.values(), 1.0)
            optimiser.step()
            schedule.step()
            losses.append(loss.item())
        print(f"  epoch {epoch + 1}: loss {np.mean(losses):.3f}", file=sys.stderr, flush=True)
    return {name: weight.detach() for name, weight in model.items()}


def _risk(line: Labelled) -> int:
    return 1 + DISALLOWED.index(line.disallowed) if line.disallowed else 0


def _batches(
    lines: Sequence[Labelled], pairs: Sequence[Pair], draw: random.Random
) -> Iterator[list[int]]:
    """Places in `lines`, texts of like length together: a part of the corpus, and all others."""
    corpus = [i for i, line in enumerate(lines) if line.source == "corpus"]
    places = [i for i, line in enumerate(lines) if line.source != "corpus"]
    places += draw.sample(corpus, int(len(corpus) * CORPUS_SHARE))
    draw.shuffle(places)
    stretch = BATCH * 16
    batches = []
    for first in range(0, len(places), stretch):
        part = sorted(places[first : first + stretch], key=lambda i: length(pairs[i]))
        batches += [part[i : i + BATCH] for i in range(0, len(part), BATCH)]
    draw.shuffle(batches)
    yield from batches


def _shown(line: Labelled, pair: Pair, draw: random.Random) -> tuple[Pair, str | None]:
    """A line as one step of training shows it: some without preview, some without a brief."""
    if not line.subtle and draw.random() < ALONE:
        pair = (pair[0], None)
    chance = draw.random()
    if chance < UNKNOWN:
        return pair, None
    if line.disallowed and chance < UNKNOWN + OTHER:
        return pair, draw.choice(INTENTS)
    return pair, line.brief_intent


def _loss(
    intents: Tensor, risks: Tensor, intent: Tensor, risk: Tensor, load: Tensor, rarity: Tensor
) -> Tensor:
    """Which intent, of allowed lines; which risk; and whether there is any at all."""
    allowed = load * (risk == 0)
    which = functional.cross_entropy(
        intents, intent, weight=rarity, label_smoothing=SMOOTHING, reduction="none"
    )
    label = functional.cross_entropy(risks, risk, label_smoothing=SMOOTHING, reduction="none")
    any_risk = functional.binary_cross_entropy_with_logits(
        risks[:, 1:].logsumexp(1) - risks[:, 0], (risk > 0).float(), reduction="none"
    )
    return (which * allowed).sum() / allowed.sum().clamp(min=1) + (
        (label + any_risk) * load
    ).sum() / load.sum()

"""Decoding many candidates of one prompt: one shared prefill, then all rows step by step."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from transformers import DynamicCache

from copygen.generation.generator import Sampling

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(slots=True)
class Row:
    """One candidate as it grows: its tokens, the sum of their log-probabilities, whether it ended."""

    tokens: list[int] = field(default_factory=list)
    logprob: float = 0.0
    ended: bool = False


@torch.inference_mode()
def decode(
    model: "PreTrainedModel",
    prompt: Sequence[int],
    seeds: Sequence[int],
    sampling: Sampling,
    stop: frozenset[int],
) -> list[Row]:
    """Sample one continuation of `prompt` (token ids) for each seed, until a `stop` token.

    Each row draws from a random stream of its own, made from its seed alone. Its logits may still
    differ in the last bits with the number of rows beside it, so a row is made again along with
    the same seeds. The stop token counts into the log-probability and not into the tokens.
    """
    device = model.device
    draws = torch.stack([_draws(seed, sampling.max_tokens) for seed in seeds]).to(device)
    cache = DynamicCache(config=model.config)
    ids = torch.tensor([list(prompt)], device=device)
    logits = model(input_ids=ids, cache=cache, logits_to_keep=1).logits[:, -1]
    cache.batch_repeat_interleave(len(seeds))
    logits = logits.expand(len(seeds), -1)
    rows = [Row() for _ in seeds]
    active = list(range(len(seeds)))
    for step in range(sampling.max_tokens):
        tokens, logprobs = _sample(logits.float(), draws[active, step], sampling)
        kept = []
        for position, (index, token, logprob) in enumerate(
            zip(active, tokens.tolist(), logprobs.tolist(), strict=True)
        ):
            row = rows[index]
            row.logprob += logprob
            row.ended = token in stop
            if not row.ended:
                row.tokens.append(token)
                kept.append(position)
        if not kept or step + 1 == sampling.max_tokens:
            break
        if len(kept) < len(active):
            chosen = torch.tensor(kept, device=device)
            cache.batch_select_indices(chosen)
            tokens = tokens[chosen]
            active = [active[position] for position in kept]
        logits = model(input_ids=tokens[:, None], cache=cache).logits[:, -1]
    return rows


def _draws(seed: int, count: int) -> torch.Tensor:
    """`count` numbers of the seed's own stream, uniform over [0, 1)."""
    return torch.rand(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _sample(
    logits: torch.Tensor, draws: torch.Tensor, sampling: Sampling
) -> tuple[torch.Tensor, torch.Tensor]:
    """A token for each row by inverting the distribution over the top k, and its log-probability.

    `logits` has shape (rows, vocabulary), `draws` (rows,). The log-probability is that of the whole
    vocabulary at temperature 1: how likely the model holds the token, not how it was drawn.
    """
    top, candidates = logits.topk(min(sampling.top_k, logits.shape[-1]), dim=-1)
    weights = (top.double() / sampling.temperature).softmax(dim=-1).cumsum(dim=-1)
    chosen = torch.searchsorted(weights, draws[:, None], right=True).clamp_(max=top.shape[-1] - 1)
    logprobs = top.gather(1, chosen)[:, 0] - logits.logsumexp(dim=-1)
    return candidates.gather(1, chosen)[:, 0], logprobs


@torch.inference_mode()
def likelihoods(
    model: "PreTrainedModel", prompt: Sequence[int], texts: Sequence[Sequence[int]]
) -> list[float]:
    """Mean natural log-probability of each text's tokens (ids, none empty) after `prompt`."""
    longest = max(len(text) for text in texts)
    ids = torch.zeros((len(texts), len(prompt) + longest), dtype=torch.long, device=model.device)
    for row, text in enumerate(texts):
        line = [*prompt, *text]
        ids[row, : len(line)] = torch.tensor(line)
    # Padding stands on the right, where a causal model can't see it from the tokens that count.
    logits = model(input_ids=ids, logits_to_keep=longest + 1).logits[:, :-1].float()
    targets = ids[:, len(prompt) :]
    logprobs = logits.gather(2, targets[:, :, None])[:, :, 0] - logits.logsumexp(dim=-1)
    return [logprobs[row, : len(text)].mean().item() for row, text in enumerate(texts)]

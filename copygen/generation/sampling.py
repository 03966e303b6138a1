"""Drawing tokens: each row from a random stream of its own, made from its seed alone."""

import torch

from copygen.generation.generator import Sampling


def draws(seed: int, count: int) -> torch.Tensor:
    """`count` numbers of the seed's own stream, uniform over [0, 1), in float64."""
    return torch.rand(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def sample(
    logits: torch.Tensor, drawn: torch.Tensor, sampling: Sampling
) -> tuple[torch.Tensor, torch.Tensor]:
    """A token for each row by inverting the distribution over the top k, and its log-probability.

    `logits` has shape (rows, vocabulary), `drawn` (rows,). The log-probability is that of the whole
    vocabulary at temperature 1: how likely the model holds the token, not how it was drawn.
    """
    rows = len(logits)
    if rows == 1:
        # Torch adds up a single row in parts, on several cores: other bits than among others.
        logits, drawn = logits.repeat(2, 1), drawn.repeat(2)
    # The top k alone are sorted, never the vocabulary.
    top, candidates = logits.topk(min(sampling.top_k, logits.shape[-1]), dim=-1)
    weights = (top.double() / sampling.temperature).softmax(dim=-1).cumsum(dim=-1)
    chosen = torch.searchsorted(weights, drawn[:, None].contiguous(), right=True)
    chosen.clamp_(max=top.shape[-1] - 1)
    logprobs = top.gather(1, chosen)[:, 0] - logits.logsumexp(dim=-1)
    return candidates.gather(1, chosen)[:rows, 0], logprobs[:rows]


def logprobs(logits: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """Log-probabilities of `tokens`, of shape (rows, length), by logits with a vocabulary more."""
    logits = logits.float()
    return logits.gather(2, tokens[:, :, None])[:, :, 0] - logits.logsumexp(dim=-1)

"""Drawing tokens: each row from a random stream of its own, made from its seed alone."""

import torch

from copygen.generation.generator import Sampling

CHUNK = 64
"""Logits whose maximum is taken together: the fastest of 32, 64 and 128 for 49,152 logits."""


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
    top, candidates = _largest(logits, min(sampling.top_k, logits.shape[-1]))
    weights = (top.double() / sampling.temperature).softmax(dim=-1).cumsum(dim=-1)
    chosen = torch.searchsorted(weights, drawn[:, None].contiguous(), right=True)
    chosen.clamp_(max=top.shape[-1] - 1)
    tokens = candidates.gather(1, chosen)
    # Not logsumexp, which takes three times as long for the same.
    return tokens[:rows, 0], logits.log_softmax(dim=-1).gather(1, tokens)[:rows, 0]


def _largest(logits: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The largest `count` logits of each row, in their order, and where they stand.

    They stand in as many chunks at most: those with the largest maxima. The rest is never sorted.
    """
    rows, vocabulary = logits.shape
    if vocabulary % CHUNK or vocabulary < 2 * CHUNK * count:
        return logits.topk(count, dim=-1)
    chunks = logits.contiguous().view(rows, -1, CHUNK)
    holding = chunks.amax(dim=2).topk(count, dim=-1, sorted=False).indices
    firsts = torch.arange(rows, device=logits.device)[:, None] * chunks.shape[1]
    within = chunks.view(-1, CHUNK).index_select(0, (holding + firsts).flatten()).view(rows, -1)
    top, places = within.topk(count, dim=-1)
    return top, holding.gather(1, places // CHUNK) * CHUNK + places % CHUNK


def logprobs(logits: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """Log-probabilities of `tokens`, of shape (rows, length), by logits with a vocabulary more."""
    logits = logits.float()
    return logits.gather(2, tokens[:, :, None])[:, :, 0] - logits.logsumexp(dim=-1)

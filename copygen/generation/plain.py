"""Decoding many candidates of one prompt: one shared prefill, then all rows step by step."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from transformers import Cache, DynamicCache
from transformers.cache_utils import DynamicLayer

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
    logits, cache = _prefilled(model, prompt, len(seeds), sampling.max_tokens)
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


class RoomyLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """Keys and values with room for what is to come: the plain layer copies all of them to add one
    token's, which takes a third of a step's time on a CPU."""

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, rows: int, room: int) -> None:
        """Repeat `keys` and `values`, of shape (1, heads, length, size), for `rows` rows."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.lazy_initialization(keys, values)
        self._length = 0
        self._room = [
            tensor.new_empty((rows, tensor.shape[1], tensor.shape[2] + room, tensor.shape[3]))
            for tensor in (keys, values)
        ]
        self.update(keys, values)

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: object, **__: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Add keys and values of shape (rows, heads, added, size); all there are now."""
        start, self._length = self._length, self._length + key_states.shape[-2]
        for room, added in zip(self._room, (key_states, value_states), strict=True):
            room[:, :, start : self._length] = added
        return self._show()

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep the rows at `indices` alone."""
        self._room = [room[indices] for room in self._room]
        self._show()

    def _show(self) -> tuple[torch.Tensor, torch.Tensor]:
        keys, values = (room[:, :, : self._length] for room in self._room)
        self.keys, self.values = keys, values
        return keys, values


def _prefilled(
    model: "PreTrainedModel", prompt: Sequence[int], rows: int, room: int
) -> tuple[torch.Tensor, Cache]:
    """The logits after `prompt`, read once, for each of `rows` rows, of shape (rows, vocabulary);
    and its cache for them, with room for `room` more tokens."""
    cache = DynamicCache(config=model.config)
    ids = torch.tensor([list(prompt)], device=model.device)
    logits = model(input_ids=ids, cache=cache, logits_to_keep=1).logits[:, -1].expand(rows, -1)
    layers: list[Any] = cache.layers
    if all(type(layer) is DynamicLayer for layer in layers):
        roomy: list[Any] = [RoomyLayer(layer.keys, layer.values, rows, room) for layer in layers]
        return logits, Cache(layers=roomy)
    # A model with layers of its own kind (sliding windows): its own way, which is slower.
    cache.batch_repeat_interleave(rows)
    return logits, cache


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
    # Padding stands on the right, where a causal model can't see it from the tokens that count.
    ids = torch.zeros((len(texts), longest), dtype=torch.long, device=model.device)
    for row, text in enumerate(texts):
        ids[row, : len(text)] = torch.tensor(text)
    first, cache = _prefilled(model, prompt, len(texts), longest)
    logprobs = [_logprobs(first[:, None], ids[:, :1])]
    if longest > 1:
        logits = model(input_ids=ids[:, :-1], cache=cache).logits
        logprobs.append(_logprobs(logits, ids[:, 1:]))
    found = torch.cat(logprobs, dim=1)
    return [found[row, : len(text)].mean().item() for row, text in enumerate(texts)]


def _logprobs(logits: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """Log-probabilities of `tokens`, of shape (rows, length), by logits with a vocabulary more."""
    logits = logits.float()
    return logits.gather(2, tokens[:, :, None])[:, :, 0] - logits.logsumexp(dim=-1)

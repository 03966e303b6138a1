"""Decoding by transformers' own model code, for any causal model: the candidates of one prompt at a
time, behind one prefill."""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from transformers import Cache, DynamicCache
from transformers.cache_utils import DynamicLayer

from copygen.generation.generator import Candidate, Request, Sampling
from copygen.generation.sampling import draws, logprobs, sample

if TYPE_CHECKING:
    from transformers import PreTrainedModel

ROWS = 32
"""Rows decoded together, always as many: a row's bits depend on their number, and so on nothing."""

Tokens = tuple[int, ...]


@dataclass(slots=True)
class _Row:
    tokens: list[int] = field(default_factory=list)
    logprob: float = 0.0
    ended: bool = False


class PlainDecoder:
    """Decodes requests as `Decoder` does, slower, with any causal model of transformers."""

    def __init__(
        self,
        model: "PreTrainedModel",
        encode: Callable[[str, int], tuple[Tokens, Tokens]],
        decode: Callable[[Sequence[int]], str],
        stop: frozenset[int],
    ) -> None:
        """`encode` splits a prompt in two; `stop` ends a row."""
        self._model = model
        self._encode = encode
        self._decode = decode
        self._stop = stop
        self._lock = threading.Lock()
        if model.device.type == "cpu":
            # The faster attention gives a row other bits where its place among the rows is another.
            model.set_attn_implementation("eager")

    def write(
        self, requests: deque[Request], sampling: Sampling
    ) -> Iterator[tuple[Request, Candidate]]:
        """A candidate for each request, by prompt and in order. More may be added meanwhile."""
        while requests:
            some = [requests.popleft()]
            while requests and len(some) < ROWS and requests[0].prompt == some[0].prompt:
                some.append(requests.popleft())
            prompt = sum(self._encode(some[0].prompt, 0), ())
            with self._lock:
                rows = self._written(prompt, [request.seed for request in some], sampling)
            for request, row in zip(some, rows, strict=False):
                drawn = len(row.tokens) + row.ended
                text = self._decode(row.tokens)
                yield (
                    request,
                    Candidate(request.seed, text, drawn, row.logprob / max(drawn, 1), row.ended),
                )

    @torch.inference_mode()
    def _written(self, prompt: Tokens, seeds: list[int], sampling: Sampling) -> list[_Row]:
        """A continuation for each seed, and those of more seeds up to `ROWS`."""
        device = self._model.device
        filled = seeds + seeds[:1] * (ROWS - len(seeds))
        drawn = torch.stack([draws(seed, sampling.max_tokens) for seed in filled]).to(device)
        logits, cache = _prefilled(self._model, prompt, ROWS, sampling.max_tokens)
        rows = [_Row() for _ in filled]
        for step in range(sampling.max_tokens):
            tokens, scores = sample(logits.float(), drawn[:, step], sampling)
            for row, token, score in zip(rows, tokens.tolist(), scores.tolist(), strict=True):
                if not row.ended:
                    row.logprob += score
                    row.ended = token in self._stop
                    if not row.ended:
                        row.tokens.append(token)
            if all(row.ended for row in rows) or step + 1 == sampling.max_tokens:
                break
            model: Any = self._model
            logits = model(input_ids=tokens[:, None], cache=cache).logits[:, -1]
        return rows

    @torch.inference_mode()
    def likelihood(self, prompt: str, texts: Sequence[Tokens]) -> list[float]:
        """Mean natural log-probability of each text's tokens, none empty, after `prompt`."""
        before = sum(self._encode(prompt, 0), ())
        scores: list[float] = []
        for start in range(0, len(texts), ROWS):
            with self._lock:
                scores += _likelihoods(self._model, before, texts[start : start + ROWS])
        return scores


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


def _likelihoods(
    model: "PreTrainedModel", prompt: Sequence[int], texts: Sequence[Sequence[int]]
) -> list[float]:
    """Mean natural log-probability of each text's tokens (ids, none empty) after `prompt`."""
    longest = max(len(text) for text in texts)
    # Padding stands on the right, where a causal model can't see it from the tokens that count.
    ids = torch.zeros((len(texts), longest), dtype=torch.long, device=model.device)
    for row, text in enumerate(texts):
        ids[row, : len(text)] = torch.tensor(text)
    first, cache = _prefilled(model, prompt, len(texts), longest)
    parts = [logprobs(first[:, None], ids[:, :1])]
    if longest > 1:
        logits = model(input_ids=ids[:, :-1], cache=cache).logits
        parts.append(logprobs(logits, ids[:, 1:]))
    found = torch.cat(parts, dim=1)
    return [found[row, : len(text)].mean().item() for row, text in enumerate(texts)]

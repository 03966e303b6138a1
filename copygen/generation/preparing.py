"""What is done once for a model on a machine: smooth its weights, find the number format that is
fastest at equal quality, and keep the weights in it."""

import json
import time
from collections import deque
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from copygen.generation import prepared
from copygen.generation.decoding import ROWS, Decoder
from copygen.generation.generator import Request, Sampling
from copygen.generation.llama import Llama, Unfit, extracted
from copygen.generation.matrices import (
    FORMATS,
    Float32,
    Format,
    Matrix,
    activation_limit,
    maker,
    quantized,
)

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Tokens = tuple[int, ...]

SMOOTHING = 0.5
"""How much of a channel's range moves from the rows to the weights (SmoothQuant, Xiao et al. 2022,
arXiv 2211.10438; their value for most models, and the best of 0.3 to 0.7 here)."""

WORST_DIVERGENCE = 0.03
"""Largest mean divergence (Kullback-Leibler, nats per token) from float32 that counts as equal
quality. The packaged model's int8 has 0.009 on briefs of many brands; its log-likelihood of copy
written by hand falls by 0.5 %. Unsmoothed it had 0.023 and 1.6 %, and typing errors."""

LARGEST_DIFFERENCE = 1e-2
"""Between log-probabilities of `Llama` in float32 and of transformers: more is no rounding."""

COPIES, TRIES = 8, 5
"""Of a matrix, and runs over all of them, while a format is timed."""

CONTINUATIONS = 8
"""Texts that are written after a probe, to look at what the model does while it writes."""

CALIBRATION = """\
Brand: Fenwick Street Bakery. Warm, plain and a little dry. Short sentences, no exclamation marks.
Sounds like: The rye is back on Fridays / We close early on the 24th / Your order is in the oven
Product: sourdough subscription
News: Subscribers can now add a second loaf to any week for £3.50.
Offer: 20% off the first month; code SECONDLOAF; ends Sunday 18 May; terms: New subscribers only
Facts: Baked at 4am and delivered by 8; Four flours, all milled in Kent; Skip a week at any time
Do: Add a loaf
To: people who subscribed last year and stopped
Tags: {{ first_name }}
Kind: promotional
"""
"""A brief in the form that the packaged adapter knows. Ranges are taken after it."""

PROBE = """\
Brand: Northline Rail. Clear and calm. Says what changes, when, and what to do about it.
Sounds like: Platform changes at Selby this weekend / Your seat is still yours / Two trains an hour
Product: weekend timetable
News: From 7 June, trains between Leeds and York run every 20 minutes at weekends.
Facts: First train 06:12; Last train 23:40; Bicycles need no booking; Works at Church Fenton are over
Do: See the new times
To: season ticket holders
Kind: informational
"""
"""Another one, for comparing: what is compared must not be what was calibrated on."""


class Preparing:
    """A model of transformers in float32, and all that is measured of it."""

    def __init__(
        self,
        model: "PreTrainedModel",
        encode: Callable[[str], Tokens],
        stop: frozenset[int],
    ) -> None:
        """Take the model with the adapter in it.

        Raises:
            Unfit: `Llama` doesn't compute what it computes.
        """
        self._shape, self._tensors = extracted(model)
        self._encode, self._stop = encode, stop
        self._exact = self._built(self._tensors, Float32)
        ids = encode(PROBE)
        with torch.inference_mode():
            theirs = model(torch.tensor([ids])).logits[0].log_softmax(-1)
            hidden, _ = self._exact.read(torch.tensor([ids]), self._exact.nothing())
            ours = self._exact.logits(hidden[0]).log_softmax(-1)
        difference = (ours - theirs).abs().max().item()
        if not difference < LARGEST_DIFFERENCE:
            raise Unfit(f"its log-probabilities differ by {difference:.2g}")

    def choose(self) -> prepared.Choice:
        """Measure each format; the fastest of those of equal quality."""
        milliseconds = {each: _milliseconds(each, self._layer()) for each in FORMATS}
        divergence: dict[Format, float] = {}
        continued = self._continued(self._encode(PROBE))
        for each in sorted(FORMATS, key=lambda name: milliseconds[name]):
            divergence[each] = self._divergence(each, continued)
            if divergence[each] <= WORST_DIVERGENCE:
                return prepared.Choice(each, milliseconds, divergence)
        raise AssertionError("float32 differs from itself")

    def save(self, folder: Path, source: tuple[str, str], number_format: Format) -> None:
        """Keep the weights in a number format; the rest is as `prepared.save` takes it."""
        tensors: dict[str, torch.Tensor] = {}
        for name, tensor in self._in_range(number_format).items():
            if not _is_matrix(name):
                tensors[name] = tensor
            elif number_format == "int8":
                tensors[name], tensors[f"{name}.scale"] = quantized(tensor)
            else:
                tensors[name] = tensor.to(getattr(torch, number_format))
        if number_format != "float32":
            tensors["embedding"] = tensors["embedding"].bfloat16()
        prepared.save(folder, source, self._shape, tensors, self._stop)

    def _in_range(self, number_format: Format) -> Mapping[str, torch.Tensor]:
        return self._smoothed if number_format == "int8" else self._tensors

    def _built(
        self,
        tensors: Mapping[str, torch.Tensor],
        make: Callable[[torch.Tensor, torch.Tensor | None], Matrix],
    ) -> Llama:
        return Llama(
            self._shape, tensors, lambda name: make(tensors[name], tensors.get(f"{name}.bias"))
        )

    def _layer(self) -> list[tuple[torch.Tensor, int]]:
        """A layer's matrices and the head, with how often a step takes each."""
        layers = self._shape.layers
        return [
            *((self._tensors[f"0.{name}"], layers) for name in prepared.MATRICES),
            (self._tensors["head"], 1),
        ]

    def _continued(self, ids: Tokens) -> list[Tokens]:
        """What the model writes after a prompt, `CONTINUATIONS` times."""
        decoder = Decoder(self._exact, lambda *_: ((), ids), json.dumps, self._stop)
        requests = deque(Request("", seed) for seed in range(CONTINUATIONS))
        written = decoder.write(requests, Sampling())
        return [tuple(json.loads(candidate.text)) for _, candidate in written]

    def _divergence(self, number_format: Format, continued: list[Tokens]) -> float:
        """Mean Kullback-Leibler divergence from float32 after the probe, in nats per token."""
        if number_format == "float32":
            return 0.0
        other = self._built(self._in_range(number_format), maker(number_format))
        ids = self._encode(PROBE)
        exact, near = (_logprobs(each, ids, continued) for each in (self._exact, other))
        return (exact.exp() * (exact - near)).sum(dim=1).mean().item()

    def _ranges(self) -> dict[str, torch.Tensor]:
        """The largest absolute value that each matrix meets in each of its inputs."""
        found: dict[str, torch.Tensor] = {}

        def watching(name: str) -> Matrix:
            product = Float32(self._tensors[name], self._tensors.get(f"{name}.bias"))

            def watched(rows: torch.Tensor) -> torch.Tensor:
                largest = rows.abs().amax(dim=0)
                found[name] = torch.maximum(found.get(name, largest), largest)
                return product(rows)

            return watched

        model = Llama(self._shape, self._tensors, watching)
        ids = self._encode(CALIBRATION)
        _logprobs(model, ids, self._continued(ids))
        return found

    @cached_property
    def _smoothed(self) -> Mapping[str, torch.Tensor]:
        """The weights with the channels' ranges evened out between rows and weights (SmoothQuant).

        What scales a matrix's inputs down stands before it already, at no cost: the norm, the
        values, the gate's other half. Exact arithmetic would give the same results.
        """
        shape, tensors = self._shape, dict(self._tensors)
        shared = (shape.groups, shape.heads // shape.groups, shape.size)
        for name, largest in self._ranges().items():
            layer, _, kind = name.rpartition(".")
            weight = tensors[name].float()
            heaviest = weight.abs().amax(dim=0)
            if kind == "output":
                # Heads that share their values share their scale.
                largest, heaviest = (
                    each.view(shared).amax(1, keepdim=True).expand(shared).flatten()
                    for each in (largest, heaviest)
                )
            scale = largest.clamp_min(1e-5) ** SMOOTHING / heaviest.clamp_min(1e-5) ** (
                1 - SMOOTHING
            )
            scale = scale / scale.log().mean().exp()
            tensors[name] = weight * scale
            if kind == "output":
                values = scale.view(shared)[:, 0].flatten()
                _divide_last(tensors, f"{layer}.attention", values)
            elif kind == "down":
                _divide_last(tensors, f"{layer}.gate_up", scale)
            else:
                norm = {"attention": f"{layer}.attention_norm", "gate_up": f"{layer}.mlp_norm"}
                norm_name = norm.get(kind, "norm")
                tensors[norm_name] = tensors[norm_name] / scale
        return tensors


def _divide_last(tensors: dict[str, torch.Tensor], name: str, scale: torch.Tensor) -> None:
    """Divide the last rows of a matrix, and of its bias, by `scale`."""
    for each in (name, f"{name}.bias"):
        if each in tensors:
            changed = tensors[each].float().clone()
            last = changed[-len(scale) :]
            last /= scale[:, None] if changed.dim() == 2 else scale
            tensors[each] = changed


def _is_matrix(name: str) -> bool:
    return name == "head" or name.rpartition(".")[2] in prepared.MATRICES


def _milliseconds(number_format: Format, matrices: list[tuple[torch.Tensor, int]]) -> float:
    """How long a step's matrices take for a batch of rows; for ever where it can't be computed."""
    if number_format == "int8" and activation_limit() is None:
        return float("inf")
    make = maker(number_format)
    total = 0.0
    with torch.inference_mode():
        for weight, times in matrices:
            # As many copies as there are layers would not stay in the processor's cache; some do.
            copies = [make(weight, None) for _ in range(min(times, COPIES))]
            rows = torch.randn(ROWS, weight.shape[1])
            best = float("inf")
            for _ in range(TRIES):
                began = time.perf_counter()
                for matrix in copies:
                    matrix(rows)
                best = min(best, time.perf_counter() - began)
            total += best * 1000 / len(copies) * times
    return total


@torch.inference_mode()
def _logprobs(model: Llama, ids: Tokens, continued: list[Tokens]) -> torch.Tensor:
    """Log-probabilities after a prompt and after each token of all that follows it in turn, of
    shape (count, vocabulary)."""
    beginning = model.begin(torch.tensor([ids]), model.nothing())
    logits = [beginning.logits]
    for each in filter(None, continued):
        hidden, _ = model.read(torch.tensor([each]), beginning)
        logits.append(model.logits(hidden[0]))
    return torch.cat(logits).log_softmax(-1)

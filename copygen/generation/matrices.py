"""Matrices to multiply rows with, in the number format that this machine computes fastest."""

import functools
from collections.abc import Callable
from typing import Literal, Protocol, get_args

import torch
import torch.nn.functional as F

Format = Literal["float32", "bfloat16", "int8"]
FORMATS: tuple[Format, ...] = get_args(Format)

INT8 = 127
INT8_NARROW = 63
"""Largest activation in int8. Before AVX-512 VNNI and AVX-VNNI, x86 adds two products of 8 bits in
16 bits, which must not overflow: 2 x 127 x (64 + 63) does not (the oneDNN developer guide, "Nuances
of int8 computations")."""


class Matrix(Protocol):
    """A weight of shape (outputs, inputs), perhaps with a bias."""

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        """`rows` of shape (count, inputs) in float32 times the weight; (count, outputs) in float32."""
        ...


class Float32:
    """The weight as it is."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        self._weight, self._bias = weight.float(), bias

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        return F.linear(rows, self._weight, self._bias)


class BFloat16:
    """The weight and the rows rounded to bfloat16, sums kept in float32."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        self._weight, self._bias = weight.bfloat16(), bias

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        product = F.linear(rows.bfloat16(), self._weight).float()
        return product if self._bias is None else product.add_(self._bias)


class Int8:
    """The weight in int8 with a scale for each output, each row in int8 with a scale of its own.

    The sums are whole numbers and so exact: a row's result depends on no other row.
    """

    def __init__(
        self,
        weight: torch.Tensor,
        scale: torch.Tensor,
        bias: torch.Tensor | None,
        limit: int | None = None,
    ) -> None:
        """Take a weight in int8 and its scales, of shape (outputs,).

        `limit`: largest activation; None: the one that this machine multiplies exactly.
        """
        self._packed = torch.ops.onednn.qlinear_prepack(weight, None)
        self._scale, self._bias, self._limit = scale, bias, limit or activation_limit() or INT8
        self._no_offsets = torch.zeros(len(scale), dtype=torch.int32)

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        scale = rows.abs().amax(dim=1, keepdim=True).clamp_min_(1e-12).div_(self._limit)
        # oneDNN wants the rows unsigned: moved up by an offset that it takes off the sums again.
        # Adding it to the bytes is faster than to floats, and wraps to the same.
        moved = (rows / scale).round_().to(torch.int8).view(torch.uint8).add_(self._limit + 1)
        product: torch.Tensor = torch.ops.onednn.qlinear_pointwise(
            *(moved, 1.0, self._limit + 1, self._packed, self._scale, self._no_offsets),
            *(None, 1.0, 0, torch.float32, "none", [], ""),
        ).mul_(scale)
        return product if self._bias is None else product.add_(self._bias)


def quantized(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A weight of shape (outputs, inputs) in int8, and the scale of each output."""
    scale = weight.float().abs().amax(dim=1).clamp_min_(1e-12).div_(INT8)
    return (weight.float() / scale[:, None]).round_().to(torch.int8), scale


@functools.cache
def activation_limit() -> int | None:
    """Largest int8 activation that this machine multiplies exactly; None where none is."""
    weight = torch.full((64, 512), -INT8, dtype=torch.int8)
    weight[::2] = INT8
    for limit in (INT8, INT8_NARROW):
        rows = torch.full((16, 512), float(limit))
        rows[1::2] *= -1
        try:
            with torch.inference_mode():
                found = Int8(weight, torch.ones(64), None, limit)(rows)
        except (RuntimeError, NotImplementedError, AttributeError):
            return None
        if torch.equal(found, rows @ weight.float().T):
            return limit
    return None


def held(number_format: Format) -> torch.dtype:
    """What keys and values are held in beside matrices of a number format: bfloat16, half as many
    bytes to read for each token, where the matrices are not exact either and the machine multiplies
    it at full speed."""
    fast = torch.cuda.is_available() or torch.cpu._is_avx512_bf16_supported()
    return torch.bfloat16 if number_format != "float32" and fast else torch.float32


def maker(number_format: Format) -> Callable[[torch.Tensor, torch.Tensor | None], Matrix]:
    """What makes a matrix in a number format of a weight in float32 and perhaps a bias."""
    if number_format == "int8":
        return lambda weight, bias: Int8(*quantized(weight), bias)
    return Float32 if number_format == "float32" else BFloat16

"""Matrices in each number format."""

import os
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F

from copygen.generation.llama import BLOCK
from copygen.generation.matrices import (
    FORMATS,
    INT8,
    INT8_NARROW,
    BFloat16,
    Float32,
    Format,
    Int8,
    Matrix,
    activation_limit,
    quantized,
)

SHAPES = [(960, 576), (576, 576), (3072, 576), (576, 1536), (49152, 576), (40, 24)]
"""Of the default model's matrices, and of a tiny one's."""

needs_int8 = pytest.mark.skipif(activation_limit() is None, reason="no int8 here")


@pytest.fixture(autouse=True)
def without_gradients() -> object:
    with torch.inference_mode():
        yield


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def made(number_format: Format, weight: torch.Tensor, bias: torch.Tensor | None = None) -> Matrix:
    if number_format == "int8":
        return Int8(*quantized(weight), bias)
    return (Float32 if number_format == "float32" else BFloat16)(weight, bias)


def formats() -> list[Format]:
    return [each for each in FORMATS if each != "int8" or activation_limit()]


@needs_int8
@pytest.mark.parametrize(("outputs", "inputs"), SHAPES)
def test_int8_sums_are_exact(outputs: int, inputs: int) -> None:
    limit = activation_limit() or INT8
    generator = torch.Generator().manual_seed(inputs)
    weight = torch.randint(-INT8, INT8 + 1, (outputs, inputs), generator=generator)
    rows = torch.randint(-limit, limit + 1, (32, inputs), generator=generator)
    rows[:, 0] = limit  # So that a row's scale is 1.
    weight[::3] = INT8
    weight[1::3] = -INT8
    rows[::2] = limit
    found = Int8(weight.to(torch.int8), torch.ones(outputs), None)(rows.float())
    assert torch.equal(found, (rows.double() @ weight.double().T).float())


@needs_int8
def test_int8_is_near_what_it_stands_for() -> None:
    weight, rows, bias = drawn(128, 64), drawn(16, 64), drawn(128)
    exact = F.linear(rows, weight, bias)
    off = Int8(*quantized(weight), bias)(rows) - exact
    assert off.square().mean().sqrt() < 0.02 * exact.square().mean().sqrt()


@needs_int8
def test_rows_of_zeros_and_of_large_numbers_stay_right() -> None:
    weight, bias = drawn(48, 32), drawn(48)
    rows = torch.stack((torch.zeros(32), drawn(32) * 1e10, drawn(32) * 1e-30)).repeat(6, 1)[:16]
    found = Int8(*quantized(weight), bias)(rows)
    assert torch.equal(found[0], bias)
    assert found.isfinite().all()
    assert F.cosine_similarity(found[1], rows[1] @ weight.T, dim=0) > 0.999


@pytest.mark.parametrize("number_format", FORMATS[:2])
def test_the_other_formats_are_near_the_weight_too(number_format: Format) -> None:
    weight, rows, bias = drawn(128, 64), drawn(16, 64), drawn(128)
    tolerance = {"float32": 1e-5, "bfloat16": 0.1}[number_format]
    found = made(number_format, weight, bias)(rows)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, F.linear(rows, weight, bias), atol=tolerance, rtol=0)


@pytest.mark.parametrize("number_format", formats())
@pytest.mark.parametrize(("outputs", "inputs"), SHAPES)
def test_a_row_depends_on_no_other_and_not_on_their_number(
    outputs: int, inputs: int, number_format: Format
) -> None:
    matrix = made(number_format, drawn(outputs, inputs), drawn(outputs))
    rows = drawn(4 * BLOCK, inputs)
    expected = matrix(rows)
    for count in (BLOCK, 2 * BLOCK, 3 * BLOCK):
        assert torch.equal(matrix(rows[:count]), expected[:count])
    others = torch.cat((rows[:5], rows[5:].flip(0) * 50))
    assert torch.equal(matrix(others)[:5], expected[:5])
    assert torch.equal(matrix(rows.flip(0)), expected.flip(0))


def test_quantized_is_off_by_half_a_step_at_most() -> None:
    weight = drawn(64, 96) * torch.logspace(-4, 4, 64)[:, None]
    weight[3] = 0
    whole, scale = quantized(weight)
    assert whole.dtype == torch.int8
    assert whole.abs().amax(dim=1).tolist() == [INT8] * 3 + [0] + [INT8] * 60
    off = (weight - whole.float() * scale[:, None]).abs()
    assert (off <= scale[:, None] * 0.5001).all()


NARROW = """
import torch
from copygen.generation.matrices import INT8, Int8, activation_limit
limit = activation_limit()
exact = True
if limit:
    weight = torch.full((64, 576), -INT8, dtype=torch.int8)
    weight[::2] = INT8
    rows = torch.full((16, 576), float(limit))
    rows[::3] *= -1
    with torch.inference_mode():
        exact = torch.equal(Int8(weight, torch.ones(64), None)(rows), rows @ weight.float().T)
print(limit, exact)
"""


def test_a_processor_without_vnni_takes_smaller_numbers_and_is_exact_too() -> None:
    environment = os.environ | {"ONEDNN_MAX_CPU_ISA": "AVX2"}
    ran = subprocess.run(
        [sys.executable, "-c", NARROW], env=environment, capture_output=True, text=True, check=True
    )
    assert ran.stdout.split() in ([str(INT8_NARROW), "True"], ["None", "True"])

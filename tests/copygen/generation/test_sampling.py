"""Drawing tokens: the largest logits are found without sorting the vocabulary."""

import pytest
import torch

from copygen.generation.generator import Sampling
from copygen.generation.sampling import CHUNK, sample


@pytest.mark.parametrize("vocabulary", [CHUNK * 24, CHUNK * 400, CHUNK * 400 + 1])
def test_the_token_is_that_of_the_sorted_distribution(vocabulary: int) -> None:
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn((7, vocabulary), generator=generator)
    logits[0, CHUNK : 2 * CHUNK] += 9.0  # All of its largest in one chunk.
    drawn = torch.rand(7, generator=generator, dtype=torch.float64)
    tokens, logprobs = sample(logits, drawn, Sampling(temperature=0.7, top_k=12))
    expected = logits.log_softmax(-1)
    for row in range(7):
        order = logits[row].argsort(descending=True)[:12]
        weights = (logits[row, order].double() / 0.7).softmax(-1).cumsum(-1)
        assert tokens[row] == order[int((weights <= drawn[row]).sum())]
        assert logprobs[row] == pytest.approx(expected[row, tokens[row]].item(), abs=1e-5)


def test_logits_may_be_a_view() -> None:
    logits = torch.randn((4, 3, CHUNK * 400), generator=torch.Generator().manual_seed(4))
    drawn = torch.full((4,), 0.4, dtype=torch.float64)
    sampling = Sampling(top_k=10)
    assert torch.equal(
        sample(logits[:, -1], drawn, sampling)[0],
        sample(logits[:, -1].contiguous(), drawn, sampling)[0],
    )

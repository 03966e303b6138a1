"""A generator that writes what it was told to: for tests, in place of a model."""

from collections.abc import Sequence

from copygen.generation.generator import Candidate, Identity, Sampling


class ScriptedGenerator:
    """Gives `texts` in turn, by seed, and keeps the prompts it was given in `prompts`.

    An exception among the texts is raised in place of the candidates.
    """

    def __init__(self, texts: Sequence[str | Exception], prompt: str = "brief") -> None:
        if not texts:
            raise ValueError("a scripted generator needs at least one text")
        self._texts = list(texts)
        self._prompt = prompt
        self.prompts: list[str] = []

    @property
    def identity(self) -> Identity:
        """A scripted generator has no weights."""
        return Identity("scripted", "", "", "", "", "cpu", "none", 0, "", self._prompt)

    def write(self, prompt: str, seeds: Sequence[int], sampling: Sampling) -> list[Candidate]:
        """One text for each seed: the one at `seed` modulo their number."""
        self.prompts.append(prompt)
        candidates = []
        for seed in seeds:
            text = self._texts[seed % len(self._texts)]
            if isinstance(text, Exception):
                raise text
            tokens = len(text.split())
            candidates.append(Candidate(seed, text, tokens, -1.0, tokens <= sampling.max_tokens))
        return candidates

    def likelihood(self, prompt: str, texts: Sequence[str]) -> list[float]:  # noqa: ARG002
        """The same for every text."""
        return [-1.0 for _ in texts]

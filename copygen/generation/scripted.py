"""A generator that writes what it was told to: for tests, in place of a model."""

from collections import deque
from collections.abc import Iterator, Sequence

from copygen.generation.generator import Candidate, Identity, Request, Sampling


class ScriptedGenerator:
    """Gives `texts` in turn, by seed, and keeps each request's prompt in `prompts`.

    An exception among the texts is raised in place of the candidate.
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

    def write(
        self, requests: deque[Request], sampling: Sampling
    ) -> Iterator[tuple[Request, Candidate]]:
        """One text for each request: the one at its seed modulo their number."""
        while requests:
            request = requests.popleft()
            self.prompts.append(request.prompt)
            text = self._texts[request.seed % len(self._texts)]
            if isinstance(text, Exception):
                raise text
            tokens = len(text.split())
            complete = tokens <= sampling.max_tokens and not request.hopeless(text)
            yield request, Candidate(request.seed, text, tokens, -1.0, complete)

    def likelihood(self, prompt: str, texts: Sequence[str]) -> list[float]:  # noqa: ARG002
        """The same for every text."""
        return [-1.0 for _ in texts]

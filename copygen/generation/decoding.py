"""Decoding many rows at once: rows of all segments side by side, each leaving as it is finished and
another taking its place, behind one beginning that is read once."""

import itertools
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import torch

from copygen.generation.generator import Candidate, Request, Sampling
from copygen.generation.llama import BLOCK, Beginning, Llama
from copygen.generation.sampling import draws, logprobs, sample

ROWS = 128
"""Rows decoded together. More gain little on a CPU: the matrices are near their limit, and the last
rows of a batch leave more places empty."""

HOPELESS_EVERY = 4
"""Tokens between two looks at whether something can still come of a row."""

KEPT = 64
"""Prompts whose keys and values are kept: the segments that are being written, and their brands."""

Tokens = tuple[int, ...]


@dataclass(slots=True)
class Row:
    """One candidate as it grows."""

    request: Request
    drawn: torch.Tensor
    length: int
    """Tokens of its own that are read: its part of the prompt, and what was written but the last."""

    tokens: list[int] = field(default_factory=list)
    logprob: float = 0.0
    ended: bool = False
    cut: bool = False


class Decoder:
    """Decodes requests by a model whose prompts come in two parts, both as token ids.

    All the work for a row depends on its prompt, its seed and the sampling alone: its beginning is
    read by itself, and rows stand in whole blocks (see `BLOCK`).
    """

    def __init__(
        self,
        model: Llama,
        encode: Callable[[str, int], tuple[Tokens, Tokens]],
        decode: Callable[[Sequence[int]], str],
        stop: frozenset[int],
    ) -> None:
        """`encode` splits a prompt at its count of shared characters; `stop` ends a row."""
        self._model = model
        self._encode = encode
        self._decode = decode
        self._stop = stop
        self._lock = threading.Lock()
        self._read: OrderedDict[tuple[Tokens, Tokens], Beginning] = OrderedDict()

    def write(
        self, requests: deque[Request], sampling: Sampling
    ) -> Iterator[tuple[Request, Candidate]]:
        """A candidate for each request, as they are finished. More may be added meanwhile."""
        batch = _Batch(self._model)
        while requests or batch.rows:
            with self._lock, torch.inference_mode():
                self._fill(batch, requests, sampling)
                finished = batch.leave()
                if not finished:
                    self._draw(batch.rows, batch.step(), sampling)
                    finished = batch.leave()
            for row in finished:
                yield row.request, self._candidate(row)

    def likelihood(self, prompt: str, texts: Sequence[Tokens]) -> list[float]:
        """Mean natural log-probability of each text's tokens, none empty, after `prompt`."""
        with self._lock, torch.inference_mode():
            beginning = self._beginning((), sum(self._encode(prompt, 0), ()))
            # Texts of about one length together: little is padded.
            by_length = sorted(range(len(texts)), key=lambda index: len(texts[index]))
            scores: dict[int, float] = {}
            for start in range(0, len(texts), ROWS):
                some = by_length[start : start + ROWS]
                longest = len(texts[some[-1]])
                # Padding stands on the right, where no token that counts can see it.
                ids = torch.tensor(
                    [[*texts[index], *[0] * (longest - len(texts[index]))] for index in some],
                    device=self._model.device,
                )
                scored = self._scored(beginning, ids)
                for index, row in zip(some, scored, strict=True):
                    scores[index] = row[: len(texts[index])].mean().item()
        return [scores[index] for index in range(len(texts))]

    def _scored(self, beginning: Beginning, ids: torch.Tensor) -> torch.Tensor:
        """Log-probabilities of ids of shape (rows, length) after the beginning."""
        first = logprobs(beginning.logits.expand(len(ids), -1)[:, None], ids[:, :1])
        if ids.shape[1] == 1:
            return first
        hidden, _ = self._model.read(ids[:, :-1], beginning)
        # A row at a time: the logits of all would be the largest thing in memory.
        rest = [
            logprobs(self._model.logits(row)[None], tokens[None, 1:])
            for row, tokens in zip(hidden, ids, strict=True)
        ]
        return torch.cat((first, torch.cat(rest)), dim=1)

    def _beginning(self, before: Tokens, own: Tokens) -> Beginning:
        """The keys and values of `own` after `before`, read once."""
        found = self._read.get((before, own))
        if found is None:
            if own:
                ids = torch.tensor([own], device=self._model.device)
                found = self._model.begin(ids, self._beginning((), before))
            else:
                found = self._model.nothing()
            self._read[before, own] = found
            while len(self._read) > KEPT:
                self._read.popitem(last=False)
        self._read.move_to_end((before, own))
        return found

    def _fill(self, batch: "_Batch", requests: deque[Request], sampling: Sampling) -> None:
        """Let as many requests join as there is room for, and draw each one's first token."""
        joining: list[tuple[Row, Beginning]] = []
        while requests and len(batch.rows) + len(joining) < batch.limit:
            shared, own = self._encode(requests[0].prompt, requests[0].shared)
            beginning = self._beginning((), shared)
            if batch.beginning is not beginning:
                if batch.rows or joining:
                    break  # Another brief: it waits until the rows of this one are finished.
                batch.begin(beginning)
            request = requests.popleft()
            row = Row(request, draws(request.seed, sampling.max_tokens), len(own))
            joining.append((row, self._beginning(shared, own)))
        if joining:
            batch.join(joining)
            logits = torch.cat([beginning.logits for _, beginning in joining])
            self._draw([row for row, _ in joining], logits, sampling)

    def _draw(self, rows: Sequence[Row], logits: torch.Tensor, sampling: Sampling) -> None:
        drawn = torch.stack([row.drawn[len(row.tokens)] for row in rows]).to(logits.device)
        tokens, scores = sample(logits, drawn, sampling)
        for row, token, score in zip(rows, tokens.tolist(), scores.tolist(), strict=True):
            row.logprob += score
            row.ended = token in self._stop
            if row.ended:
                continue
            row.tokens.append(token)
            count = len(row.tokens)
            row.cut = count == sampling.max_tokens or (
                count % HOPELESS_EVERY == 0 and row.request.hopeless(self._decode(row.tokens))
            )

    def _candidate(self, row: Row) -> Candidate:
        drawn = len(row.tokens) + row.ended
        text = self._decode(row.tokens)
        return Candidate(row.request.seed, text, drawn, row.logprob / drawn, row.ended)


class _Batch:
    """The rows that are being decoded, and their own keys and values."""

    def __init__(self, model: Llama) -> None:
        self.rows: list[Row] = []
        self._model = model
        self._left = False
        self._own = model.hold(ROWS, 0)
        self.begin(model.nothing())

    def begin(self, beginning: Beginning) -> None:
        """Let rows to come stand behind `beginning`."""
        self.beginning = beginning
        self._shared = self._model.hold(1, beginning.length)
        self._shared.put(slice(1), beginning.states)

    @property
    def limit(self) -> int:
        """Rows there may be: few until one is finished. They are fast, so the first candidate of all
        comes early."""
        return ROWS if self._left else BLOCK

    def join(self, joining: Sequence[tuple[Row, Beginning]]) -> None:
        """Add rows, with their own part of the prompt as it was read."""
        self._widen(max(beginning.length for _, beginning in joining))
        for _, group in itertools.groupby(joining, lambda each: id(each[1])):
            rows, beginnings = zip(*group, strict=True)
            first = len(self.rows)
            self.rows += rows
            self._own.put(slice(first, len(self.rows)), beginnings[0].states)

    def _widen(self, needed: int) -> None:
        """Make room for so many places in each row. No more than that: all are multiplied."""
        if needed <= self._own.places:
            return
        wider = self._model.hold(ROWS, _rounded(needed))
        for place, row in enumerate(self.rows):
            wider.copy(self._own, place, place, row.length)
        self._own = wider

    def leave(self) -> list[Row]:
        """Take out the rows that are finished; the last ones move into their places."""
        finished = [row for row in self.rows if row.ended or row.cut]
        place = 0
        while place < len(self.rows):
            if not (self.rows[place].ended or self.rows[place].cut):
                place += 1
                continue
            last = self.rows.pop()
            if place < len(self.rows):
                self.rows[place] = last
                self._own.copy(self._own, len(self.rows), place, last.length)
        self._left = self._left or bool(finished)
        return finished

    def step(self) -> torch.Tensor:
        """Logits after each row's newest token, of shape (rows, vocabulary)."""
        count = len(self.rows)
        tokens = torch.zeros(_rounded(count), dtype=torch.long)
        lengths = torch.zeros(_rounded(count), dtype=torch.long)
        for place, row in enumerate(self.rows):
            tokens[place], lengths[place] = row.tokens[-1], row.length
        self._widen(int(lengths.max()) + 1)
        device = self._model.device
        logits = self._model.step(tokens.to(device), lengths.to(device), self._shared, self._own)
        for row in self.rows:
            row.length += 1
        return logits[:count]


def _rounded(count: int) -> int:
    """`count` up to a whole block."""
    return -(-count // BLOCK) * BLOCK

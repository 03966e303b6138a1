"""Running an engine in a process of its own, and what came of it."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

from copygen.bench import job
from copygen.bench.work import Unsupported, Work
from copygen.errors import CopygenError

COMMAND = (sys.executable, "-m", "copygen.bench")
LAST_WORDS = 3
"""Lines of an engine's own messages that are told of a crash."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one run came to.

    `seconds` go from the first request to the last candidate; `first_s` from the start of the
    process to the first candidate; `tokens` has each candidate's end token too.
    """

    candidates: int
    tokens: int
    seconds: float
    first_s: float
    peak_rss_mib: float
    number_format: str

    @property
    def candidates_per_s(self) -> float:
        """Candidates a second."""
        return self.candidates / self.seconds

    @property
    def tokens_per_s(self) -> float:
        """Tokens a second."""
        return self.tokens / self.seconds

    def record(self) -> dict[str, Any]:
        """Its figures, rounded."""
        return {
            "candidates_per_s": round(self.candidates_per_s, 3),
            "tokens_per_s": round(self.tokens_per_s, 1),
            "first_s": round(self.first_s, 2),
            "peak_rss_mib": self.peak_rss_mib,
        }


def run(work: Work, progress: Callable[[int], None]) -> Run:
    """Do the work in a new process; `progress` is told how many candidates are finished.

    Raises:
        Unsupported: the engine can't compute in that number format here.
        CopygenError: the engine failed, crashed or wrote another number of candidates than asked.
    """
    first: float | None = None
    last: dict[str, Any] = {}
    with (
        tempfile.TemporaryFile("w+") as told,
        tempfile.TemporaryFile("w+", errors="replace") as noise,
    ):
        told.write(work.to_json())
        told.seek(0)
        began = time.perf_counter()
        with subprocess.Popen(  # noqa: S603
            COMMAND, stdin=told, stdout=subprocess.PIPE, stderr=noise, text=True
        ) as process:
            try:
                for line in process.stdout or ():
                    with suppress(ValueError):  # Cut off in the middle of a line.
                        last = json.loads(line)
                    if "candidates" in last:
                        first = first or time.perf_counter() - began
                        progress(last["candidates"])
            except BaseException:
                process.kill()
                raise
        if "unsupported" in last:
            raise Unsupported(last["unsupported"])
        if "error" in last:
            raise CopygenError(f"{work.engine}: {last['error']}")
        if "result" not in last:
            raise CopygenError(
                f"The engine {work.engine} {_ended(process.returncode)}. {_last_words(noise)}"
            )
    result = last["result"]
    wanted = job.candidates(work.parts)
    if result["candidates"] != wanted or first is None:
        raise CopygenError(
            f"The engine {work.engine} wrote {result['candidates']} candidates and not {wanted}."
        )
    return Run(first_s=first, **result)


def _ended(status: int) -> str:
    return f"was ended by signal {-status}" if status < 0 else f"ended with exit status {status}"


def _last_words(noise: IO[str]) -> str:
    noise.seek(0)
    lines = [line.strip() for line in noise if line.strip()]
    return "Its last words: " + " / ".join(lines[-LAST_WORDS:]) if lines else "It said nothing."

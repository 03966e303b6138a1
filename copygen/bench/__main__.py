"""One measured process: work as JSON on standard input, messages as JSON Lines on standard output.

`{"candidates": n}` comes as each is finished, then `{"result": {…}}`; or `{"unsupported": why}` or
`{"error": message}` in their place.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from copygen.bench.work import Engine, Unsupported, Work
from copygen.errors import CopygenError

MIB = 1 << 20


def main() -> None:
    """Do the work; exit status 1 where there is no result."""
    # Libraries print what they like: from here on that goes to standard error.
    with os.fdopen(os.dup(1), "w") as messages:
        os.dup2(2, 1)

        def tell(message: dict[str, Any]) -> None:
            print(json.dumps(message), file=messages, flush=True)

        try:
            work = Work.from_json(sys.stdin.read())
            tell({"result": _measured(work, tell)})
        except Unsupported as unsupported:
            tell({"unsupported": str(unsupported)})
        except CopygenError as error:
            tell({"error": str(error)})
            sys.exit(1)


def _measured(work: Work, tell: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    engine = _loaded(work)
    candidates = tokens = 0
    began = time.perf_counter()
    for count in engine.write(work.parts, work.sampling):
        candidates += 1
        tokens += count
        tell({"candidates": candidates})
    return {
        "number_format": engine.number_format,
        "candidates": candidates,
        "tokens": tokens,
        "seconds": time.perf_counter() - began,
        "peak_rss_mib": round(_peak_rss() / MIB, 1),
    }


def _loaded(work: Work) -> Engine:
    # Imported here, each in a process of its own: none pays for another's imports and memory.
    if work.engine == "copygen":
        from copygen.bench.engines.ours import Ours

        return Ours(work)
    if work.engine.startswith("transformers."):
        from copygen.bench.engines.reference import Reference

        return Reference(work)
    if work.engine == "openvino-genai":
        from copygen.bench.engines.openvino import OpenVino

        return OpenVino(work)
    from copygen.bench.engines.llamacpp import LlamaCpp

    return LlamaCpp(work)


def _peak_rss() -> int:
    """The most memory that this process had resident, in bytes."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):  # Unlike rusage's, not that of whoever started it.
                return int(line.split()[1]) << 10
    except OSError:
        pass
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak << 10


if __name__ == "__main__":
    main()

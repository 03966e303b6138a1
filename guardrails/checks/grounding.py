"""Placeholder: to be overwritten by its owner right away."""

from guardrails.types import Result


class Grounding:
    name = "grounding"

    def __init__(self, *_, **__):
        pass

    def run(self, items):
        return [Result() for _ in items]

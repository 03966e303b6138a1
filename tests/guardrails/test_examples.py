"""Each check's own examples: one test runs them all, and fails where they are missing."""

import importlib

import pytest

from guardrails.checks import CHECKS
from guardrails.embeddings import Embedder


@pytest.fixture(scope="session")
def embedder() -> Embedder:
    return Embedder()


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_a_check_passes_and_fails_its_own_examples(name: str, embedder: Embedder) -> None:
    module = importlib.import_module(f"guardrails.checks.{name}")
    assert module.EXAMPLES_PASS
    assert module.EXAMPLES_FAIL
    check = CHECKS[name]({}, embedder)
    assert check.name == name
    for item, result in zip(module.EXAMPLES_PASS, check.run(module.EXAMPLES_PASS), strict=True):
        assert result.findings == [], item
        assert result.applicable, item
    items = [item for item, _ in module.EXAMPLES_FAIL]
    for (item, rule), result in zip(module.EXAMPLES_FAIL, check.run(items), strict=True):
        assert rule in {finding.rule for finding in result.findings}, item
        for finding in result.findings:
            text = dict(item.fields())[finding.field]
            assert 0 <= finding.start <= finding.end <= len(text)
            assert finding.check == name
            assert finding.message
            assert finding.rule in check.rules


@pytest.mark.parametrize("name", sorted(set(CHECKS) - {"legal"}))
def test_each_rule_of_a_check_has_a_failing_example(name: str, embedder: Embedder) -> None:
    module = importlib.import_module(f"guardrails.checks.{name}")
    assert {rule for _, rule in module.EXAMPLES_FAIL} == set(CHECKS[name]({}, embedder).rules)

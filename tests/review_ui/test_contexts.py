"""Every page is given exactly what its templates use."""

from dataclasses import fields
from typing import get_args

import pytest
from jinja2 import meta

from review_ui.pages import Page, _checks
from review_ui.view import View

OF_THE_FRAME = {"fragment", "static", "self"}
SET_IN_TEMPLATES = {"section", "parts", "variant", "brief"}


def names_used(template: str) -> set[str]:
    environment = View().environment
    used: set[str] = set()
    pending, seen = [template], set()
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        assert environment.loader is not None
        source, *_ = environment.loader.get_source(environment, name)
        tree = environment.parse(source)
        used |= meta.find_undeclared_variables(tree)
        pending += [each for each in meta.find_referenced_templates(tree) if each]
    return used - OF_THE_FRAME - SET_IN_TEMPLATES


@pytest.mark.parametrize("page", get_args(Page), ids=lambda page: page.__name__)
def test_a_page_is_given_exactly_what_it_uses(page: type[Page]) -> None:
    assert names_used(page.template) == {each.name for each in fields(page)}


def test_scores_in_words_read_as_words() -> None:
    report = {
        "outcomes": {"legal": "passed"},
        "scores": {"legal": {"packs": ["general", "general-uk"], "sector_known": True}},
    }
    (line,) = _checks(report)
    assert line.scores == [("packs", "general, general-uk"), ("sector_known", "yes")]

"""Text stands out from its ground by 4.5:1 in both themes (WCAG 2.2, 1.4.3)."""

import re
from itertools import product

import pytest

from review_ui.view import FOLDER

STYLE = (FOLDER / "static" / "style.css").read_text()
TEXT = ["ink", "soft", "accent"]
GROUND = ["paper", "raised", "wash"]


def colours(theme: str) -> dict[str, str]:
    light, dark = STYLE.split("prefers-color-scheme: dark", 1)
    block = dark.split("}\n}", 1)[0] if theme == "dark" else light
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block))


def luminance(colour: str) -> float:
    channels = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted([luminance(one), luminance(other)], reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_stands_out(theme: str) -> None:
    colour = colours(theme)
    pairs = [*product(TEXT, GROUND), ("ink", "wash-deep"), ("paper", "ink"), ("paper", "accent")]
    low = {pair: contrast(colour[pair[0]], colour[pair[1]]) for pair in pairs}
    assert {pair: ratio for pair, ratio in low.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_edges_of_fields_stand_out(theme: str) -> None:
    colour = colours(theme)
    assert contrast(colour["edge"], colour["paper"]) >= 3
    assert contrast(colour["edge"], colour["raised"]) >= 3


def test_nothing_is_loaded_from_elsewhere() -> None:
    assert "url(" not in STYLE
    assert "@import" not in STYLE

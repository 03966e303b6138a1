"""A shop for each test."""

from tests.review_ui.fixtures import shop, stocked

__all__ = ["shop", "stocked"]

"""Labelled data, and what fits the heads to them."""

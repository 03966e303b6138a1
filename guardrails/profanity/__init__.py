"""Swear words, written out or disguised."""

"""Measuring how fast candidates come: here, and from other engines in the same run."""

"""copygen: e-mail subject lines and preview texts, written, checked, reviewed and served."""

__version__ = "0.1.0"

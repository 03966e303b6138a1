"""What the product does, one module a noun. Services never commit: who opened the session does."""

"""Writing candidates: the Generator protocol, and what implements it."""

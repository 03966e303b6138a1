"""How fast generation is here: ours beside other engines, in one run."""

"""The engines that are measured, each imported only in its own process."""

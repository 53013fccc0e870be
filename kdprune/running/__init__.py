"""A study's instances side by side: a scheduler that only decides, and engines that run."""

"""From one swimmer to the population, and its figures."""

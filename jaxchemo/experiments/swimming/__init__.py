"""From one swimming cell to the population, and its figures."""

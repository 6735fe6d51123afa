"""A first inference from noisy pictures, and its figure."""

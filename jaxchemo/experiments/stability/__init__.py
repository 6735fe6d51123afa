"""Where patterns form at all, and the map of it."""

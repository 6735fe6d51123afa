"""Methods by particles: coupled to a field on a grid, or to one another."""

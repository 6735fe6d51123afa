"""Neural interpolators: networks between a coarse field and particles, and what they are trained on."""

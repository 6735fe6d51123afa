"""Methods for swimming cells: one by one, and their kinetic and Fokker-Planck limits."""

"""Methods for swimmers: one by one, and their kinetic and Fokker-Planck limits."""

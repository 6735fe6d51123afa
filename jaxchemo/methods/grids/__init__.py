"""Methods on grids: finite volumes and Fourier modes, and how they step in time."""

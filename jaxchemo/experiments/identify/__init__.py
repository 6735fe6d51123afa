"""What each kind of observation of a moving population tells of its parameters, and the figures."""

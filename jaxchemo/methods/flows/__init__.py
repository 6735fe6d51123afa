"""Methods that follow a solution by a normalizing flow, interval by interval."""

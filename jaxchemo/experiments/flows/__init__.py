"""Collapse and attraction in the whole space, followed by flows, and their figures."""

"""Bands of bacteria that follow what they eat, and their figures."""

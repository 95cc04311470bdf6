"""Noise in both images: five ways to treat that of the reference."""

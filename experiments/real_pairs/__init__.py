"""Pairs as they come: a known blur with something else the matter, and no Gaussian blur."""

"""Pairs as they come: a known blur beside another defect, and no Gaussian blur."""

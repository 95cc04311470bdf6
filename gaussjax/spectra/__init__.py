"""Periodic images by their cross-spectra: closed form, Gauss-Newton, start.

May import ``statistics`` and every folder below it.
"""

"""Periodic images by their cross-spectra: closed form, Gauss-Newton, start; spectra of noise.

May import ``statistics`` and every folder below it.
"""

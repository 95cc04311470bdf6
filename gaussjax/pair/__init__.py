"""One pair in the pixel domain: frame, objective, iteration, front door.

May import ``spectra`` and every folder below it.
"""

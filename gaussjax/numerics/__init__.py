"""Arithmetic that knows no image. Imports no other folder of the package."""

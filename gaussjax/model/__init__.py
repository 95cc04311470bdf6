"""How a Gaussian blurs a pixel grid: Fourier convention, kernels, parameters, boundary.

May import ``numerics``.
"""

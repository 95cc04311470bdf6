"""What a fit may claim: covariance, noise, goodness of fit, verdict, status, result.

May import ``model`` and ``numerics``.
"""

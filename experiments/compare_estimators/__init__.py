"""Which estimator: all of them on photographs, with a known blur and with none that is Gaussian."""

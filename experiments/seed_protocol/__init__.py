"""The fifty random images of the first answer on Stack Exchange, for every estimator."""

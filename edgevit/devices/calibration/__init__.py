"""Calibration of this host: small networks made in every format, timed, and coefficients fitted to their times."""

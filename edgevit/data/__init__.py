"""Images: sources, sampling, preprocessing, and checks of calibration sets."""

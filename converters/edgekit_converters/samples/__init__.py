"""Calibration samples: from files, and from Python."""

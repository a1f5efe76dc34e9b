"""Checks the whole way from Python to the last sink, and tells what is wrong, why, and what mends it."""

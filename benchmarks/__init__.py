"""Measurements: each module or package in here is a command."""

"""Keeps a model running: what hangs is noticed, what fails is opened again, and then the next device takes over."""

"""What runs a model best, found by what is attached and by a short trial: the device, and how many threads."""

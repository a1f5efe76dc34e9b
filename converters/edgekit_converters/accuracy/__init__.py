"""What quantization costs, and how it is kept small: ranges, corrections, and where the error comes from."""

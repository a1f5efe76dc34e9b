"""Hardware: accelerators, and what models can be converted for."""

"""From the function to a TFLite file: in float, rewritten where int8 needs it, and in integers."""

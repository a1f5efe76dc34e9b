"""From a model to one function at batch 1, with names, shapes and the layer of each operation."""

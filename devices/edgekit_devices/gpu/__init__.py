"""GPUs through LiteRT's accelerator (WebGPU over Vulkan): whether one is there, and how a model is run on it."""

"""Which operations of a model LiteRT's GPU accelerator takes: its own answer on a Vulkan adapter of this machine."""

from edgekit_devices.gpu.placement.analysis import analyse

__all__ = ["analyse"]

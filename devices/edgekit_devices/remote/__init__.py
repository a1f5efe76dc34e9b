"""A model in a process of its own: native code that hangs is killed there, and takes nobody along where it crashes.

Tensors lie in memory that both processes share. What it costs, and what a thread would: docs/devices.md.
"""

"""Cameras as sources: V4L2 (USB), and those of a Raspberry Pi's or a Jetson's own connector (CSI)."""

"""Any TensorFlow Lite delegate by the path of its library: `--device delegate:/path/lib.so`."""

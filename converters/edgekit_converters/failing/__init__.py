"""What TensorFlow's failures mean to the user, and which layer is at fault."""

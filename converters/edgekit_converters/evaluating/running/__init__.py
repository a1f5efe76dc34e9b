"""Running models over datasets: here, in worker processes, or in a child process that has TensorFlow."""

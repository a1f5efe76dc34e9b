"""The Coral Edge TPU: what it computes, what is compiled for it, and how it is opened."""

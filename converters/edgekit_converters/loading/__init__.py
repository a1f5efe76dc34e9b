"""What comes in: Keras files of any age, SavedModels, models in memory, and the user's own classes."""

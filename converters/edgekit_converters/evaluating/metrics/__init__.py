"""Metrics by task: the values are scikit-learn's, the intervals are computed here."""

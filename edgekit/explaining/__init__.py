"""Which part of a picture, of a sensor window or of a row of features decided what a model says of it."""

from edgekit.explaining.explainer import METHODS, explain
from edgekit.explaining.types import Explanation, Faithfulness, Importance, Region

__all__ = ["METHODS", "Explanation", "Faithfulness", "Importance", "Region", "explain"]

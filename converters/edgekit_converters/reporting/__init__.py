"""A report on a model for engineers, managers and auditors: an HTML page, the same as JSON, and a model card.

::

    from edgekit_converters.reporting import ReportFacts, measure_latency, write_report

    write_report("report/", ReportFacts(model=made.path, conversion=made, latency=measure_latency(made.path)))

Nothing here loads TensorFlow.
"""

from edgekit_converters.reporting.errors import OutputErrors, output_errors
from edgekit_converters.reporting.facts import ReportFacts
from edgekit_converters.reporting.latency import MeasuredLatency, measure_latency
from edgekit_converters.reporting.model_card import read_card
from edgekit_converters.reporting.writing import CARD, DATA, PAGE, check_report, write_report

__all__ = [
    "CARD", "DATA", "PAGE", "MeasuredLatency", "OutputErrors", "ReportFacts", "check_report", "measure_latency",
    "output_errors", "read_card", "write_report",
]

"""A page to look at a running pipeline, with metrics and health, over plain HTTP.

::

    with edgekit.Pipeline("person.tflite", "camera:0") as pipeline, Page("8080", pipeline.stats) as page:
        pipeline.when_result = page.write
        ...

Nothing here can change anything: there is only reading. It listens on this machine alone unless another address is
asked for, which needs a token.
"""

from __future__ import annotations

from edgekit.serving.metrics import prometheus
from edgekit.serving.page import Page

__all__ = ["Page", "prometheus"]

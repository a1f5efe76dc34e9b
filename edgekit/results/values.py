"""Numbers as the network gives them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.results.base import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Values(Result):
    """The output tensors as real numbers (float32), by output name, without the batch dimension."""

    values: dict[str, NDArray[np.float32]]

    def payload(self) -> dict[str, Any]:
        """`values`: nested lists; of the one output where there is one, else by output name.

        JSON has no word for NaN and infinity: they are None.
        """
        lists = {name: _nested_list(array) for name, array in self.values.items()}
        return {"values": next(iter(lists.values())) if len(lists) == 1 else lists}


def _nested_list(array: NDArray[np.float32]) -> Any:
    finite = np.isfinite(array)
    if finite.all():
        return array.tolist()
    numbers = array.astype(object)
    numbers[~finite] = None
    return numbers.tolist()

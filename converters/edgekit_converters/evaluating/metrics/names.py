"""The metrics that there are, by task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from edgekit.choices import one_of
from edgekit.errors import UsageError
from edgekit_converters.evaluating.dataset import Task
from edgekit_converters.evaluating.results import Unit


@dataclass(frozen=True, slots=True)
class About:
    """What is to be known of a metric: its name for people, unit, and whether more is better."""

    title: str
    unit: Unit = "share"
    higher_is_better: bool = True


METRICS: Mapping[str, About] = MappingProxyType({
    "accuracy": About("accuracy"),
    "top_5": About("top-5 accuracy"),
    "precision": About("precision"),
    "recall": About("recall"),
    "f1": About("F1"),
    "roc_auc": About("ROC AUC", ""),
    "average_precision": About("average precision", ""),
    "rmse": About("RMSE", "", False),
    "mae": About("MAE", "", False),
    "r2": About("R²", ""),
    "map": About("mAP 50-95", ""),
    "map_50": About("mAP 50", ""),
    "agreement": About("same class"),
    "sqnr": About("SQNR", "dB"),
})
_CLASSES = ("accuracy", "top_5", "precision", "recall", "f1", "roc_auc", "average_precision")
_COMPARING = ("agreement", "sqnr")
OF_TASK: Mapping[Task, tuple[str, ...]] = MappingProxyType({
    "classification": (*_CLASSES, *_COMPARING),
    "regression": ("rmse", "mae", "r2", "sqnr"),
    "anomaly": ("roc_auc", "average_precision"),
    "detection": ("map", "map_50"),
    "agreement": _COMPARING,
})
"""Names by task; the first one that was asked for is the main one."""


def check_metrics(names: Sequence[str], task: Task) -> tuple[str, ...]:
    """The metrics to compute: those that are named, else all of the task.

    Raises:
        UsageError: there is no such metric, or it does not fit the task.
    """
    for name in names:
        one_of("metric", name, tuple(METRICS))
        if name not in OF_TASK[task]:
            raise UsageError(
                f"metric {name} does not fit the data, whose task is {task}",
                hint=f"Choose of {', '.join(OF_TASK[task])}.",
            )
    return tuple(dict.fromkeys(names)) or OF_TASK[task]

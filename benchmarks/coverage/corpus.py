"""The groups of the corpus by name."""

from __future__ import annotations

from benchmarks.coverage.cases import Case


def cases_of(group: str) -> tuple[Case, ...]:
    """The cases of a group, in the order of its table. Loads TensorFlow."""
    if group == "layers":
        from benchmarks.coverage import layers

        return layers.cases()
    if group == "applications":
        from benchmarks.coverage import applications

        return applications.cases()
    from benchmarks.coverage import families

    return families.cases()

"""What instances say in their metrics: read as Prometheus reads them, so that words and alerts come from the same figures."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import httpx
from prometheus_client.parser import text_string_to_metric_families

from driftloop.service.health import METRICS_PATH


class Sample(NamedTuple):
    labels: Mapping[str, str]
    value: float


class Samples:
    """Of one instance, or of several together, at a moment."""

    def __init__(self, by_name: Mapping[str, Iterable[Sample]]) -> None:
        self._by_name = {name: tuple(found) for name, found in by_name.items()}

    def of(self, name: str) -> tuple[Sample, ...]:
        return self._by_name.get(name, ())

    def total(self, name: str) -> float:
        return sum(sample.value for sample in self.of(name))

    def by(self, name: str, label: str) -> dict[str, float]:
        """Added up by one label, where that is more than nothing."""
        found: dict[str, float] = {}
        for sample in self.of(name):
            found[sample.labels[label]] = found.get(sample.labels[label], 0.0) + sample.value
        return {value: count for value, count in sorted(found.items()) if count}


def together(several: Iterable[Samples]) -> Samples:
    found: dict[str, list[Sample]] = {}
    for samples in several:
        for name in samples._by_name:
            found.setdefault(name, []).extend(samples.of(name))
    return Samples(found)


def read_samples(text: str) -> Samples:
    """Raises ValueError for what is no exposition of metrics."""
    found: dict[str, list[Sample]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(Sample(sample.labels, sample.value))
    return Samples(found)


def ask_for_samples(url: str, *, timeout_seconds: float) -> Samples | None:
    """None when the instance does not answer, or something else does."""
    try:
        answer = httpx.get(f"{url}{METRICS_PATH}", timeout=timeout_seconds, verify=url.startswith("https:"))
        return read_samples(answer.text) if answer.status_code == httpx.codes.OK else None
    except (httpx.HTTPError, ValueError, KeyError):
        return None

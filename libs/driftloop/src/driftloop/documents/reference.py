"""The reference page, from the tables in the code: ``python -m driftloop.documents.reference > docs/reference.md``."""

import sys
from collections.abc import Iterable

from prometheus_client import Counter, Gauge, Histogram

from driftloop import metrics
from driftloop.contracts.codec import EVENT_TYPES
from driftloop.contracts.events import Event
from driftloop.contracts.services import SERVICES
from driftloop.contracts.topics import CONTROL_TOPICS, FOREVER, Topic, stream_topics
from driftloop.documents.project_words import project_words
from driftloop.service.settings import settings_table
from driftloop.statistics.distances import STATISTICS, Statistic
from driftloop.statistics.metrics import METRICS, RECORDED, TARGETS
from driftloop.statistics.task_metric import Metric as ModelMetric

Metric = Counter | Gauge | Histogram


def page() -> str:
    """Topics, events, settings, words of a project, metrics of models, drift statistics and metrics of processes as Markdown."""
    topics = [_topic(t) for t in (*stream_topics("<stream>"), *CONTROL_TOPICS)]
    settings = [[f"`{s.name}`", _services(names), s.default or "required", s.meaning] for s, names in settings_table()]
    model_metrics = [_model_metric(m) for m in METRICS.values()]
    rows = [_metric(m) for m in vars(metrics).values() if isinstance(m, Counter | Gauge | Histogram)]
    return "\n".join(
        [
            "# Reference",
            "",
            "Generated from the code by `python -m driftloop.documents.reference > docs/reference.md`; a test compares the two.",
            "",
            "## Topics",
            "",
            *_table(["topic", "partitions", "key", "carries", "written by", "read by", "kept", "largest message"], topics),
            "",
            "## Events",
            "",
            "What control topics carry: CloudEvents in JSON, with the type in the header `ce_type`.",
            "The fields are in [asyncapi.json](asyncapi.json).",
            "",
            *_table(["type", "topic", "says"], map(_event, EVENT_TYPES.values())),
            "",
            "## Settings",
            "",
            "Environment variables under one prefix for each service: `DRIFTLOOP_<SERVICE>_<NAME>`.",
            "A name that ends in `_FILE` is the path of a file that holds the secret.",
            "",
            *_table(["name", "services", "default", "meaning"], settings),
            "",
            "## Words of driftloop.toml",
            "",
            "Types and defaults; what each word means is in [driftloop.toml](project.md).",
            "– has no default: then it does nothing, or what is said there.",
            "",
            *_table(["table", "word", "type", "default"], project_words()),
            "",
            "## Metrics of models",
            "",
            "What `[target] metric` may be. Interval and gain are bootstrapped; a gain is positive where the candidate is better.",
            "Missing numbers, and numbers that are not finite, make a metric undefined on the rows, as no rows do.",
            "",
            *_table(["metric", "targets and what it needs", "better", "not defined on rows", "meaning"], model_metrics),
            "",
            "## Drift statistics",
            "",
            "Of each column, between a window and the training data of the model that scored it; ordered columns are all but categories.",
            "A column above a threshold drifts; `[monitoring]` may declare one for each statistic, under its name.",
            "",
            *_table(["statistic", "columns", "threshold unless declared", "unit", "meaning"], map(_statistic, STATISTICS.values())),
            "",
            "## Metrics",
            "",
            "Under `/metrics` of each service, beside those of the Python client.",
            "",
            *_table(["metric", "kind", "labels", "meaning"], rows),
            "",
        ]
    )


def _topic(topic: Topic) -> list[str]:
    kept = "for ever" if topic.retention_ms == FOREVER else f"{topic.retention_ms // 86_400_000} days"
    parties = [", ".join(topic.written_by), ", ".join(topic.read_by)]
    return [
        f"`{topic.name}`",
        str(topic.partitions),
        topic.key,
        topic.carries,
        *parties,
        kept,
        f"{topic.max_message_bytes // 1024 // 1024} MiB",
    ]


def _event(event: type[Event]) -> list[str]:
    topics = [f"`{topic.name}`" for topic in CONTROL_TOPICS if event.TYPE in topic.events]
    first = " ".join((event.__doc__ or "").split("\n\n")[0].split()).replace("``", "`")
    return [f"`{event.TYPE}`", ", ".join(topics), first]


def _services(names: tuple[str, ...]) -> str:
    return "all" if names == tuple(SERVICES) else ", ".join(names)


def _model_metric(metric: ModelMetric) -> list[str]:
    needs = {TARGETS[task]: form.needs for task, form in metric.forms.items()}
    forms = (f"{target}: {need}{'' if need in RECORDED else ' (not recorded yet)'}" for target, need in needs.items())
    better = "higher" if metric.greater_is_better else "lower"
    return [f"`{metric.written}`", "; ".join(forms), better, metric.undefined or "–", metric.meaning]


def _statistic(statistic: Statistic) -> list[str]:
    columns = "all" if len(statistic.kinds) > 1 else " ".join(statistic.kinds)
    threshold = "none" if statistic.threshold is None else f"{statistic.threshold:g}"
    return [f"`{statistic.name}`", columns, threshold, statistic.unit, statistic.meaning]


def _metric(metric: Metric) -> list[str]:
    about = next(iter(metric.describe()))
    return [f"`{about.name}`", type(metric).__name__.lower(), ", ".join(metric._labelnames) or "–", about.documentation]


def _table(head: list[str], rows: Iterable[list[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


if __name__ == "__main__":
    sys.stdout.write(page())

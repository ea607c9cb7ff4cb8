"""Every metric that a service exports, each with its meaning. Names are Prometheus names; times are seconds."""

from prometheus_client import Counter, Gauge, Histogram

OTHER = "other"  # the label of models that are not registered: names that strangers make up get no series of their own

MESSAGES = Counter("driftloop_messages", "Messages read from a topic", ["topic"])
ROWS = Counter("driftloop_rows", "Rows that a service took up from a topic", ["topic"])
QUARANTINED = Counter("driftloop_quarantined", "Messages sent to quarantine", ["topic"])
UNREADABLE_RECORDS = Counter("driftloop_unreadable_records", "Records of a control topic that a reader passed over", ["topic"])
LABELS_DATED_AHEAD = Counter(
    "driftloop_labels_dated_ahead", "Labels dated later than their message can have been sent, taken up as of then", ["stream"]
)
UNKNOWN_CLASSES = Gauge(
    "driftloop_unknown_class_labels",
    "Labels in the window that was measured last whose class is known to no version that scored it; where class probabilities are read",
    ["model"],
)
UNKNOWN_FIELDS = Counter("driftloop_unknown_fields", "JSON fields that the schema does not know and that were ignored", ["stream"])
UNREADABLE_ANSWERS = Counter(
    "driftloop_unreadable_answers", "Messages on the topic of another system's answers that name no event, and were passed over", ["topic"]
)
RETRIES = Counter("driftloop_retries", "Times that a step was repeated because the world was not ready", ["step"])
UNFORESEEN = Counter("driftloop_unforeseen_failures", "Records set aside after several failures of a kind that nobody foresaw")
TOO_LATE_ROWS = Gauge("driftloop_too_late_rows", "Rows that came for windows no longer kept, and are in no drift report", ["partition"])
TOO_EARLY_ROWS = Gauge("driftloop_too_early_rows", "Rows with event times too far in the future to be in a drift report", ["partition"])
VALUES_TOO_LARGE = Counter(
    "driftloop_values_too_large",
    "Values of the monitor's tables that no message of their changelog can hold, and windows that are no longer compared for that reason",
    ["table"],
)
DURABLE_OFFSET = Gauge("driftloop_durable_offset", "Offset that the durable state of a partition goes on from", ["topic", "partition"])
END_OFFSET = Gauge("driftloop_end_offset", "Offset at the end of a partition, as last seen", ["topic", "partition"])
BEHIND_SECONDS = Gauge(
    "driftloop_behind_seconds",
    "Time since the durable offset of a partition last moved, while it is behind the partition's end; 0 at the end",
    ["topic", "partition"],
)
GAP = Gauge("driftloop_gap", "1 while a service has stopped at messages that are gone, and waits for a person")
PAUSED = Gauge("driftloop_paused", "1 while reading is paused under back-pressure")
HANDLING_SECONDS = Histogram("driftloop_handling_seconds", "Time to handle one control event", ["type"])
COMMIT_SECONDS = Histogram("driftloop_lake_commit_seconds", "Time to store and commit one flush to the lake", ["table"])
MODEL_VERSION = Gauge("driftloop_model_version", "Version that this predictor scores with; 0 without a model", ["model"])
ENVIRONMENT_DIFFERENCES = Gauge(
    "driftloop_environment_differences",
    "Packages and the like in which this predictor differs from what the newest champion was fitted with, refused or not",
    ["model"],
)
ALIAS_EPOCH = Gauge("driftloop_alias_epoch", "Epoch of the champion alias that this process has taken up", ["model"])
RECALIBRATION_EPOCH = Gauge(
    "driftloop_recalibration_epoch", "Epoch of the recalibration that corrects the answers of this process; 0 while none does", ["model"]
)
SCORING_SECONDS = Histogram("driftloop_scoring_seconds", "Time to score one batch", ["via"])
UNSCORED_ROWS = Counter(
    "driftloop_unscored_rows",
    "Rows without a prediction, by reason: refused (the pipeline raised), not-finite, no-time (too many in a batch), no-model",
    ["reason"],
)
SHADOW_LAG = Gauge(
    "driftloop_shadow_lag_seconds", "Age of the oldest message that the challenger of a model has not answered for; 0 at the end", ["model"]
)
SHADOW_ROWS = Counter("driftloop_shadow_rows", "Rows that the challenger of a model has answered for", ["model"])
SHADOW_PASSED_OVER = Counter(
    "driftloop_shadow_passed_over",
    "Messages that a challenger was not asked about: before (it was one), too-old, unreadable, failed, no-challenger (it cannot be loaded)",
    ["model", "reason"],
)
REFUSED_CALLS = Counter("driftloop_refused_calls", "Calls over HTTP that were refused or failed, by the answer's status", ["status"])
HTTP_DROPPED = Counter("driftloop_http_rows_dropped", "Rows scored by HTTP that the full buffer could not record")
HTTP_CLOSED = Counter(
    "driftloop_http_closed",
    "Connections that were closed: slow (no request, or no end of one, in time), full (too many connections), busy (too many calls)",
    ["why"],
)
FOLLOWER_AGE = Gauge("driftloop_follower_age_seconds", "Time since a thread that follows something last came along", ["follower"])
FOLLOWER_FAILURES = Counter("driftloop_follower_failures", "Steps of such a thread that failed and were tried again", ["follower"])
DECISION_AGE = Gauge(
    "driftloop_decision_age_seconds",
    "Time since the last retrain decision on a window, whatever it was; not a number before one",
    ["model"],
)
DECISION_OVERDUE = Gauge(
    "driftloop_decision_overdue_seconds",
    "How long the oldest closed window has waited for its decision, beyond the window's length in which its labels may come",
    ["model"],
)
BUDGET_LEFT = Gauge(
    "driftloop_budget_left", "Attempts to retrain that could be made at once, those kept for drift and performance among them", ["model"]
)
GATE = Counter(
    "driftloop_gate",
    "Verdicts on completed training runs by outcome: accepted, refused, not-measured (too few rows, too); model other: not registered",
    ["model", "outcome"],
)
TRAININGS = Counter("driftloop_trainings", "Training runs by outcome; model other: not registered", ["model", "outcome"])
VIEW_REBUILDS = Counter("driftloop_registry_view_rebuilds", "Times that the registry's database was made anew after damage")
UPKEEP = Counter("driftloop_lake_upkeep", "Passes of upkeep over a table by outcome: done, postponed, failed", ["table", "work", "outcome"])
LAKE_FILES = Gauge("driftloop_lake_files", "Data files of a table after the last compaction", ["table"])
NOTIFICATIONS = Counter("driftloop_notifications", "Messages to people by outcome: delivered, dead (given up)", ["outcome"])
NOTIFICATIONS_WAITING = Gauge("driftloop_notifications_waiting", "Messages to people that are due and have not arrived yet")
DEAD_LETTERS = Gauge("driftloop_dead_letters", "Messages to people that were given up; `driftloop notifications retry` sends them again")

"""The table of services. Ports, storage rights, settings, the checks at start and the local stack come from it; what is written
elsewhere in another language (the containers, the import contracts) is compared with it by ``tests/architecture``.

A new service has its line here, is named by the topics that it reads or writes, and has a folder ``services/<name>``.
"""

from collections.abc import Mapping
from typing import NamedTuple

from driftloop.contracts.existing_topics import OURS, ExistingTopics
from driftloop.contracts.storage_rights import CLI_RIGHTS, PROBE, QUARANTINE, Rights
from driftloop.contracts.topics import CONTROL_TOPICS, DAY_MS, Topic, stream_topics
from driftloop.contracts.values import Part

INSTANCES = 10  # of one service at most: each has ten ports on a machine, and ten folders on a volume that replicas share
READY_PATH = "/readyz"  # 200 when a service can do its work, 503 with the reason otherwise


class Setting(NamedTuple):
    """A documented variable, ``DRIFTLOOP_<SERVICE>_<NAME>``. ``default`` None: it must be given."""

    name: str
    default: str | None
    meaning: str


class Service(Part, frozen=True, kw_only=True):
    """One service: what it is given, and what it may do."""

    name: str
    port_offset: int  # of its first instance's HTTP port, counted from the base of a local stack
    for_project: bool = False  # works for one registered project: has the setting PROJECT
    on_demand: bool = False  # a local stack starts it when a project has a use for it
    reads_applications: bool = False  # what they send: has the settings of a schema registry
    rights: Rights | None = None  # in the bucket; None: it needs no store, and no settings of one
    settings: tuple[Setting, ...] = ()  # beside those that every service has
    variables: tuple[tuple[str, str], ...] = ()  # of its process, beside its settings

    @property
    def package(self) -> str:
        """What ``python -m`` starts."""
        return f"driftloop_{self.name}"

    def topics(self, stream: str | None = None, retention_ms: int = 30 * DAY_MS, existing: ExistingTopics = OURS) -> tuple[Topic, ...]:
        """What it reads or writes, as ``contracts.topics`` has it: control topics, and with ``stream`` those of the stream too,
        which are kept for ``retention_ms`` but for those that somebody else has."""
        known = (*(stream_topics(stream, retention_ms=retention_ms, existing=existing) if stream else ()), *CONTROL_TOPICS)
        return tuple(topic for topic in known if self.name in (*topic.read_by, *topic.written_by))


REGISTRY = Service(name="registry", port_offset=10, rights=Rights(read=("models", "projects", "references")))

INGEST = Service(
    name="ingest",
    port_offset=30,
    for_project=True,
    reads_applications=True,
    rights=Rights(read=("lake", "models", "projects", "snapshots"), write=("lake", QUARANTINE, PROBE), delete=("lake",)),
    settings=(
        Setting("FLUSH_ROWS", "10000", "rows in one commit at most"),
        Setting("FLUSH_MIB", "64", "buffered MiB that force a commit"),
        Setting("FLUSH_SECONDS", "10", "age of the oldest buffered row that forces a commit"),
        Setting("COMPACT_SECONDS", "60", "time between two looks for small files to merge; 0: never"),
        Setting("CLEAN_SECONDS", "3600", "time between two looks for files that nobody names any more; 0: never"),
        Setting("CLEAN_GRACE_HOURS", "168", "how long such a file stays marked before it is deleted"),
        Setting("LOG_KEEP_HOURS", "168", "how long entries stay in a lake table's log before they are archived"),
        Setting("SHADOW_MAX_LAG_SECONDS", "3600", "age at which a challenger is no longer asked about a message that it is behind with"),
    ),
)

PREDICTOR = Service(
    name="predictor",
    port_offset=20,
    for_project=True,
    reads_applications=True,
    rights=Rights(read=("gaps", "models", "projects"), write=(QUARANTINE,)),
    settings=(
        Setting("IDLE_SECONDS", "60", "wall time without requests after which a partition gets a watermark; 0: never"),
        Setting("HTTP_MAX_BODY_BYTES", "4194304", "largest body of POST /invocations"),
        Setting("HTTP_BUFFER_ROWS", "10000", "rows scored by HTTP that may wait for recording; more are dropped and counted"),
    ),
    variables=(("OMP_NUM_THREADS", "1"),),  # a second one makes one-row scoring ten times slower on a busy machine
)

MONITOR = Service(
    name="monitor",
    port_offset=40,
    for_project=True,
    rights=Rights(read=("gaps", "lake", "models", "projects", "references"), write=(QUARANTINE,)),
    settings=(
        Setting("SESSION_TIMEOUT_SECONDS", "10", "silence after which the group gives this member's partitions away"),
        Setting("MAX_POLL_INTERVAL_SECONDS", "120", "time without a poll after which the group gives them away"),
        Setting("MAX_UNSETTLED_SECONDS", "300", "time without settled partitions after which the process starts again"),
    ),
)

TRAINER = Service(
    name="trainer",
    port_offset=50,
    rights=Rights(read=("lake", "models", "projects", "snapshots"), write=("models", "snapshots")),
    settings=(
        Setting("MAX_POLL_INTERVAL_SECONDS", "300", "time without a poll after which the group gives its partitions away"),
        Setting("RUNS_PER_DAY", "200", "runs of one model in 24 hours, of all trainers together; further requests fail. 0: no limit"),
    ),
)

CONSOLE = Service(
    name="console",
    port_offset=60,
    rights=Rights(read=("lake", "models", "projects", QUARANTINE, "snapshots")),
    settings=(
        Setting("REGISTRY_URL", None, "URL of the registry, which commands from the pages go to"),
        Setting("SERVICES", "none", "whom to ask how they are: registry=http://registry:8080,…, or a local stack's stack.json"),
    ),
)

NOTIFIER = Service(
    name="notifier",
    port_offset=70,
    on_demand=True,
    rights=Rights(read=("projects",)),
    settings=(
        Setting("SECRETS_DIR", "none", "folder with a file for each secret that rules name: keys of webhooks, URLs of apprise"),
        Setting("SERVICES", "none", "whom to ask how they are: registry=http://registry:8080,…, or a local stack's stack.json"),
        Setting("CONSOLE_URL", "none", "URL of the console as people reach it, for links in messages"),
        Setting("STALL_SECONDS", "300", "how long a service may not answer, not be ready or not get on before that is told"),
        Setting("RETRY_SECONDS", "3600", "how long a message is tried again before it is a dead letter"),
        Setting("MAX_AGE_HOURS", "24", "what ended longer ago, while nothing could be sent, is told in one summary"),
    ),
)

# in the order in which a local stack starts them: the registry first, because the others wait for what it registers
SERVICES: Mapping[str, Service] = {service.name: service for service in (REGISTRY, INGEST, PREDICTOR, MONITOR, TRAINER, CONSOLE, NOTIFIER)}

# everybody who holds a key of the store: the keys of an installation are made from it
RIGHTS: Mapping[str, Rights] = {name: service.rights for name, service in SERVICES.items() if service.rights} | {"cli": CLI_RIGHTS}

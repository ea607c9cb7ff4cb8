"""All mutations, by part of the program: data, to which a new guard adds an entry."""

from tests.mutations.catalogue.applications import APPLICATIONS
from tests.mutations.catalogue.calls import CALLS
from tests.mutations.catalogue.canary import CANARY
from tests.mutations.catalogue.clocks import CLOCKS
from tests.mutations.catalogue.console import CONSOLE
from tests.mutations.catalogue.drift import DRIFT
from tests.mutations.catalogue.endurance import ENDURANCE
from tests.mutations.catalogue.existing_topics import EXISTING_TOPICS
from tests.mutations.catalogue.ingest import INGEST
from tests.mutations.catalogue.lake import LAKE
from tests.mutations.catalogue.model_files import MODEL_FILES
from tests.mutations.catalogue.monitor import MONITOR
from tests.mutations.catalogue.newcomer import NEWCOMER
from tests.mutations.catalogue.notifier import NOTIFIER
from tests.mutations.catalogue.predictor import PREDICTOR
from tests.mutations.catalogue.processes import PROCESSES
from tests.mutations.catalogue.redrive import REDRIVE
from tests.mutations.catalogue.registry import REGISTRY
from tests.mutations.catalogue.shadow import SHADOW
from tests.mutations.catalogue.strangers import STRANGERS
from tests.mutations.catalogue.training import TRAINING
from tests.mutations.catalogue.watching import WATCHING
from tests.mutations.mutation import Mutation

PARTS: dict[str, tuple[Mutation, ...]] = {
    "The lake": LAKE,
    "The registry": REGISTRY,
    "The predictor": PREDICTOR,
    "Ingest": INGEST,
    "The monitor": MONITOR,
    "Drift": DRIFT,
    "Training": TRAINING,
    "Model files": MODEL_FILES,
    "Bytes and names of strangers": STRANGERS,
    "Processes and the local stack": PROCESSES,
    "Strangers, operators and years": ENDURANCE,
    "Clocks, windows and late labels": CLOCKS,
    "Calls": CALLS,
    "From a file to a loop": NEWCOMER,
    "What applications send": APPLICATIONS,
    "Shadow": SHADOW,
    "Canary": CANARY,
    "A model that is served elsewhere": WATCHING,
    "Topics that somebody else writes": EXISTING_TOPICS,
    "The console": CONSOLE,
    "Messages to people": NOTIFIER,
    "Rejected messages, sent again": REDRIVE,
}

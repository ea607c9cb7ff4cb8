"""The project archive that a version was trained with, which need not be the registered one any more."""

import msgspec

from driftloop.errors import IntegrityError, ObjectNotFound
from driftloop.loop.registry_state import ModelState
from driftloop.ports import ObjectStore
from driftloop.project import Project
from driftloop.registered import load_project


def archived_project(store: ObjectStore, model: ModelState, archive: str) -> Project:
    """The archive ``archive``, also when the project had another name then.

    Raises IntegrityError when it is gone or its bytes are others; TransientError.
    """
    if model.project is None:
        raise IntegrityError(f"no project is registered for the model {model.model}")
    ref = msgspec.structs.replace(model.project, archive=archive)
    try:
        return load_project(store, ref)
    except ObjectNotFound:
        pass  # the project may have been renamed since
    for found in store.list("projects/"):
        _, name, file = found.key.split("/", 2)
        if file == f"{archive}.zip":
            return load_project(store, msgspec.structs.replace(ref, project=name))
    raise IntegrityError(f"the project archive {archive} is not in the store")

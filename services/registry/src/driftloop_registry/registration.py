"""A caller's wish to register an archive: which one it is; what is in it only the archive says."""

from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from driftloop.contracts.commands import RegisterProject
from driftloop.contracts.values import PromotionRules
from driftloop.project.model import Project
from driftloop.registry.fold import RegistryState
from driftloop_registry.responses import Refused


class Registration(NamedTuple):
    """``schema_fingerprint`` and ``promotion`` are what callers of before this rule still send: they must say what the archive says."""

    command_id: str
    at: datetime
    actor: str
    reason: str
    project: str
    stream: str
    model: str
    archive: str
    schema_fingerprint: str | None
    promotion: dict[str, Any]

    def check(self, project: Project) -> None:
        """Raises Refused when the caller says otherwise than the verified archive."""
        fingerprint = project.schema.fingerprint()
        if self.schema_fingerprint not in (None, fingerprint):
            raise Refused(422, f"the archive declares the stream {project.stream} with the schema {fingerprint}", "schema_fingerprint")
        rules = msgspec.structs.asdict(_rules(project))
        for name, value in self.promotion.items():
            if value != rules[name]:
                reason = f"the archive's {name} is {rules[name]!r}: change [promotion] in driftloop.toml and register the new archive"
                raise Refused(422, reason, f"promotion.{name}")

    def check_name(self, state: RegistryState) -> None:
        """Raises Refused when another model's project has this name: its services find their project by it. Not for the fold to say:
        it goes by the log of before, too."""
        for other in state.models.values():
            if other.model != self.model and other.project is not None and other.project.project == self.project:
                reason = f"project {self.project!r} has the model {other.model!r} already; give the project of {self.model!r} another name"
                raise Refused(409, reason, "project")

    def command(self, project: Project) -> RegisterProject:
        """With schema and rules of the verified archive."""
        return RegisterProject(
            command_id=self.command_id,
            at=self.at,
            actor=self.actor,
            reason=self.reason,
            project=self.project,
            stream=self.stream,
            model=self.model,
            archive=self.archive,
            schema_fingerprint=project.schema.fingerprint(),
            promotion=_rules(project),
            stream_schema=project.schema,
            served_by="elsewhere" if project.served_by == "elsewhere" else msgspec.UNSET,
        )


def _rules(project: Project) -> PromotionRules:
    """What the fold applies; the confidence is the trainer's to measure with."""
    return PromotionRules(**{name: getattr(project.promotion, name) for name in PromotionRules.__struct_fields__})

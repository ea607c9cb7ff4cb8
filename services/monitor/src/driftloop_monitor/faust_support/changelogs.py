"""The topics that the tables live in. The wiring creates them: two workers that let faust create them at once may hang."""

from driftloop.contracts.topics import MIB, Topic, changelog


class Changelog(Topic, frozen=True, kw_only=True):
    """Compacted. It is replayed on every start: small segments and eager compaction keep it short."""

    @property
    def config(self) -> dict[str, str]:
        return {
            "cleanup.policy": "compact",
            "max.message.bytes": str(self.max_message_bytes),
            "segment.bytes": str(16 * MIB),
            "segment.ms": "600000",
            "min.cleanable.dirty.ratio": "0.1",
            "max.compaction.lag.ms": "600000",
            "delete.retention.ms": "3600000",
        }


def changelogs(stream: str, tables: dict[str, int]) -> list[Changelog]:
    """The changelog of each table with its number of partitions."""
    return [
        Changelog(
            name=changelog(stream, table),
            partitions=partitions,
            key="partition and name of the value",
            carries="the values of a table of the monitor",
            written_by=("monitor",),
            read_by=("monitor",),
            plane="control",
            max_message_bytes=8 * MIB,
        )
        for table, partitions in tables.items()
    ]

"""Protobuf schemas as a registry has them: as text, compiled by protoc, which grpcio-tools brings, or as a serialized
``FileDescriptorProto`` in base64, which is what confluent-kafka's serializer for Python registers and some registries give back as it was.

protoc has a process of its own: it is C++ and reads what strangers wrote, and it keeps the files that it has read.
"""

import base64
import binascii
import re
import subprocess
import sys
import tempfile
from pathlib import Path, PurePosixPath
from typing import Any

from driftloop.errors import ConfigurationError, InvalidMessage, TransientError
from driftloop.ports import Schema

MAIN = "driftloop_schema.proto"  # what the schema itself is called; references have names of their own
COMPILE_SECONDS = 60.0
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_PROTOC = """
import sys
from importlib.resources import files
from grpc_tools import protoc
sys.exit(protoc.main([*sys.argv, f"-I{files('grpc_tools') / '_proto'}"]))
"""


def file_of(schema: Schema) -> Any:
    """The schema's file descriptor. Raises InvalidMessage for what protoc refuses, ConfigurationError where it is not installed."""
    try:
        from google.protobuf import descriptor_pb2, descriptor_pool, message
    except ImportError as exc:
        raise ConfigurationError("records in Protobuf need protobuf: install driftloop[protobuf] where this process runs") from exc
    named = dict([*schema.references, (MAIN, schema.text)])
    serialized = {name: found for name, text in named.items() if (found := _serialized(text)) is not None}
    try:
        files = {name: _file(descriptor_pb2, found, name) for name, found in serialized.items()}
        if texts := {name: text for name, text in named.items() if name not in serialized}:
            compiled = descriptor_pb2.FileDescriptorSet.FromString(_compiled(schema.id, texts))
            files = {file.name: file for file in compiled.file} | files
        pool = descriptor_pool.DescriptorPool()
        _add(pool, files, MAIN, set())
        return pool.FindFileByName(MAIN)
    except (message.DecodeError, TypeError, KeyError, ValueError) as exc:
        raise InvalidMessage(f"schema {schema.id}: {exc}"[:500]) from exc


def _serialized(text: str) -> bytes | None:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):  # text has braces
        return None


def _file(descriptor_pb2: Any, serialized: bytes, name: str) -> Any:
    file = descriptor_pb2.FileDescriptorProto.FromString(serialized)
    file.name = name
    return file


def _add(pool: Any, files: dict[str, Any], name: str, added: set[str]) -> None:
    """With what it imports before it; Google's own files need no reference. Raises KeyError for one that is not there."""
    if name in added:
        return
    added.add(name)
    file = files.get(name) or _googles(name)
    for imported in file.dependency:
        _add(pool, files, imported, added)
    pool.Add(file)


def _googles(name: str) -> Any:
    from google.protobuf import any_pb2, descriptor_pb2, duration_pb2, empty_pb2, field_mask_pb2, struct_pb2, timestamp_pb2, wrappers_pb2

    modules = (any_pb2, descriptor_pb2, duration_pb2, empty_pb2, field_mask_pb2, struct_pb2, timestamp_pb2, wrappers_pb2)
    known = {module.DESCRIPTOR.name: module.DESCRIPTOR for module in modules}
    if name not in known:
        raise KeyError(f"it imports {name!r}, and the schema registry names no such reference")
    file = descriptor_pb2.FileDescriptorProto()
    known[name].CopyToProto(file)
    return file


def _compiled(schema_id: int, files: dict[str, str]) -> bytes:
    """A ``FileDescriptorSet`` of all of them and of what they import."""
    with tempfile.TemporaryDirectory(prefix="driftloop-proto-") as folder:
        root = Path(folder)
        for name, text in files.items():
            path = _inside(root, name, schema_id)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        out = root / "compiled.bin"
        command = [sys.executable, "-c", _PROTOC, f"-I{root}", "--include_imports", f"--descriptor_set_out={out}", *files]
        try:
            ran = subprocess.run(command, capture_output=True, text=True, timeout=COMPILE_SECONDS, check=False)
        except subprocess.TimeoutExpired as exc:
            raise TransientError(f"schema {schema_id} was not compiled within {COMPILE_SECONDS:.0f} s") from exc
        if "No module named 'grpc_tools'" in ran.stderr:
            raise ConfigurationError("schemas in Protobuf need grpcio-tools: install driftloop[protobuf] where this process runs")
        if ran.returncode or not out.exists():
            said = " ".join(line.strip() for line in ran.stderr.splitlines() if "warning" not in line)[:400]
            raise InvalidMessage(f"schema {schema_id} is no Protobuf schema that protoc takes: {said}")
        return out.read_bytes()


def _inside(root: Path, name: str, schema_id: int) -> Path:
    parts = PurePosixPath(name).parts
    if not name.endswith(".proto") or not parts or not all(_PART.fullmatch(part) and ".." not in part for part in parts):
        raise InvalidMessage(f"schema {schema_id} refers to {name!r}, which is no name of a .proto file")
    return root.joinpath(*parts)

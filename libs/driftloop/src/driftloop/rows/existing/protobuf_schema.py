"""Protobuf schemas as a registry has them, which is as text: compiled by protoc, which grpcio-tools brings.

In a process of its own: it is C++ and reads what strangers wrote, and it keeps the files that it has read.
"""

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
    files = descriptor_pb2.FileDescriptorSet()
    try:
        files.ParseFromString(_compiled(schema))
        pool = descriptor_pool.DescriptorPool()
        for file in files.file:
            pool.Add(file)
        return pool.FindFileByName(MAIN)
    except (message.DecodeError, TypeError, KeyError, ValueError) as exc:
        raise InvalidMessage(f"schema {schema.id}: {exc}"[:500]) from exc


def _compiled(schema: Schema) -> bytes:
    with tempfile.TemporaryDirectory(prefix="driftloop-proto-") as folder:
        root = Path(folder)
        for name, text in (*schema.references, (MAIN, schema.text)):
            path = _inside(root, name, schema.id)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        out = root / "compiled.bin"
        command = [sys.executable, "-c", _PROTOC, f"-I{root}", "--include_imports", f"--descriptor_set_out={out}", MAIN]
        try:
            ran = subprocess.run(command, capture_output=True, text=True, timeout=COMPILE_SECONDS, check=False)
        except subprocess.TimeoutExpired as exc:
            raise TransientError(f"schema {schema.id} was not compiled within {COMPILE_SECONDS:.0f} s") from exc
        if "No module named 'grpc_tools'" in ran.stderr:
            raise ConfigurationError("schemas in Protobuf need grpcio-tools: install driftloop[protobuf] where this process runs")
        if ran.returncode or not out.exists():
            said = " ".join(line.strip() for line in ran.stderr.splitlines() if "warning" not in line)[:400]
            raise InvalidMessage(f"schema {schema.id} is no Protobuf schema that protoc takes: {said}")
        return out.read_bytes()


def _inside(root: Path, name: str, schema_id: int) -> Path:
    parts = PurePosixPath(name).parts
    if not name.endswith(".proto") or not parts or not all(_PART.fullmatch(part) and ".." not in part for part in parts):
        raise InvalidMessage(f"schema {schema_id} refers to {name!r}, which is no name of a .proto file")
    return root.joinpath(*parts)

"""S3 policies made from the table of rights."""

from typing import Any

from driftloop.contracts.storage_rights import PROBE, Rights

_WRITE = ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]


def policy(bucket: str, rights: Rights) -> dict[str, Any]:
    """Read and list the areas of ``read``; write those of ``write``; delete in those of ``delete``, and probes."""
    readable = rights.read + tuple(area for area in rights.write if area == PROBE)
    statements = [
        _allow(["s3:GetObject"], [_objects(bucket, area) for area in readable]),
        _allow(["s3:ListBucket"], [f"arn:aws:s3:::{bucket}"], {"StringLike": {"s3:prefix": [f"{area}/*" for area in readable]}}),
    ]
    if rights.write:
        statements.append(_allow(_WRITE, [_objects(bucket, area) for area in rights.write]))
    deletable = rights.delete + tuple(area for area in rights.write if area == PROBE)
    if deletable:
        statements.append(_allow(["s3:DeleteObject"], [_objects(bucket, area) for area in deletable]))
    return {"Version": "2012-10-17", "Statement": statements}


def _objects(bucket: str, area: str) -> str:
    return f"arn:aws:s3:::{bucket}/{area}/*"


def _allow(actions: list[str], resources: list[str], condition: dict[str, Any] | None = None) -> dict[str, Any]:
    statement: dict[str, Any] = {"Effect": "Allow", "Action": actions, "Resource": resources}
    return statement | ({"Condition": condition} if condition else {})

"""The SDK: ``driftloop.Client`` and what stands behind it, a module for each subject.

Commands and programs ask the same questions here. A module of a subject is imported when its question is asked, so that a
command starts fast.
"""

from driftloop.client.client import Client

__all__ = ["Client"]

"""The rig's own tests use its fixtures as any other test would."""

from __future__ import annotations

from rig.fixtures import pytest_configure, redshift_database, redshift_rig, s3_server

__all__ = ["pytest_configure", "redshift_database", "redshift_rig", "s3_server"]

"""Stand-ins for AWS on the loopback interface: a real S3 server and a Redshift front."""

from __future__ import annotations

from rig.errors import RedshiftError, RigError, RigStartError
from rig.s3 import S3Server
from rig.server import ROLE, RedshiftRig

__all__ = ["ROLE", "RedshiftError", "RedshiftRig", "RigError", "RigStartError", "S3Server"]

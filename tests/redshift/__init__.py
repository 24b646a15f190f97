"""The project on Redshift, end to end: on the rig, or on a cluster if REDSHIFT_E2E_HOST is set."""

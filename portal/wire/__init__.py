"""The Proton API: AWS JSON 1.0 on ``POST /``, driven by botocore's own service model."""

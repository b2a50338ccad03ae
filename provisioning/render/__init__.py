"""Rendering of CloudFormation templates: Jinja, AWS Proton's rules, and the guard against hostile values."""

from provisioning.render.files import Rendered, render_file, render_plain

__all__ = ["Rendered", "render_file", "render_plain"]

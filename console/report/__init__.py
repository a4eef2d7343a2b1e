"""Shows a health report: one page that needs nothing but a browser."""

from console.report.render import render

__all__ = ["render"]

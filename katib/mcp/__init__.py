"""Experiments for assistants that speak the Model Context Protocol. See docs/mcp.md."""

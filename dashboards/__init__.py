"""The Grafana door: boards as code. Not built yet; the import contract already keeps its place."""

"""Detectors of drift: what a series does now beside what it did in its training window."""

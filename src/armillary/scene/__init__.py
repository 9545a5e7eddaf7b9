"""Imagery at rest and every reader of it. No torch, no models."""

"""Encoders: whatever turns samples into vectors and maps. A new kind of encoder goes here."""

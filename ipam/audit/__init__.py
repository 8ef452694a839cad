"""Allocations across hosts: snapshots of stores, what is wrong in them, and how that is told."""

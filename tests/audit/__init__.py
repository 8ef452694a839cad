"""The audit: snapshots, findings, report, metrics."""

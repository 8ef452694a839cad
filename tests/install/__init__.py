"""Installing, upgrading, taking out again; `ipam status`; the units under a real systemd; the Kubernetes manifest."""

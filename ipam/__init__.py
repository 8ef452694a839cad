"""IP address management on the container host: a CNI IPAM plugin with pluggable lease stores."""

__version__ = "0.1.0"

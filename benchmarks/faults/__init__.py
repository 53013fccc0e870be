"""Faults on purpose, against the real pipeline under the real DVC: `make faults`."""

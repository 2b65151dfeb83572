"""Promises kept under torture: kill, hang up, stall, fill the disk, feed garbage, and count what goes wrong."""

"""Train neural networks from a config, into a directory that anything can follow. Knows no screen."""

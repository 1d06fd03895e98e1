"""Contracts that any part must keep, shipped for the tests of Accord and of packages that add parts to it."""

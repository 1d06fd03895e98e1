"""The offline jobs: evaluate, train, report."""

"""The numbers of docs/benchmarks.md: `make bench`, or `python -m tests.bench SECTION...`."""

"""What happens when the machine, the disk or the clock fails: quick tests here, a long run by `python -m tests.faults`."""
